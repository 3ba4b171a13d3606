// Package rest is the JSON-over-HTTP conversation that every vendor's client shares: signing, the limiter, what became of a
// call, errors as types, and a forgiving reading of answers.
//
// A vendor's client holds one *Client and calls Do. Every call has an Outcome, which is all that a caller may build upon:
//
//	Done     err == nil
//	Refused  nothing happened over there: never written, or an answer that says so
//	Unknown  written, and no believable answer came back: look before doing it again
//
// The context carries what one job wants of its calls: a grant taken beforehand (Reserve), a last check by wall clock just
// before writing (WithGuard), and a flight recorder (WithRecorder).
package rest
