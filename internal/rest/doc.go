// Package rest is the JSON-over-HTTP conversation that every vendor's client shares: signing, the limiter, what became
// of a call, errors as types, and a forgiving reading of answers.
//
// A vendor's client holds one *Client and calls Do. Every call has an Outcome, which is all that a caller may build
// upon:
//
//	Done     err == nil
//	Refused  nothing happened over there: never written, or an answer that says so
//	Unknown  written, and no believable answer came back: look before doing it again
//
// A Kind says why, in words that all vendors share (Throttled, Unauthorized, Invalid, Unavailable and others), so that
// a caller reads no status and no text:
//
//	sale, err := client.CreateSale(ctx, header)
//	switch {
//	case err == nil:
//	case rest.OutcomeOf(err) == rest.Unknown:    // it may exist: look
//	case rest.KindOf(err) == rest.Invalid:       // rest.MessagesOf(err) is what the vendor says, for a person
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
// A write is written once at most: only a GET is ever sent again, and only where a kept connection had gone bad.
// Redirects are not followed. Neither an error nor an exchange that is recorded holds a secret. An answer that is not
// the documented JSON is Unknown, never Done; a field of it that makes no sense is left out, as far as the client's
// type says it may be (Unmarshal), and never takes the others with it.
package rest
