package table_test

import (
	"bytes"
	"testing"

	"stockbridge/internal/table"
)

// TestMeter: what DynamoDB's price list counts. An item of a read counts in steps of 4 KB, one that is not there as
// one; what a query returns counts as a whole; a read of an index half. Of a write each KB counts, in a transaction
// twice, and each index entry that is made or removed.
func TestMeter(t *testing.T) {
	store, err := table.Open("", table.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	m := &table.Meter{Table: store}
	item := func(sk string, bytesOf int) table.Item {
		return table.Item{Key: table.Key{PK: "p", SK: sk}, Data: bytes.Repeat([]byte("x"), bytesOf)}
	}
	units, reads := int64(0), 0.0
	costs := func(what string, err error, write int64, read float64) {
		t.Helper()
		now, _ := m.Units()
		if err != nil || now-units != write || m.ReadUnits()-reads != read {
			t.Errorf("%s: %d write and %.1f read units, %v", what, now-units, m.ReadUnits()-reads, err)
		}
		units, reads = now, m.ReadUnits()
	}
	indexed := item("b", 100)
	indexed.Index, indexed.Sort = "due", "1"
	costs("a large item", m.Write(t.Context(), table.Create(item("a", 5000))), 5, 0)
	costs("an item of an index", m.Write(t.Context(), table.Create(indexed)), 2, 0)
	costs("two at once", m.Write(t.Context(), table.Create(item("c", 10)), table.Create(item("d", 2000))), 6, 0)
	_, err = m.Get(t.Context(), item("a", 0).Key, item("b", 0).Key, item("none", 0).Key)
	costs("three reads", err, 0, 4)
	_, err = m.Query(t.Context(), table.Query{PK: "p"})
	costs("a query", err, 0, 2)
	_, err = m.Query(t.Context(), table.Query{PK: "nothing"})
	costs("a query that finds nothing", err, 0, 1)
	_, err = m.List(t.Context(), table.Query{PK: "due"})
	costs("an index", err, 0, 0.5)
}
