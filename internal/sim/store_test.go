package sim

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/testsize"
)

// wholeOf is all that a Sim keeps, as it is saved.
func wholeOf(t *testing.T, s *Sim) string {
	t.Helper()
	var b bytes.Buffer
	s.mu.Lock()
	defer s.mu.Unlock()
	w := newWriter(&b)
	s.writeWhole(w)
	if w.err != nil {
		t.Fatal(w.err)
	}
	return b.String()
}

// reread is what a process would find that starts after this one was killed.
func reread(t *testing.T, file []byte) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, stateFile), file, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := New(Options{Dir: dir, Deliver: &inbox{statuses: []int{200}}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	return wholeOf(t, s)
}

// TestChangesAreSaved: what is written behind the whole, change by change, amounts to the whole, at each moment; and what a
// stop broke off counts as not written.
func TestChangesAreSaved(t *testing.T) {
	testsize.Large(t)
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		b := newBench(t, Options{Dir: dir, Deliver: &inbox{statuses: []int{200}}, NoLimits: true})
		other := b.AddAccount("Tui Foods", "")
		if _, err := b.RegisterWebhook(b.a.Upstock.Supplier, "http://in.test/hook"); err != nil {
			t.Fatal(err)
		}
		b.register("Sale/ShipmentAuthorised", nil)
		place := func(supplier int) int {
			o, err := b.PlaceOrder(supplier, `{}`)
			if err != nil {
				t.Fatal(err)
			}
			return o.ID
		}
		var sales []string
		var orders []int
		steps := map[string]func(){
			"a: place":   func() { orders = append(orders, place(b.a.Upstock.Supplier)) },
			"b: other's": func() { _, _ = b.Approve(place(other.Upstock.Supplier)) },
			"c: approve": func() { _, _ = b.Approve(orders[0]) },
			"d: sell":    func() { sales = append(sales, b.sell("AUTHORISED")) },
			"e: ship":    func() { b.act(sales[0], "ship", `{"trackingNumber":"T"}`) },
			"f: external": func() {
				b.up("PUT", fmt.Sprintf("/orders/%d/external", orders[0]), obj{"system": "cin7core", "number": "SO-1"}, 200, nil)
			},
			"g: shipment": func() {
				b.up("PUT", fmt.Sprintf("/orders/%d/shipments/x", orders[0]), obj{"shippedAt": "2026-03-02T00:00:00Z", "complete": true}, 200, nil)
			},
			"h: void":     func() { b.core("DELETE", "/sale?ID="+b.sell("DRAFT")+"&Void=true", nil, nil) },
			"i: edit":     func() { _, _ = b.Edit(orders[0], `{"reference":"changed"}`) },
			"j: cancel":   func() { _, _ = b.Cancel(place(b.a.Upstock.Supplier)) },
			"k: copy":     func() { b.act(sales[0], "copy", `{}`) },
			"l: module":   func() { _ = b.setAutomation(other.Upstock.Supplier, false) },
			"m: rotate":   func() { _, _ = b.RotateWebhook(b.a.Upstock.Supplier) },
			"n: account":  func() { b.AddAccount("Kea Traders", "AUD") },
			"o: messages": func() { b.Quiet() },
		}
		time.Sleep(time.Second)
		var files [][]byte
		names := make([]string, 0, len(steps))
		for c := 'a'; c <= 'o'; c++ {
			for name := range steps {
				if rune(name[0]) == c {
					names = append(names, name)
				}
			}
		}
		for _, name := range names {
			steps[name]()
			time.Sleep(time.Second)
			file, err := os.ReadFile(filepath.Join(dir, stateFile))
			if err != nil {
				t.Fatal(err)
			}
			if files = append(files, file); reread(t, file) != wholeOf(t, b.Sim) {
				t.Fatalf("%s: what was saved is not what there is", name)
			}
		}
		// Cut anywhere, the file says what it said after one of the steps.
		cuts := 0
		for i, file := range files[:len(files)-1] {
			next := files[i+1]
			if cuts == 6 || !bytes.HasPrefix(next, file) || bytes.Count(next[len(file):], []byte(`{"changes":`)) != 1 {
				continue
			}
			for _, cut := range []int{len(file) + 1, (len(file) + len(next)) / 2, len(next) - 1} {
				if cuts++; reread(t, next[:cut]) != reread(t, file) {
					t.Errorf("after %s: cut at byte %d of %d, the file says something between", names[i+1], cut-len(file), len(next)-len(file))
				}
			}
		}
		if cuts == 0 {
			t.Error("no step was saved at once")
		}
	})
}

// TestSavingCostsWhatChanged: the bytes that a change writes do not grow with what there is.
func TestSavingCostsWhatChanged(t *testing.T) {
	testsize.Large(t)
	written := func(t *testing.T, accounts, orders int) (n int64) {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, Options{Dir: t.TempDir(), Deliver: &inbox{statuses: []int{200}}, NoLimits: true})
			for range accounts - 1 {
				b.AddAccount("", "")
			}
			for range orders {
				if _, err := b.PlaceOrder(b.a.Upstock.Supplier, `{}`); err != nil {
					t.Fatal(err)
				}
			}
			if err := b.save(); err != nil {
				t.Fatal(err)
			}
			for range 10 {
				o, err := b.PlaceOrder(b.a.Upstock.Supplier, `{}`)
				if err == nil {
					_, err = b.Approve(o.ID)
				}
				if err != nil {
					t.Fatal(err)
				}
				b.sell("AUTHORISED")
				time.Sleep(time.Second)
			}
			b.mu.Lock()
			n = b.appended
			b.mu.Unlock()
		})
		return n
	}
	few, many, crowd := written(t, 1, 1), written(t, 1, 3000), written(t, 128, 1)
	t.Logf("ten orders write %d bytes; beside 3,000 others %d; beside 127 other accounts %d", few, many, crowd)
	if few == 0 || many > few+few/10 || crowd > few+few/10 {
		t.Errorf("ten orders write %d bytes; beside 3,000 others %d; beside 127 other accounts %d", few, many, crowd)
	}
}
