package console

import "github.com/scimhub/scimhub/admin"

// targetNames are the names of targets that a form offers, without what is there.
func targetNames(v *Visit) (names []string, err error) {
	var targets listing[admin.TargetView]
	if err := v.Get(&targets, "/targets?names=true&limit=500"); err != nil {
		return nil, err
	}
	for _, t := range targets.Items {
		names = append(names, t.Name)
	}
	return names, nil
}

// roleNames are the names of roles that a form offers.
func roleNames(v *Visit) (names []string, err error) {
	var roles listing[admin.RoleView]
	if err := v.Get(&roles, "/roles?limit=500"); err != nil {
		return nil, err
	}
	for _, r := range roles.Items {
		names = append(names, r.Name)
	}
	return names, nil
}
