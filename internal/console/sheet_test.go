package console

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"stockbridge/internal/signin"
	"stockbridge/internal/testsize"
	"stockbridge/internal/workbook"
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

// TestCells: a text of a CSV file that a spreadsheet would take for a formula has one apostrophe in front, whatever is
// not seen before it, and is itself again when that is taken away. All else stays as it is.
func TestCells(t *testing.T) {
	for _, s := range []string{
		"=1+1", "+64 21 555 123", "-1", "@A1", "\t=1", "\r", " =1", "\u00a0\u200b=1", "\ufeff=1", "\u00ad@x",
		"\u3164+1", "\uFF1D1", "\uFF0B1", "\uFF0D1", "\uFF201", "\u22121", "\n =1",
	} {
		if got := cell(s); got != "'"+s {
			t.Errorf("%q becomes %q", s, got)
		}
	}
	for _, s := range []string{"", "0624", "Kōwhai", "a=1", "'=1", " x", "\u200bx", "\n", "1-2", "\u20131"} {
		if got := cell(s); got != s {
			t.Errorf("%q becomes %q", s, got)
		}
	}
}

// TestLargeSheet: a file of 50,000 lines fits into an answer: as XLSX, and as CSV for whoever reads what is compressed.
// Whoever does not is told so, in an answer that is not.
func TestLargeSheet(t *testing.T) {
	testsize.Unraced(t)
	send := func(path, accept string) (*httptest.ResponseRecorder, error) {
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("Accept-Encoding", accept)
		w := httptest.NewRecorder()
		s, err := (&api{Deps: Deps{Workbook: workbook.Write}}).newSheet(r, "Customers", nil, "name", "email", "why")
		if err != nil {
			t.Fatal(err)
		}
		s.marked = true
		for i := range 50_000 {
			n := strconv.Itoa(i)
			if err := s.line("Kōwhai Fashion House "+n, "buyer"+n+"@example.com",
				"It has no country, which JOOR needs. Add it in Cin7 Omni: customer "+n); err != nil {
				t.Fatal(err)
			}
		}
		return w, s.send(w, r, "customers")
	}
	begun := time.Now()
	w, err := send("/customers.xlsx", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("50,000 rows as XLSX: %v, %d KB", time.Since(begun).Round(time.Millisecond), w.Body.Len()>>10)
	if !strings.Contains(unzipped(t, w.Body.Bytes(), "xl/worksheets/sheet1.xml"), "buyer49999@example.com") {
		t.Error("the last row is not there")
	}
	if w, err = send("/customers.csv", "br, gzip"); err != nil || w.Header().Get("Content-Encoding") != "gzip" {
		t.Fatalf("%v: %v", err, w.Header())
	}
	z, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(z)
	if err != nil || !strings.HasPrefix(string(body), "\uFEFFname,email,why\r\n") ||
		strings.Count(string(body), "\n") != 50_001 {
		t.Errorf("%v, %d bytes that begin with %q", err, len(body), body[:30])
	}
	if w, err = send("/customers.csv", "br"); err == nil || w.Header().Get("Content-Encoding") != "" ||
		w.Header().Get("Content-Disposition") != "" {
		t.Errorf("who cannot read it: %v, %v", err, w.Header())
	}
}

// unzipped is a file of an archive.
func unzipped(t *testing.T, archive []byte, name string) string {
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	f, err := z.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	body, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
