// Package notify tells programs and people what has happened: signed webhooks and
// e-mails, from the notices that others have written with what they did. It decides who
// wants to know, when, and in which words; it changes nothing but its own deliveries, and
// refuses to know how anything came about.
package notify
