package admin

// signInRoutes are those about sessions and links to sign in.
func (a *API) signInRoutes() []route {
	return []route{
		{"GET", "/me", rightSeeOwn, a.me, about{sum: "Who asks, as the hub knows them", out: Me{}}},
		{"GET", "/sessions", rightSeeOwn, a.sessions, about{sum: "Who is signed in at the console; for who may not read everything, oneself",
			out: page[SessionView]{}, query: []string{"cursor", "ended", "limit", "mine", "person"}}},
		{"POST", "/sessions/{session}/end", rightSeeOwn, a.endSession, about{sum: "End a session: one's own, or as an operator anybody's", in: SessionEnd{}, out: SessionView{}}},
		{"POST", "/sign-in-links", rightAdminister, a.createSignInLink, about{sum: "Make a link that lets somebody in at the console once, within a quarter of an hour",
			in: SignInLinkRequest{}, out: SignInLinkView{}}},
	}
}
