package hub

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/scimhub/scimhub/model/store"
)

// nameFree finds user names that somebody has who does not give them up.
func (p *importPlan) nameFree(v *rowValues, n int, after map[string]any) {
	row, name := p.rows[n], store.KeysOf(p.user, after).UserName
	if row.at >= 0 && p.there[row.at].UserName == name {
		return
	}
	if row.at >= 0 {
		p.renamed = append(p.renamed, p.there[row.at].ID)
	}
	if first, ok := p.rowName[name]; ok && first != n {
		return // told already
	}
	at, taken := p.byName[name]
	if !taken {
		return
	}
	if _, in := p.claimed[at]; in {
		p.swapped = true // whose it was has another name in the file
		return
	}
	who := "who is not in the file"
	if id := p.there[at].ExternalID; id != "" {
		who = fmt.Sprintf("with externalId %q, %s", id, who)
	}
	text, _ := after["userName"].(string)
	var column *rowColumn
	for _, c := range p.columns(v) {
		if c.path.URI == "" && c.path.Attr == "userName" {
			column = c
		}
	}
	v.faults = append(v.faults, p.shape.at(v, column, fmt.Sprintf("userName %q is that of a user of this source %s", text, who)))
}

// differ notes what is to be done with the user of a row.
func (p *importPlan) differ(row *plannedRow, id string, before, after map[string]any) {
	fields := changedAttributes(p.user, before, after, "")
	switch {
	case row.at < 0:
		row.action = ImportCreate
	case len(fields) == 0:
		return
	case turnedOff(before, after):
		row.action = ImportDisable
	case turnedOff(after, before) && before["active"] == false:
		row.action = ImportEnable
	default:
		row.action = ImportUpdate
	}
	p.note(ImportItem{Action: row.action, Key: row.key, ID: id, Line: row.line, Fields: fields}, after)
}

// note counts a difference, and keeps it where there is room to show it.
func (p *importPlan) note(i ImportItem, attrs map[string]any) {
	switch i.Action {
	case ImportCreate:
		p.out.Creates++
	case ImportUpdate:
		p.out.Updates++
	case ImportDisable:
		p.out.Disables++
	case ImportEnable:
		p.out.Enables++
	}
	text, _ := json.Marshal([]any{i.Action, i.Key, i.ID, i.Fields})
	sum := sha256.Sum256(text)
	p.hashes = append(p.hashes, sum[:16])
	if p.shown[i.Action]++; p.shown[i.Action] <= maxImportShown {
		i.UserName, _ = attrs["userName"].(string)
		p.out.Items = append(p.out.Items, i)
	}
}

// digest names the whole difference, in whatever order the rows are.
func (p *importPlan) digest() string {
	slices.SortFunc(p.hashes, bytes.Compare)
	sum := sha256.New()
	fmt.Fprintf(sum, "%s %v %d\n", p.source.Name, p.in.Partial, len(p.hashes))
	for _, h := range p.hashes {
		sum.Write(h)
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

// absent finds those whom a full set does not name and who are not disabled yet.
func (p *importPlan) absent(tx *store.Tx) error {
	var ids []string
	for at, k := range p.there {
		if _, in := p.claimed[at]; !in {
			ids = append(ids, k.ID)
		}
	}
	for chunk := range slices.Chunk(ids, importChunk) {
		held, err := tx.UsersHeld(p.source.Name, p.user, chunk)
		if err != nil {
			return err
		}
		for _, id := range chunk {
			h, ok := held[id]
			if !ok || h.Resource.Attrs["active"] == false {
				continue
			}
			p.disabled = append(p.disabled, plannedUser{id, h.Resource.Meta.Version})
			after := disabled(h.Resource.Attrs)
			key, _ := h.Resource.Attrs[p.shape.keyAttribute()].(string)
			p.note(ImportItem{Action: ImportDisable, Key: key, ID: id, Fields: changedAttributes(p.user, h.Resource.Attrs, after, "")}, after)
		}
	}
	return nil
}

// disabled is a user who is not active any more.
func disabled(attrs map[string]any) map[string]any {
	out := maps.Clone(attrs)
	out["active"] = false
	return out
}
