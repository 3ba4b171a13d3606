package match

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Fact is a kind of reason.
type Fact string

// The facts for a pair.
const (
	CodeEqual     Fact = "code-equal"
	EmailEqual    Fact = "email-equal" // and no other record's
	EmailLike     Fact = "email-like"
	DomainEqual   Fact = "email-domain-equal"
	CompanyEqual  Fact = "company-equal"
	CompanyLike   Fact = "company-like"
	CompanyPart   Fact = "company-part" // one name has all words of the other
	PersonEqual   Fact = "person-equal"
	PersonLike    Fact = "person-like"
	PhoneEqual    Fact = "phone-equal"
	StreetEqual   Fact = "street-equal"
	StreetLike    Fact = "street-like"
	PostcodeEqual Fact = "postcode-equal"
	CityEqual     Fact = "city-equal"
	CityLike      Fact = "city-like"
)

// The facts against a pair.
const (
	CompanyDiffers  Fact = "company-differs"
	PersonDiffers   Fact = "person-differs"
	EmailDiffers    Fact = "email-differs"
	PhoneDiffers    Fact = "phone-differs"
	StreetDiffers   Fact = "street-differs"
	PostcodeDiffers Fact = "postcode-differs"
	CityDiffers     Fact = "city-differs"
	CountryDiffers  Fact = "country-differs"
	CodeShared      Fact = "code-shared"  // equal, but others have it too, so it decides nothing
	EmailShared     Fact = "email-shared" // likewise
	PhoneShared     Fact = "phone-shared" // likewise
	NameShared      Fact = "name-shared"  // several of one side have the name
	OthersLike      Fact = "others-like"  // another record is about as like
	BackOurs        Fact = "back-ours"    // it was refused, but our record has changed since
	BackTheirs      Fact = "back-theirs"  // it was refused, but their record has changed since
)

// Reason is one thing that speaks for a pair or against it.
type Reason struct {
	Fact   Fact    `json:"fact"`
	Ours   string  `json:"ours,omitempty"`   // what our record has, as it is typed
	Theirs string  `json:"theirs,omitempty"` // what theirs has
	Like   float64 `json:"like,omitempty"`   // how similar two names are, from 0 to 1
}

// Against reports whether a reason speaks against the pair.
func (r Reason) Against() bool {
	switch r.Fact {
	case CodeEqual, EmailEqual, EmailLike, DomainEqual, CompanyEqual, CompanyLike, CompanyPart, PersonEqual, PersonLike,
		PhoneEqual, StreetEqual, StreetLike, PostcodeEqual, CityEqual, CityLike:
		return false
	}
	return true
}

// String is the reason as a sentence for people.
func (r Reason) String() string {
	both := "“" + r.Ours + "” and “" + r.Theirs + "”"
	switch r.Fact {
	case CodeEqual:
		return "The code is the same: " + r.Ours + "."
	case EmailEqual:
		return "The e-mail is the same, and nobody else has it: " + r.Ours + "."
	case EmailLike:
		return "The e-mails differ by one letter: " + both + "."
	case DomainEqual:
		return "The e-mails are of one domain: " + both + "."
	case CompanyEqual:
		return "The name is the same: " + r.Ours + "."
	case CompanyLike:
		return fmt.Sprintf("The names are alike (%.2f): %s.", r.Like, both)
	case CompanyPart:
		return fmt.Sprintf("One name is part of the other (%.2f): %s.", r.Like, both)
	case PersonEqual:
		return "The person is the same: " + r.Ours + "."
	case PersonLike:
		return "The persons' names are alike: " + both + "."
	case PhoneEqual:
		return "The telephone number is the same, and nobody else has it: " + r.Ours + "."
	case StreetEqual:
		return "The street address is the same: " + r.Ours + "."
	case StreetLike:
		return "The street addresses are alike: " + both + "."
	case PostcodeEqual:
		return "The postcode is the same: " + r.Ours + "."
	case CityEqual:
		return "The town is the same: " + r.Ours + "."
	case CityLike:
		return "The towns are alike: " + both + "."
	case CompanyDiffers:
		return fmt.Sprintf("The names differ (%.2f): %s.", r.Like, both)
	case PersonDiffers:
		return "The persons differ: " + both + "."
	case EmailDiffers:
		return "The e-mails differ: " + both + "."
	case PhoneDiffers:
		return "The telephone numbers differ: " + both + "."
	case StreetDiffers:
		return "The street addresses differ: " + both + "."
	case PostcodeDiffers:
		return "The postcodes differ: " + both + "."
	case CityDiffers:
		return "The towns differ: " + both + "."
	case CountryDiffers:
		return "The countries differ: " + both + "."
	case CodeShared:
		return "The code is the same, but others have it too: " + r.Ours + "."
	case EmailShared:
		return "The e-mail is the same, but others have it too: " + r.Ours + "."
	case PhoneShared:
		return "The telephone number is the same, but others have it too: " + r.Ours + "."
	case NameShared:
		return "Others have this name too: " + r.Ours + "."
	case OthersLike:
		return "Another one is about as like."
	case BackOurs:
		return "It was said to be another one, but " + r.Ours + " has changed since."
	case BackTheirs:
		return "It was said to be another one, but " + r.Theirs + " has changed since."
	}
	return string(r.Fact)
}

