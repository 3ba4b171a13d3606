package completeness

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"
)

// TestStoredNames: a check that an earlier version left under way, and a period that it was asked for, are read as they
// were written, and written so again.
func TestStoredNames(t *testing.T) {
	for _, c := range []struct {
		into any
		data string
	}{
		{new(check), `{"span":{"from":"2026-11-01T00:00:00Z","to":"2026-11-02T00:00:00Z"},
			"asked":"2026-11-20T11:00:00Z",
			"result":{"from":"2026-11-01T00:00:00Z","to":"2026-11-02T00:00:00Z","started":"2026-11-20T11:00:01Z",
				"counts":{"approved":2,"sold":1,"shipped":1,"partlyShipped":0,"cancelled":0,"underWay":0,"missing":1,
					"upstockCalls":3,"cin7Calls":2},
				"differences":[{"code":"missing","message":"m","fix":"f","order":"12","number":"UP-12"}],
				"found":1,"rows":["n#3"],"accounts":"7|core"},
			"until":"2026-11-02T00:00:00Z","first":"2026-10-31T00:00:00Z","accounts":"7|core","phase":"compare",
			"after":"a","turns":"AAAAAAAAAAE=","orders":["n#0"],"listed":2,
			"page":4,"passes":2,"pages":3,"fresh":true,"salesAt":"2026-11-20T11:00:02Z","sales":["n#1","n#2"],
			"compared":1,"doubts":1,"kicked":true,"failures":1}`},
		{new(asked), `{"spans":[{"at":"2026-11-20T11:00:00Z"},
			{"from":"2026-11-01T00:00:00Z","to":"2026-11-02T00:00:00Z","at":"2026-11-20T11:00:00Z"}]}`},
		{new(orderRow), `{"id":"12","n":"UP-12","r":"PO","a":"2026-11-01T10:00:00Z","s":"processing","t":"57.50",
			"c":"NZD","e":"SO-1","k":true}`},
		{new(saleRow), `{"o":"12","i":"s1","n":"SO-1","s":"ORDERED","h":"SHIPPED","t":"NZP1",
			"u":"2026-11-01T12:00:00Z","g":true}`},
	} {
		if err := json.Unmarshal([]byte(c.data), c.into); err != nil {
			t.Fatalf("%T: %v", c.into, err)
		}
		var want bytes.Buffer
		if err := json.Compact(&want, []byte(c.data)); err != nil {
			t.Fatal(err)
		}
		got, err := json.Marshal(c.into)
		if err != nil || string(got) != want.String() {
			t.Errorf("%T: %s, want %s: %v", c.into, got, &want, err)
		}
	}
}

// TestPlaces: an order that was read by itself and shows a later approval keeps its place. A check that breaks off
// after it goes on behind it, and so leaves none out and compares none twice.
func TestPlaces(t *testing.T) {
	lists := []orderRow{
		{ID: "14", Approved: before(time.Hour)}, {ID: "12", Approved: before(3 * time.Hour)},
		{ID: "13", Approved: before(2 * time.Hour)},
	}
	again := orderRow{ID: "12", Approved: noon, Checked: true}
	open := func(rows ...orderRow) *checking {
		k := &checking{at: map[string]int{}}
		for _, o := range rows {
			k.addOrder(o)
		}
		k.arrange()
		return k
	}
	k := open(lists...)
	k.addOrder(again)
	for _, k := range []*checking{k, open(append(lists, again)...)} {
		places := ""
		for _, o := range k.orders {
			places += " " + o.ID
		}
		if places != " 12 13 14" || !k.orders[0].Checked || !k.orders[0].Approved.Equal(noon) {
			t.Errorf("%s, %+v", places, k.orders[0])
		}
	}
}
