package workbook_test

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"stockbridge/internal/testsize"
	"stockbridge/internal/workbook"
)

// TestWrite reads a file back: every text is the text that it was, and is typed as one, and every number a number.
func TestWrite(t *testing.T) {
	texts := []string{"+64 21 555 123", "=1+1", "-1+1", "@SUM(A1)", "0624", "1e5", "12", "TRUE", "2026-01-05", "\t=1",
		" both ends ", "two\nlines", `<b>&"'</b>`, "Tūī Bakery – ½ price", "\u202eabc", strings.Repeat("é", 2000),
		"_x0041_", "_x005F_x0041_", "__x0041_x0042_", "a\rb\r\n"}
	rows := [][]any{{"what", "is", "number"}}
	for _, text := range texts {
		rows = append(rows, []any{text, "", 12.5})
	}
	rows = append(rows, []any{"", "x", -0.01}, []any{"three", 7, 1234567.89})
	var out bytes.Buffer
	if err := workbook.Write(&out, "Orders", rows); err != nil {
		t.Fatal(err)
	}
	f, err := excelize.OpenReader(bytes.NewReader(out.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := f.GetRows("Orders", excelize.Options{RawCellValue: true})
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range texts {
		if d := cmp.Diff([]string{text, "", "12.5"}, got[i+1]); d != "" {
			t.Errorf("%q: %s", text, d)
		}
	}
	if d := cmp.Diff([]string{"what", "is", "number"}, got[0]); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([][]string{{"", "x", "-0.01"}, {"three", "7", "1234567.89"}}, got[len(texts)+1:]); d != "" {
		t.Error(d)
	}
	if shown, err := f.GetCellValue("Orders", fmt.Sprint("C", len(rows)-2)); err != nil || shown != "12.50" {
		t.Errorf("an amount is shown as %q, %v", shown, err)
	}
	// As it stands in the file: each text is one by its type, and nothing is a formula.
	xml := sheetXML(t, out.Bytes())
	if n := strings.Count(xml, `t="inlineStr"`); n != len(texts)+len(rows[0])+2 || strings.Contains(xml, "<f>") ||
		!strings.Contains(xml, `<t>0624</t>`) || !strings.Contains(xml, `<t>=1+1</t>`) ||
		!strings.Contains(xml, `<v>-0.01</v>`) || !strings.Contains(xml, `<v>7</v>`) ||
		!strings.Contains(xml, `state="frozen"`) {
		t.Errorf("%d texts in %.3000s", n, xml)
	}
}

// TestWriteBeyond: what a file cannot hold becomes what is nearest, in a file that opens. Columns go on behind Z.
func TestWriteBeyond(t *testing.T) {
	row := make([]any, 60)
	for i := range row {
		row[i] = fmt.Sprint(i)
	}
	row[40] = ""
	row[0], row[1] = "a\x00b\xff\uFFFFc", strings.Repeat("😀", 20_000)
	var out bytes.Buffer
	if err := workbook.Write(&out, "Q&A <1>", [][]any{row}); err != nil {
		t.Fatal(err)
	}
	f, err := excelize.OpenReader(bytes.NewReader(out.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := f.GetRows("Q&A <1>")
	if err != nil || len(got) != 1 || len(got[0]) != len(row) {
		t.Fatal(got, err)
	}
	want := []string{"a�b��c", strings.Repeat("😀", 16_383)}
	for _, v := range row[2:] {
		want = append(want, v.(string))
	}
	if d := cmp.Diff(want, got[0]); d != "" {
		t.Error(d)
	}
	for _, title := range []string{"", strings.Repeat("😀", 16), "a/b", "'a", "[a]"} {
		if err := workbook.Write(io.Discard, title, nil); err == nil {
			t.Errorf("%q names a sheet", title)
		}
	}
}

func sheetXML(t *testing.T, file []byte) string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range z.File {
		if f.Name != "xl/worksheets/sheet1.xml" {
			continue
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	t.Fatal("no sheet")
	return ""
}

// full takes nothing.
type full struct{}

var errFull = errors.New("no room")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestWriteFails(t *testing.T) {
	if err := workbook.Write(full{}, "Orders", [][]any{{"a"}, {"b"}}); !errors.Is(err, errFull) {
		t.Errorf("%v", err)
	}
	if err := workbook.Write(io.Discard, strings.Repeat("x", 40), nil); err == nil {
		t.Error("a name that no sheet can have")
	}
	if err := workbook.Write(io.Discard, "Orders", nil); err != nil {
		t.Errorf("nothing: %v", err)
	}
}

// TestLibreOffice: another program, where it is installed, finds each text to be the text that it was, where it was.
func TestLibreOffice(t *testing.T) {
	testsize.Large(t)
	office, err := exec.LookPath("soffice")
	if err != nil {
		t.Skip("LibreOffice is not installed")
	}
	texts := []string{"+64 9 555 0101", "=1+1", "0624", "-1+1", "@SUM(A1)", "1e5", "TRUE", "2026-01-05", "1/2", "'x",
		"Tūī Bakery"}
	rows := [][]any{{"first", "none", "last"}}
	for _, text := range texts {
		rows = append(rows, []any{text, "", text})
	}
	var out bytes.Buffer
	if err := workbook.Write(&out, "Customers", rows); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "cells.xlsx"), out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	run := exec.CommandContext(t.Context(), office, "-env:UserInstallation=file://"+dir, "--headless", "--convert-to",
		"fods", "--outdir", dir, filepath.Join(dir, "cells.xlsx"))
	if said, err := run.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "cells.fods"))
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Rows []struct {
			Cells []struct {
				Type    string `xml:"value-type,attr"`
				Formula string `xml:"formula,attr"`
				Text    string `xml:"p"`
			} `xml:"table-cell"`
		} `xml:"body>spreadsheet>table>table-row"`
	}
	if err := xml.Unmarshal(raw, &doc); err != nil || len(doc.Rows) <= len(texts) {
		t.Fatalf("%v: %d rows", err, len(doc.Rows))
	}
	for i, text := range texts {
		cells := doc.Rows[i+1].Cells
		for _, at := range []int{0, 2} {
			if c := cells[at]; c.Type != "string" || c.Formula != "" || c.Text != text {
				t.Errorf("%q is %+v", text, c)
			}
		}
	}
}
