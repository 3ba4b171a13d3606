// Package alert tells a tenant's people, by e-mail or at an HTTPS address, when something needs them, and once more
// when it is over.
//
// # Words
//
//	matter     one thing that is wrong, grouped by its cause: four orders that wait for one product are one matter
//	setup      whom a tenant wants to be told, and how often (Setup)
//	channel    one way to tell: Mail or Hook. Each knows for itself what it has told (Channel)
//	message    what is sent at once: the new matters, those that are over, and those that are still open
//	look       what is wrong now is compared with what a channel was told (Teller.Look)
//	recipient  one who is to be told by e-mail; confirmed once the link of a question was followed (Recipient)
//	question   an e-mail that asks a recipient whether to be told
//
// # How it is used
//
// Store keeps the setup and what was told. The console changes the setup; the job (Kind) looks. Its schedule goes
// through the tenants who have alerts, and no others, for they alone are in a sparse index; one who has none costs
// nothing. A look that leaves all as it was, and when to look next, writes nothing, unless the queue is behind: then it
// answers the messages before it. What is wrong the pairs know (Teller.Wrong); that a connection needs a new key is
// known here.
//
// Teller is linked into the function that sends and into no other: Kind has a Run that refuses, and job.Runner.With
// puts Teller.Look in its place.
//
// # What it promises
//
// A matter is told once, and that it is over is told once, however often and by however many a look is taken. Before a
// message is sent it is written down, on the condition that nobody else wrote meanwhile; after that, what came of it.
// So a message of which the answer was lost, or whose sender died, is sent again with the same id and the same body,
// and one that was not taken is sent again later, with longer and longer waits. That is at least once: a receiver knows
// a repeated message by its id. A matter is over when two looks some minutes apart do not find it, as an order that is
// tried again is nobody's for a moment.
//
// A channel that does not work holds up neither the other one nor other tenants: a call has ten seconds, and what came
// of it is shown to the tenant. Sentences about it never quote the answer.
//
// Nobody gets an alert by e-mail who has not confirmed the address: by a link that was sent there, of which the table
// keeps a hash alone, which counts once and for three days. Whoever was stored as a recipient before that was asked for
// is asked like the others. An address gets at most three questions a day from a tenant, and all addresses twenty.
//
// An address of a tenant's is called over HTTPS at port 443 alone, without redirects and without a proxy, and only
// where the very address that is dialled is one of the public internet (Guard). What is sent there is signed as
// Standard Webhooks say, with a secret that is shown once and sealed. A secret that was replaced signs beside the new
// one for a day.
//
// # Keys
//
//	T#<tenant>#alerts  alerts   the setup, and what was told (Alerts); in the index ALERTS by its next look
package alert
