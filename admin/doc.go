// Package admin is for operators: the JSON API and the console over it. It decides
// how state is shown and who may ask for what; it reads the store and has the hub
// write. It refuses to know what a rule means and never talks to a target.
package admin
