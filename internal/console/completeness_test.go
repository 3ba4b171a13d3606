package console

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/upstockcin7"
	"stockbridge/internal/upstockcin7/order"
)

func TestCompletenessAsked(t *testing.T) {
	h := open(t)
	acc := h.sim.AddAccount("Aroha Foods", "NZD")
	id, path, token := h.tenant("Aroha Foods")
	target := path + "/completeness"
	a := h.do("GET", target, token, nil).is(200)
	if a.get("checkedAt") != nil || a.get("counts") != nil || a.get("standing") != true || a.get("running") != false ||
		a.get("summary") != "Not checked yet." {
		t.Error(a.raw)
	}
	if diff := cmp.Diff(map[string]any{"summary": "Not checked yet.", "checked": nil, "missing": nil,
		"differences": nil}, h.do("GET", path+"/health", token, nil).is(200).get("completeness")); diff != "" {
		t.Error(diff)
	}
	h.do("POST", target, token, nil).is(http.StatusConflict)
	h.do("GET", target+".csv", token, nil).is(http.StatusConflict)
	h.do("PUT", path+"/connections/cin7core", token, acc.Cin7Core).is(200)
	h.do("POST", target, token, nil).is(http.StatusConflict)
	h.do("PUT", path+"/connections/upstock", token, map[string]string{"token": acc.Upstock.Token}).is(200)
	h.started = nil

	day := func(n int) string { return time.Now().UTC().AddDate(0, 0, n).Format(time.DateOnly) }
	for _, c := range []struct {
		name, from, to string
		want           int
		fields         []string
	}{
		{"no last day", day(-1), "", 422, []string{"to"}},
		{"no first day", "", day(-1), 422, []string{"from"}},
		{"no days", "yesterday", "2026-11-31", 422, []string{"from", "to"}},
		{"an instant", "2026-11-01T00:00:00Z", day(-1), 422, []string{"from"}},
		{"too early", "0001-01-01", "0001-01-02", 422, []string{"from", "to"}},
		{"ends before it begins", day(-1), day(-2), 422, []string{"to"}},
		{"93 days", day(-93), day(-1), 422, []string{"to"}},
		{"not begun", day(2), day(3), 422, []string{"from"}},
		{"92 days", day(-92), day(-1), 200, nil},
		{"one day", day(-1), day(-1), 200, nil},
		{"into the future", day(-1), day(5), 200, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			h.t = t
			query := "?from=" + c.from + "&to=" + c.to
			a := h.do("GET", target+query, token, nil).is(c.want)
			if diff := cmp.Diff(c.fields, a.fields()); diff != "" {
				t.Error(diff)
			}
			csv := h.do("GET", target+".csv"+query, token, nil)
			if c.want == 200 {
				csv.is(http.StatusConflict) // not checked
				if a.get("from") != c.from || a.get("to") != c.to || a.get("standing") != false {
					t.Error(a.raw)
				}
				c.want = 202
			} else {
				csv.is(c.want)
			}
			a = h.do("POST", target, token, map[string]string{"from": c.from, "to": c.to}).is(c.want)
			if diff := cmp.Diff(c.fields, a.fields()); diff != "" || c.want == 202 && a.get("running") != true {
				t.Error(diff, a.raw)
			}
		})
	}
	h.t = t
	h.do("POST", target, token, `{"from":1}`).is(422)
	h.do("POST", target, token, `{"days":7}`).is(422)
	if diff := cmp.Diff(job.Message{Job: upstockcin7.JobCompleteness, Tenant: id}, h.started[0]); diff != "" {
		t.Error(diff)
	}
	_, other, _ := h.tenant("Kauri Supplies")
	h.do("GET", other+"/completeness", token, nil).is(404)
	h.do("GET", other+"/completeness.csv", token, nil).is(404)
	h.do("POST", other+"/completeness", token, nil).is(404)
}

