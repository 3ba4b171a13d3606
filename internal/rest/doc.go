// Package rest is the JSON-over-HTTP conversation that all vendors' clients share: signing, the limiter, what became of
// a call, typed errors, and a forgiving reading of answers.
//
// A vendor's client holds one *Client and calls Do. Every call has an Outcome, which is all that a caller may rely on:
//
//	Done     err == nil
//	Refused  nothing happened over there: never written, or an answer that says so
//	Unknown  written, and no believable answer came back: look before doing it again
//
// A Kind says why, in terms that all vendors share (Throttled, Unauthorized, Invalid, Unavailable and others), so that
// a caller need not read a status or a text:
//
//	sale, err := client.CreateSale(ctx, header)
//	switch {
//	case err == nil:
//	case rest.OutcomeOf(err) == rest.Unknown:    // it may exist: look
//	case rest.KindOf(err) == rest.Invalid:       // a person must act: show rest.MessagesOf(err)
//	}
//
// The context carries what one job wants of its calls: a grant taken beforehand (Reserve), a last check by wall clock
// just before writing (WithGuard), and a flight recorder (WithRecorder).
//
// # What a client brings
//
// Its address, how a request is signed, its Routes (any other call is a mistake and is never sent), how its errors
// read, and the secrets that must not be seen (Hide).
//
// # What it promises
//
// A request is written once at most; only a GET is ever sent again, and only if a reused connection had gone bad.
// Redirects are not followed. Neither an error nor a recorded exchange holds a secret. An answer that is not the
// documented JSON is Unknown, never Done. A field that cannot be read does not keep the others from being read
// (Unmarshal).
package rest
