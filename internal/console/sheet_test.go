package console

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/csv"
	"io"
	"math/rand/v2"
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

// TestLargeSheet: a file of 50,000 customers fits into an answer of a function, which holds 6 MB with what base64 adds:
// as XLSX, and as CSV, which is compressed on its way for whoever unpacks that, and is a compressed file for others.
func TestLargeSheet(t *testing.T) {
	testsize.Unraced(t)
	const lines, most = 50_000, 6_000_000
	send := func(path, accept string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("Accept-Encoding", accept)
		w := httptest.NewRecorder()
		s, err := (&api{Deps: Deps{Workbook: workbook.Write}}).newSheet(r, "Customers", nil, joorColumns...)
		if err != nil {
			t.Fatal(err)
		}
		s.marked = true
		draw := rand.New(rand.NewPCG(7, 7))
		for i := range lines {
			n, word := strconv.Itoa(i), func() string { return strconv.FormatUint(draw.Uint64N(1<<32), 36) }
			if err := s.line(n, "Kōwhai "+word()+" House "+n, word()+" "+word(), word()+"@"+word()+".example.com",
				"0"+n, "leftOut", "It has no country, which JOOR needs.", "2026-12-01", "yes", n, word()); err != nil {
				t.Fatal(err)
			}
		}
		begun := time.Now()
		if err := s.send(w, r, "customers"); err != nil {
			t.Fatal(err)
		}
		size := base64.StdEncoding.EncodedLen(w.Body.Len())
		t.Logf("%s, accepting %q: %v, %d kB of an answer", path, accept, time.Since(begun).Round(time.Millisecond),
			size/1000)
		if size > most {
			t.Errorf("%s, accepting %q: %d bytes", path, accept, size)
		}
		return w
	}
	last := strconv.Itoa(lines - 1)
	w := send("/customers.xlsx", "")
	if !strings.Contains(unzipped(t, w.Body.Bytes(), "xl/worksheets/sheet1.xml"), " House "+last) {
		t.Error("the last row is not there")
	}
	for _, c := range []struct{ accept, encoding, kind, name string }{
		{"br, gzip", "gzip", "text/csv; charset=utf-8", "customers.csv"},
		{"br", "", "application/gzip", "customers.csv.gz"},
	} {
		w := send("/customers.csv", c.accept)
		h := w.Header()
		if h.Get("Content-Encoding") != c.encoding || h.Get("Content-Type") != c.kind ||
			h.Get("Content-Disposition") != `attachment; filename="`+c.name+`"` {
			t.Errorf("%s: %v", c.accept, h)
		}
		z, err := gzip.NewReader(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(z)
		if err != nil || len(body) <= maxSheet || !strings.HasPrefix(string(body), "\uFEFFid,company,") ||
			strings.Count(string(body), "\n") != lines+1 || !strings.Contains(string(body), " House "+last) {
			t.Errorf("%s: %v, %d bytes that begin with %q", c.accept, err, len(body), body[:30])
		}
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
