// Package signin knows who sits at the console: people sign in at an OpenID Connect issuer, and the table keeps their
// sessions.
//
// # Words
//
//	Issuer    who manages people and their passwords: Cognito on AWS, the runner's own on a laptop, or any by Config
//	Person    who has signed in: name, Role and tenants, as the issuer's claims say
//	Role      Operator (all tenants), Admin (changes its tenants), Viewer (reads its tenants)
//	Session   a Person in one browser, from signing in to signing out, twelve hours at most
//	Form      what somebody sent who was signed out by then, ten minutes at most
//	Visit     one attempt to sign in, from leaving for the issuer to coming back, ten minutes at most
//
// # How a person signs in
//
// [Desk.Begin] stores a visit and sends the browser to the issuer with its state, its nonce and the challenge of its
// PKCE verifier. The issuer sends the browser back to [Desk.Callback] with a code, which is exchanged for an ID token;
// the token is verified, its nonce is the visit's, and its claims become the session. [Desk.Person] tells every page
// whose request it answers. [Desk.End] removes the session; the issuer's own session, if it keeps one, stays until
// people sign out there too, at [Desk.SignOutAt]. [Desk.People] lists who has signed in. [Desk.Keep] keeps
// what a person typed into a form whose session is over, [Desk.Kept] gives it back after signing in.
//
// # What it promises
//
// The cookies of sessions, visits and forms hold a random value and nothing else, and the table is keyed by its hash:
// there is nothing in them to read or to alter, and a copy of the table opens no session and no form. A session ends on
// the server, by signing out or by its time. A visit works once, in the browser that began it, so that nobody can be
// signed in as somebody else by a link. Only addresses of the console itself are returned to.
//
// A fourth cookie is a hash of who signed in last. It opens nothing: a form is given back to that person alone.
// Strangers can send forms too. There is room for 1,024, and one more takes the place of another.
//
// # Keys
//
//	SESSION#<sha256 of the cookie>  session  Person, and when it ends
//	VISIT#<sha256 of the cookie>    visit    state, nonce, verifier, and where to go afterwards
//	FORM#<place>                    form     sealed under a key that only the cookie leads to
//	PEOPLE#<tenant>                 <sha256 of the subject>  Person: who has signed in that may see the tenant, and
//	                                when last; those who may see all tenants stand under the tenant ""
//
// # Claims
//
// stockbridge_role is operator, admin or viewer; stockbridge_tenants is a list of tenants' ids, as an array or with
// commas between. Cognito puts "custom:" before both. A person whose role is missing or unknown is turned away.
package signin