func TestCompletenessFound(t *testing.T) {
	h := open(t)
	acc := h.sim.AddAccount("Aroha Foods", "NZD")
	id, path, token := h.tenant("Aroha Foods")
	h.do("PUT", path+"/connections/cin7core", token, acc.Cin7Core).is(200)
	h.do("PUT", path+"/connections/upstock", token, map[string]string{"token": acc.Upstock.Token}).is(200)
	at := time.Now().UTC().Truncate(time.Millisecond)
	place := func(more string) (string, string) {
		t.Helper()
		o, err := h.simUpstock.PlaceOrder(acc.Upstock.Supplier,
			fmt.Sprintf(`{"status":"processing","approvedAt":%q,%s}`, at.Format(time.RFC3339Nano), more))
		if err != nil {
			t.Fatal(err)
		}
		at = at.Add(time.Millisecond)
		return fmt.Sprint(o.ID), o.Total
	}
	var ids, totals []string
	for _, reference := range []string{`=HYPERLINK(\"http://example.test\")`, "+64 9 555 0100", "-1", "@SUM(A1)", "＝1",
		"Nō 7, \\\"blue\\\"", "\\t=1"} {
		id, total := place(`"reference":"` + reference + `"`)
		ids, totals = append(ids, id), append(totals, total)
	}
	h.run(order.Order{Run: ledger.Run{Tenant: id, ID: ids[0], State: ledger.Attention, Received: at.Add(-time.Hour),
		Problems: []ledger.Problem{{Code: "unknownSku", Message: "There is no product A1.", Fix: "Add it."}}}})
	h.run(order.Order{Run: ledger.Run{Tenant: id, ID: ids[1], State: order.Shipped}, Total: "10.00",
		SaleID: "5f1e0000-0000-4000-8000-000000000001", SaleNumber: "SO-00001", SaleTotal: "9.00", SoldAt: at,
		Account: "elsewhere", Told: true,
		Parcels: []order.Parcel{{ID: "a", Hash: "1", Label: "Box 1", Tracking: "https://example.test/NZP1"},
			{ID: "b", Hash: "2", Label: "Box 2", Tracking: "=NZP2", Complete: true}, {ID: "c", Refused: "No."},
			{ID: "d", Gone: true}}})
	time.Sleep(time.Until(at) + 10*time.Millisecond)
	first, last := at.AddDate(0, 0, -1).Format(time.DateOnly), at.AddDate(0, 0, 1).Format(time.DateOnly)
	query := "?from=" + first + "&to=" + last
	h.do("POST", path+"/completeness", token, map[string]string{"from": first, "to": last}).is(202)
	if err := h.jobs.Do(t.Context(), job.Message{Job: upstockcin7.JobCompleteness, Tenant: id}); err != nil {
		t.Fatal(err)
	}
	a := h.do("GET", path+"/completeness"+query, token, nil).is(200)
	if a.get("counts.approved") != 7.0 || a.get("counts.sold") != 1.0 || a.get("counts.underWay") != 5.0 ||
		a.get("counts.missing") != 1.0 || a.get("calls.upstock") != 1.0 || a.get("calls.cin7core") != 1.0 ||
		!strings.HasPrefix(fmt.Sprint(a.get("summary")),
			"1 missing, 3 differences, checked just now: 7 orders, approved from ") ||
		a.get("differencesTotal") != 3.0 || a.get("differences.0.code") != "notSold" || a.get("running") != false {
		t.Error(a.raw)
	}
	// due as well
	if a := h.do("GET", path+"/completeness", token, nil).is(200); a.get("standing") != true ||
		a.get("counts.approved") != 7.0 {
		t.Error(a.raw)
	}
	checked := h.do("GET", path+"/completeness", token, nil).get("checkedAt")
	want := map[string]any{"summary": h.do("GET", path+"/completeness", token, nil).get("summary"), "checked": checked,
		"missing": 1.0, "differences": 3.0}
	if diff := cmp.Diff(want, h.do("GET", path+"/health", token, nil).is(200).get("completeness")); diff != "" {
		t.Error(diff)
	}
	// By hand it is checked anew, however short ago it was.
	h.started = nil
	h.do("POST", path+"/sync/completeness", token, nil).is(202)
	h.work()
	if a := h.do("GET", path+"/completeness", token, nil).is(200); a.get("checkedAt") == checked ||
		a.get("running") != false {
		t.Error(a.raw)
	}
	h.do("HEAD", path+"/completeness.csv"+query, token, nil).is(200)
	c := h.do("GET", path+"/completeness.csv"+query, token, nil).is(200)
	if got := c.header.Get("Content-Type"); got != "text/csv; charset=utf-8" {
		t.Error(got)
	}
	if got := c.header.Get("Content-Disposition"); got != `attachment; filename="completeness-`+first+`-`+last+`.csv"` {
		t.Error(got)
	}
	if n := strings.Count(c.raw, "\r\n"); n != 8 || strings.Count(c.raw, "\n") != n {
		t.Errorf("%d lines: %q", n, c.raw)
	}
	lines, err := csv.NewReader(strings.NewReader(c.raw)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		for _, cell := range line {
			if cell != "" && strings.ContainsRune("=+-@\t\r＝＋－＠", []rune(cell)[0]) {
				t.Errorf("a formula: %q", cell)
			}
		}
	}
	var references []string
	for i, line := range lines[1:] {
		references = append(references, line[2])
		if line[0] != ids[i] || line[4] != totals[i] {
			t.Errorf("%q", line)
		}
	}
	if diff := cmp.Diff([]string{`'=HYPERLINK("http://example.test")`, "'+64 9 555 0100", "'-1", "'@SUM(A1)", "'＝1",
		`Nō 7, "blue"`, "' =1"}, references); diff != "" {
		t.Error(diff)
	}
	sold := lines[2]
	if got := slices.Concat(sold[6:9], sold[10:14]); !slices.Equal(got,
		[]string{"shipped", "SO-00001", "9.00", "2", "https://example.test/NZP1, =NZP2", "true",
			"totalDiffers otherAccount"}) || !strings.HasPrefix(sold[9], "'-") ||
		!strings.HasSuffix(sold[9], ".00") && len(sold[9]) < 5 {
		t.Errorf("%q", sold)
	}
	if lines[1][13] != "notSold" || !strings.Contains(lines[1][14], "There is no product A1.") ||
		lines[3][13] != "underWay" {
		t.Errorf("%q", lines)
	}
}

func TestCell(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "plain": "plain", "a=b": "a=b", "=1": "'=1", "+1": "'+1", "-1": "'-1", "@x": "'@x", "\tx": "'\tx",
		"\n=1": "'\n=1", "\rx": "'\rx",
		"＝1": "'＝1", "＋1": "'＋1", "－1": "'－1", "＠x": "'＠x", "'=1": "'=1", "é": "é",
	} {
		if got := cell(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
