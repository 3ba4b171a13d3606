package console

import (
	"encoding/csv"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"stockbridge/internal/signin"
)

// TestWorkbooks: the XLSX files of a check and of Activity, read back, have the lines of the CSV files; what is a text
// there is one, whatever it looks like, and what is a number can be reckoned with.
func TestWorkbooks(t *testing.T) {
	h := open(t)
	acc, id, path, token := h.supplier("Aroha Foods")
	for _, reference := range []string{"=1+1", "+64 21 555 123", "0624", "-1", "@A1", "PO-7"} {
		h.approve(acc, path, `{"reference":"`+reference+`"}`)
	}
	h.approve(acc, path, unknownProduct)
	h.do("POST", path+"/completeness", token, nil).is(202)
	h.work()
	ana := h.signIn("Ana", signin.Viewer, id)
	page := "/t/" + id
	for _, c := range []struct {
		page, api, sheet string
		numbers          []string
	}{
		{page + "/completeness", path + "/completeness", "Completeness",
			[]string{"orderTotal", "saleTotal", "difference", "shipments"}},
		{page + "/activity", path + "/events", "Activity", []string{"count"}},
	} {
		body := ana.get(c.page).Body.String()
		has(t, body, `href="`+c.page+`.xlsx`, `href="`+c.page+`.csv`)
		w := ana.get(c.page + ".xlsx")
		if got := w.Header().Get("Content-Disposition"); w.Code != http.StatusOK || !strings.HasSuffix(got, `.xlsx"`) {
			t.Fatalf("%s: %d %s %s", c.page, w.Code, got, w.Body)
		}
		f, err := excelize.OpenReader(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := f.GetRows(c.sheet)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := csv.NewReader(ana.get(c.page + ".csv").Body).ReadAll()
		if err != nil || len(lines) != len(rows) || len(lines) < 7 {
			t.Fatalf("%s: %d lines, %d rows, %v", c.page, len(lines), len(rows), err)
		}
		for i, line := range lines {
			for j, cell := range line {
				at, _ := excelize.CoordinatesToCellName(j+1, i+1)
				kind, _ := f.GetCellType(c.sheet, at)
				got := ""
				if j < len(rows[i]) {
					got = rows[i][j]
				}
				number := i > 0 && slices.Contains(c.numbers, lines[0][j])
				if number != (kind == excelize.CellTypeUnset || kind == excelize.CellTypeNumber) && cell != "" {
					t.Errorf("%s %s: %q is of type %v", c.page, at, cell, kind)
				}
				if want := strings.TrimPrefix(cell, "'"); got != want {
					t.Errorf("%s %s: %q, want %q", c.page, at, got, want)
				}
			}
		}
		if a := h.do("GET", c.api+".xlsx", token, nil).is(200); a.header.Get("Content-Type") !=
			"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" {
			t.Errorf("%s: %v", c.api, a.header)
		}
		h.do("GET", c.api+".xlsx?colour=red", token, nil).is(400)
		f.Close()
	}
	h.opened(func(d *Deps) { d.Workbook = nil })
	h.do("GET", path+"/events.xlsx", token, nil).is(501)
	hasNot(t, ana.get(page+"/activity").Body.String()+ana.get(page+"/completeness").Body.String(), ".xlsx")
}
