package upstockcin7_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"stockbridge/internal/table"
)

// TestWriteUnits holds what an order costs in storage on DynamoDB, from the
// webhook to Upstock's being told, the limiter included, and what lists and
// search cost beside.
func TestWriteUnits(t *testing.T) {
	b := prepare(t)
	for _, c := range []struct {
		lines int
		most  int64
	}{{3, 24}, {100, 40}} {
		bubble(t, func() {
			w := newWorld(t, b, filepath.Join(t.TempDir(), "units.db"))
			defer w.close()
			w.register()
			w.meter.Table, w.meter.Apart = w.store, func(k table.Key) bool { return strings.HasSuffix(k.PK, "#find") }
			var lines []any
			for i := range c.lines {
				lines = append(lines, map[string]any{"sku": []string{"KWK-100", "SLT-FLK", "CHT-TOM", "JAM-BOY",
					"CHC-72", "OAT-RLD", "HNY-CLV"}[i%7], "quantity": fmt.Sprint(1 + i%7),
					"unitPrice": fmt.Sprintf("%d.%02d", 3+i%9, i),
					"comment":   fmt.Sprintf("shelf %d, bay %c", i, 'A'+i%26)})
			}
			order, err := json.Marshal(map[string]any{"lines": lines, "reference": "PO-40566"})
			if err != nil {
				t.Fatal(err)
			}
			id := w.approve(string(order))
			w.settle(id, horizon)
			if v := w.verdict(id); v != "" {
				t.Fatal(v)
			}
			got, lists := w.meter.Units()
			t.Logf("%d lines: %d write units, and %d for lists and search", c.lines, got, lists)
			if got > c.most || lists > 10 || lists == 0 {
				t.Errorf("an order of %d lines costs %d write units, over %d, or %d for lists and search", c.lines, got,
					c.most, lists)
			}
		})
	}
}