// reasons are those of a pair, what is for it first.
func (l *Lists) reasons(a, b *prepared, e *evidence) (list []Reason) {
	add := func(v verdict, facts [5]Fact, ours, theirs string) {
		if fact := facts[v]; fact != "" {
			list = append(list, Reason{Fact: fact, Ours: ours, Theirs: theirs})
		}
	}
	ours, theirs := common(a.Codes, b.Codes, realCode)
	add(e.code, [5]Fact{agrees: CodeEqual, shared: CodeShared}, ours, theirs)
	ours, theirs = common(realEmails(a.Emails), realEmails(b.Emails), Key)
	add(e.email, [5]Fact{agrees: EmailEqual, shared: EmailShared, near: EmailLike, differs: EmailDiffers}, ours, theirs)
	if e.domain == agrees {
		list[len(list)-1].Fact = DomainEqual
	}
	l.nameReasons(a, b, e, &list)
	ours, theirs = common(a.Phones, b.Phones, lastDigits)
	add(e.phone, [5]Fact{agrees: PhoneEqual, shared: PhoneShared, differs: PhoneDiffers}, ours, theirs)
	of := func(r *prepared, part func(Address) string) (texts []string) {
		for _, x := range r.Addresses {
			texts = append(texts, part(x))
		}
		return texts
	}
	street := func(x Address) string { return strings.TrimSpace(strings.Join(x.Street, " ")) }
	ours, theirs = common(of(a, street), of(b, street), Words)
	add(e.street, [5]Fact{agrees: StreetEqual, near: StreetLike, differs: StreetDiffers}, ours, theirs)
	postcode := func(x Address) string { return x.Postcode }
	ours, theirs = common(of(a, postcode), of(b, postcode), Code)
	add(e.postcode, [5]Fact{agrees: PostcodeEqual, differs: PostcodeDiffers}, ours, theirs)
	city := func(x Address) string { return x.City }
	ours, theirs = common(of(a, city), of(b, city), Words)
	add(e.city, [5]Fact{agrees: CityEqual, near: CityLike, differs: CityDiffers}, ours, theirs)
	country := func(x Address) string { return x.Country }
	ours, theirs = common(of(a, country), of(b, country), Country)
	add(e.country, [5]Fact{differs: CountryDiffers}, ours, theirs)
	slices.SortStableFunc(list, func(x, y Reason) int {
		rank := func(r Reason) int {
			if r.Against() {
				return 1
			}
			return 0
		}
		return cmp.Compare(rank(x), rank(y))
	})
	return list
}

// called is what a record is called: its company, or its person.
func (p *prepared) called() string {
	return cmp.Or(strings.TrimSpace(p.Company), strings.TrimSpace(p.Person))
}

func (l *Lists) nameReasons(a, b *prepared, e *evidence, list *[]Reason) {
	add := func(c compared, ours, theirs string, facts [6]Fact) {
		if fact := facts[c.how]; fact != "" {
			*list = append(*list, Reason{Fact: fact, Ours: ours, Theirs: theirs, Like: math.Round(100*c.like) / 100})
		}
	}
	add(e.name, a.called(), b.called(), [6]Fact{equal: CompanyEqual, alike: CompanyLike, part: CompanyPart,
		twin: CompanyDiffers, other: CompanyDiffers})
	if e.name.how == equal && e.nameShared {
		*list = append(*list, Reason{Fact: NameShared, Ours: a.called(), Theirs: b.called()})
	}
	add(e.person, strings.TrimSpace(a.Person), strings.TrimSpace(b.Person), [6]Fact{equal: PersonEqual,
		alike: PersonLike, part: PersonLike, twin: PersonDiffers, other: PersonDiffers})
}

// sharedName reports whether several records of a side have the name by which two are equal.
func (l *Lists) sharedName(a, b *prepared, e *evidence) bool {
	x, y := a.names[e.name.as[0]].key, b.names[e.name.as[1]].key
	return l.names.all[x].in[0] > 1 || l.names.all[y].in[1] > 1
}

// common returns texts of two lists that are equal, folded, or else the first of each.
func common(x, y []string, fold func(string) string) (ours, theirs string) {
	for _, s := range x {
		f := fold(s)
		if f == "" {
			continue
		}
		if ours == "" {
			ours = s
		}
		for _, t := range y {
			if fold(t) == f {
				return strings.TrimSpace(s), strings.TrimSpace(t)
			}
		}
	}
	for _, t := range y {
		if fold(t) != "" {
			theirs = t
			break
		}
	}
	return strings.TrimSpace(ours), strings.TrimSpace(theirs)
}
