package admin

// notifyRoutes are those about messages to people and programs.
func (a *API) notifyRoutes() []route {
	return []route{
		{"GET", "/notifications", rightRead, a.notifications, about{sum: "What happened and was to be told, the newest first", out: page[EventView]{}, query: []string{"type", "for", "cursor", "limit"}}},
		{"GET", "/notifications/deliveries", rightRead, a.deliveries, about{sum: "Events on their way to receivers, and how that went", out: page[DeliveryView]{}, query: []string{"receiver", "state", "event", "cursor", "limit"}}},
		{"GET", "/notifications/deliveries/{delivery}", rightRead, a.showDelivery, about{sum: "One delivery", out: DeliveryView{}}},
		{"POST", "/notifications/deliveries/{delivery}/retry", rightOperate, a.retryDelivery, about{sum: "Try a delivery again at once", out: DeliveryView{}}},
		{"GET", "/notifications/receivers", rightRead, a.receivers, about{sum: "Who is told, and whether they can be reached", out: page[ReceiverView]{}}},
		{"POST", "/notifications/test", rightOperate, a.testReceiver, about{sum: "Send a test to a receiver; the answer is its delivery, which can be followed", in: NotifyTest{}, out: DeliveryView{}}},
		{"GET", "/act", rightSeeOwn, a.followLink, about{sum: "What a link in a message leads to; it is shown to whom it was sent to and decides nothing", out: ActView{}, query: []string{"t"}}},
	}
}
