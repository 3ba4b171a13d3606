// Package vendor is what is the same for every vendor whose systems tenants connect: what a person types in, the trial
// of a key, connecting and disconnecting, and secrets that cannot be opened any more.
//
// # Words
//
//	vendor       a row of the table of vendors (Vendor): whose systems can be connected, and what differs between them
//	field        one thing that a person types in to connect a system (Field), as its token
//	credentials  all that a person typed in (Credentials)
//	account      what the vendor says of the account that a key is of (Account)
//	trial        the question to the vendor whether a key is right. It is bounded, see below
//	change       a connection that is made, changed or taken away (Change)
//	holder       a tenant that has an account connected; any other one is a stranger to it
//	pair         the business between two vendors (Pair): it adds its own to a change
//
// # How it is used
//
// A process that composes the parts makes the rows, as it makes the clients anyway, and joins the pairs to them:
//
//	vendors := vendor.New(vendor.Deps{…}, vendor.Vendor{
//		System: acme, Base: "https://api.acme.example", Budget: …,
//		Fields: []vendor.Field{{Name: "token", Is: vendor.Key}},
//		Try: func(ctx context.Context, c tenant.Connection, s tenant.Secrets) (vendor.Account, error) {
//			me, err := client(c, s).Me(ctx)
//			return vendor.Account{ID: me.ID, Name: me.Name}, err
//		},
//	}, …)
//	vendors.Join(pair, …)
//
// [Vendors.Connect] then tests what a person typed in and saves it; an error says to a person why it was not saved.
// What a pair has to say in the same write (Pair.Connecting), and to do after it (Pair.Connected), it is asked for.
// [Vendors.Disconnect] forgets a connection. Whoever calls with a connection opens its secrets by [Vendors.Secrets],
// which marks it where they cannot be opened any more.
//
// # What it promises
//
// A key is saved only after the vendor has answered with it, and what the vendor answers is stored and shown without
// the key in it, however it is written. What is empty keeps what is stored; what a person pastes is taken without the
// blanks around it.
//
// To try keys is to ask a vendor whether they are right, so nobody does it without end: a tenant has so many trials,
// and much fewer for an account that another tenant has connected. Holders are not limited by what strangers try. All
// tenants together slow each other down for some seconds at most, and stop nobody. A trial spends nothing of the
// account's budget of calls unless it succeeds.
//
// An account that is Exclusive belongs to one tenant at a time. A webhook's address stays while its connection does.
package vendor
