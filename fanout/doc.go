// Package fanout makes targets hold what policy decided: it compares desired
// with applied accounts (Diff), holds mass removals (Guard), carries the changes
// out over SCIM (Worker) and looks for differences nobody told the hub about
// (Sweep). It is the only code that writes to a target. It refuses to know why
// somebody should have access and how a source said so; it meets the rest of the
// hub only in the store.
package fanout
