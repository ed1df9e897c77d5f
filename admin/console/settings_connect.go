package console

import "slices"

// guide says what to enter at a provider, setting by setting.
type guide struct {
	Title, Begin string
	Rows         []guideRow
	Mappings     []guideRow // attribute, its source, note
	Mind         []string
	Here         bool // it is of the dialect of the source
}

type guideRow struct {
	Setting, Value, Note string
	Copy                 bool // the value is to be pasted as it is
}

// secretTold is what stands for a secret, which no page has.
const secretTold = "the token, as it was shown when it was made"

// guides are those of all providers, that of a dialect first.
func guides(dialect, address string) []guide {
	all := []guide{oktaGuide(address), entraGuide(address), plainGuide(address)}
	of := map[string]int{"okta": 0, "entra": 1}
	at, known := of[dialect]
	if !known {
		at = len(all) - 1
	}
	all[at].Here = true
	return slices.Concat(all[at:at+1], all[:at], all[at+1:])
}

func oktaGuide(address string) guide {
	return guide{Title: "Okta", Begin: "At the application: Provisioning, Integration, Edit. In an application of the catalogue: Provisioning, Configure API Integration.",
		Rows: []guideRow{
			{"SCIM connector base URL, or Base URL", address, "without a slash at the end", true},
			{"Unique identifier field for users", "userName", "Okta looks for people by it before it makes them", true},
			{"Supported provisioning actions", "Push New Users, Push Profile Updates", "and Push Groups if groups are to come; leave Import off", false},
			{"Authentication Mode", "HTTP Header", "in an application of the catalogue: OAuth Bearer Token", false},
			{"Authorization", secretTold, "Okta writes the word Bearer itself", false},
			{"To App", "Create Users, Update User Attributes, Deactivate Users", "switch them on; leave Sync Password off", false},
		},
		Mappings: []guideRow{
			{"userName", "user.login", "as proposed", false},
			{"department, manager.value", "your attribute", "add them in the Profile Editor with the namespace urn:ietf:params:scim:schemas:extension:enterprise:2.0:User", false},
		},
		Mind: []string{"Push a group only once its members are assigned to the application.", "Do not assign and push the same group: its members would come and go."}}
}

func entraGuide(address string) guide {
	return guide{Title: "Microsoft Entra ID", Begin: "At the enterprise application: Provisioning, New configuration, or Admin Credentials.",
		Rows: []guideRow{
			{"Tenant URL", address + "?aadOptscim062020", "with this flag Entra writes what the standard asks for", true},
			{"Secret Token", secretTold, "sent as Authorization: Bearer", false},
			{"Scope", "Sync only assigned users and groups", "nested groups are not sent: assign the inner ones", false},
		},
		Mappings: []guideRow{
			{"userName", "userPrincipalName", "matching precedence 1, or 2 where you match by externalId", false},
			{"externalId", "objectId or employeeId", "not mailNickname, which changes", false},
			{"active", `Switch([IsSoftDeleted], , "False", "True", "True", "False")`, "as proposed", true},
			{`emails[type eq "work"].value`, "mail", "", false},
			{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager", "manager", "a reference; managers may come after their reports", false},
			{`roles[primary eq "True"].value`, "SingleAppRoleAssignment([appRoleAssignments])", "an expression, not a direct mapping", true},
		},
		Mind: []string{"Remove mappings that nobody needs: each is compared in every cycle.", "Try it with Provision on demand, one person; then Start provisioning. A cycle comes about every 40 minutes."}}
}

func plainGuide(address string) guide {
	return guide{Title: "Any provider that speaks SCIM 2.0",
		Rows: []guideRow{
			{"SCIM address", address, "SCIM 2.0; without a slash at the end", true},
			{"Authentication", "Authorization: Bearer, and " + secretTold, "", false},
			{"Unique identifier", "userName", "unless you match people by another attribute", true},
			{"When somebody leaves", "active: false", "rather than deleting them: both end their access", false},
		}}
}
