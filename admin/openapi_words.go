package admin

// pathWords says what a variable of an address stands for.
func pathWords(name string) string {
	switch name {
	case "person":
		return "User name or id of a person"
	case "target", "source", "role":
		return "Name of a " + name
	case "version":
		return "Number of a version, from 1"
	}
	return "Id of a " + name
}

// queryWords says what a parameter is for, and what it looks like.
func queryWords(name string) (schema object, words string) {
	text, flag := object{"type": "string"}, object{"type": "string", "enum": []string{"true", "false"}}
	moment := object{"type": "string"}
	switch name {
	case "cursor":
		return text, "Where the previous page ended: its next"
	case "limit":
		return object{"type": "integer", "minimum": 1, "default": defaultLimit}, "How many to a page; more than 500 counts as 500"
	case "q":
		return text, "What to look for"
	case "for", "person", "identity":
		return text, "User name or id of the person that it is about"
	case "target", "source", "role", "group", "receiver", "department", "manager", "stage", "reviewer":
		return text, "Only of this " + name
	case "kind", "state", "type":
		return text, "Only of this " + name + "; an unknown one is refused with the list of those there are"
	case "since", "from":
		return moment, "Only from this moment on, RFC 3339; of versions, the first"
	case "until", "to":
		return moment, "Only before this moment, RFC 3339; of versions, the second"
	case "at":
		return moment, "As it was at this moment: RFC 3339, a date, or a duration ago"
	case "mine", "waiting", "overdue", "open", "ended", "all":
		return flag, "true: only those that are " + map[string]string{"mine": "one's own", "waiting": "waiting for the caller", "overdue": "overdue", "open": "open"}[name] +
			map[string]string{"ended": "in force or ended", "all": "there at all"}[name]
	case "names":
		return flag, "true: names alone, to choose from, without how they are"
	case "drift":
		return text, "Anything: only accounts that drifted"
	case "partial":
		return flag, "true: people who are not among the rows stay as they are"
	case "dry_run":
		return flag, "true: only say what would change"
	case "digest":
		return text, "Do nothing but the difference of this digest"
	case "release":
		return text, "Let the difference of this digest pass the guard"
	case "file", "map_file":
		return text, "A name for messages"
	case "format":
		return text, "How the answer is written, in place of Accept"
	}
	return text, "Only those with this " + name
}
