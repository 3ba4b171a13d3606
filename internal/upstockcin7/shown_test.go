package upstockcin7

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/upstockcin7/order"
)

// TestWhatToDo: what a reading of a sold order's sale asks for.
func TestWhatToDo(t *testing.T) {
	seen := time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)
	fulfilled := []cin7core.Fulfilment{{TaskID: "t"}}
	told := []order.Parcel{{ID: "p"}}
	shipped := order.ListedAs("SHIPPED", "")
	for _, c := range []struct {
		name string
		run  order.Order
		is   shown
		want deed
	}{
		{name: "not shipped", is: shown{sale: cin7core.Sale{CombinedShippingStatus: "NOT SHIPPED"}}, want: tellIt},
		{name: "gone", run: order.Order{Parcels: told, Void: true}, is: shown{gone: true}, want: tellIt},
		{name: "older than the list, and says less", run: order.Order{Seen: seen, Listed: shipped},
			is: shown{sale: cin7core.Sale{LastModifiedOn: seen.Add(-time.Second)}}, want: readAgain},
		{name: "older than the list, and says the same", run: order.Order{Seen: seen, Listed: shipped},
			is: shown{sale: cin7core.Sale{LastModifiedOn: seen.Add(-time.Second), CombinedShippingStatus: "SHIPPED",
				Fulfilments: fulfilled}}, want: tellIt},
		{name: "as new as the list, and says less", run: order.Order{Seen: seen, Listed: shipped},
			is: shown{sale: cin7core.Sale{LastModifiedOn: seen, CombinedShippingStatus: "NOT SHIPPED"}}, want: tellIt},
		{name: "older than what was heard, which no list said", run: order.Order{Seen: seen},
			is: shown{sale: cin7core.Sale{LastModifiedOn: seen.Add(-time.Second)}}, want: tellIt},
		{name: "older than the list, read often", run: order.Order{Seen: seen, Listed: shipped, Stale: staleReadings},
			is: shown{sale: cin7core.Sale{LastModifiedOn: seen.Add(-time.Second),
				CombinedShippingStatus: "NOT SHIPPED"}},
			want: tellIt},
		{name: "silent on a parcel that was told", run: order.Order{Parcels: told}, is: shown{}, want: believeNothing},
		{name: "silent on what the list showed", run: order.Order{Listed: shipped, Seen: seen},
			is: shown{sale: cin7core.Sale{LastModifiedOn: seen}}, want: believeNothing},
		{name: "says that a parcel that was told is none", run: order.Order{Parcels: told},
			is: shown{sale: cin7core.Sale{CombinedShippingStatus: "NOT SHIPPED"}}, want: tellIt},
		{name: "voided, with a parcel that was told", run: order.Order{Parcels: told},
			is: shown{sale: cin7core.Sale{Status: "VOIDED"}}, want: tellIt},
		{name: "a parcel that was told is gone already",
			run: order.Order{Parcels: []order.Parcel{{ID: "p", Gone: true}}}, is: shown{}, want: tellIt},
		{name: "cancelled", run: order.Order{Void: true}, is: shown{}, want: voidIt},
		{name: "cancelled, and silent on a parcel", run: order.Order{Void: true, Parcels: told},
			is: shown{}, want: believeNothing},
	} {
		if got := whatToDo(&c.run, c.is); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

// TestParcelChanges: what is told of the parcels found, by what Upstock knows, where it takes all but some.
func TestParcelChanges(t *testing.T) {
	at := time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)
	parcel := func(id string, change ...func(*order.Parcel)) order.Parcel {
		p := order.Parcel{ID: id, Label: "Box " + id, At: at, Carrier: "Post"}
		for _, f := range change {
			f(&p)
		}
		return p
	}
	// known is a parcel as it was told.
	known := func(id string, change ...func(*order.Parcel)) order.Parcel {
		p := parcel(id, change...)
		p.Hash = hashOf(p)
		return p
	}
	whole := func(p *order.Parcel) { p.Complete = true }
	gone := func(p *order.Parcel) { p.Gone = true }
	noted := func(p *order.Parcel) { p.Gone, p.Known = true, true }
	refused := func(p *order.Parcel) { p.Refused = "no" }
	byTruck := func(p *order.Parcel) { p.Carrier = "Truck" }
	for _, c := range []struct {
		name    string
		known   []order.Parcel
		found   order.Found
		refuses string // the parcel that Upstock refuses when it is told
		told    string
		want    []order.Parcel
	}{
		{name: "nothing"},
		{name: "the first of two", found: order.Found{Parcels: []order.Parcel{parcel("a")}},
			told: "a", want: []order.Parcel{known("a")}},
		{name: "the second, and all", known: []order.Parcel{known("a")},
			found: order.Found{Whole: true, Parcels: []order.Parcel{parcel("a"), parcel("b")}},
			told:  "b", want: []order.Parcel{known("a"), known("b", whole)}},
		{name: "all is known", known: []order.Parcel{known("a"), known("b", whole)},
			found: order.Found{Whole: true, Parcels: []order.Parcel{parcel("a"), parcel("b")}},
			want:  []order.Parcel{known("a"), known("b", whole)}},
		{name: "nothing new, but that all is shipped", known: []order.Parcel{known("a")},
			found: order.Found{Whole: true, Parcels: []order.Parcel{parcel("a")}},
			told:  "a", want: []order.Parcel{known("a", whole)}},
		{name: "another carrier", known: []order.Parcel{known("a")},
			found: order.Found{Parcels: []order.Parcel{parcel("a", byTruck)}},
			told:  "a", want: []order.Parcel{known("a", byTruck)}},
		{name: "one is gone", known: []order.Parcel{known("a"), known("b")},
			found: order.Found{Parcels: []order.Parcel{parcel("b")}},
			want:  []order.Parcel{known("b"), known("a", gone)}},
		{name: "it was gone before", known: []order.Parcel{known("a", noted)}, want: []order.Parcel{known("a", noted)}},
		{name: "it is there again", known: []order.Parcel{known("a", noted)},
			found: order.Found{Parcels: []order.Parcel{parcel("a")}},
			want:  []order.Parcel{known("a")}},
		{name: "one is refused, so that all is not said to be shipped",
			found:   order.Found{Whole: true, Parcels: []order.Parcel{parcel("a"), parcel("b")}},
			refuses: "a", told: "ab", want: []order.Parcel{known("a", refused), known("b")}},
		{name: "one was refused before", known: []order.Parcel{known("a", refused), known("b")},
			found: order.Found{Whole: true, Parcels: []order.Parcel{parcel("a"), parcel("b")}},
			want:  []order.Parcel{known("a", refused), known("b")}},
		{name: "all was said to be shipped before", known: []order.Parcel{known("a"), known("b", whole)},
			found:   order.Found{Whole: true, Parcels: []order.Parcel{parcel("a", byTruck), parcel("b")}},
			refuses: "a", told: "a", want: []order.Parcel{known("a", byTruck, refused), known("b", whole)}},
		{name: "the last one is refused", found: order.Found{Whole: true, Parcels: []order.Parcel{parcel("a")}},
			refuses: "a", told: "a", want: []order.Parcel{known("a", whole, refused)}},
	} {
		told, no := "", false
		var got []order.Parcel
		for _, change := range parcelChanges(c.known, &c.found) {
			p, tell := change.next(no)
			if tell {
				if told += p.ID; p.ID == c.refuses {
					p.Refused = "no"
				} else {
					p.Refused = ""
				}
			}
			no = no || p.Refused != ""
			got = append(got, p)
		}
		if diff := cmp.Diff(c.want, got); diff != "" || told != c.told {
			t.Errorf("%s: told %q, want %q; the parcels (-want +got):\n%s", c.name, told, c.told, diff)
		}
	}
}
