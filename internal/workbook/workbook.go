// Package workbook writes a table as an XLSX file, which spreadsheets open as it is.
//
// A cell is what it is given as: a text stays a text, whatever it looks like (+64 21 555 123, =1+1, 0624), and a number
// is one. So nothing in a file is reckoned when it is opened, and no leading zero is lost. The first row is what the
// columns are called: it stays in sight, and is bold.
//
// A file is a ZIP archive of XML (ECMA-376, Office Open XML). All of its parts but the sheet are always the same, and
// [Write] writes the sheet cell by cell. Only the function that serves the console carries this package: whoever makes
// files is handed Write as a value.
package workbook

import (
	"archive/zip"
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"stockbridge/internal/prose"
)

// How wide columns are, in characters, and how many rows that goes by.
const (
	narrowest, widest = 8, 60
	measured          = 200
)

// What a spreadsheet takes: characters in a cell, and in the name of a sheet, as UTF-16.
const mostInCell, mostInName = 32767, 31

// Write writes a file with one sheet. A cell is a string, an int, or a float64, which is an amount of two places.
// An empty text leaves its cell out, and one that is longer than a cell can be is cut.
func Write(w io.Writer, title string, rows [][]any) error {
	if n := len(utf16.Encode([]rune(title))); n == 0 || n > mostInName || strings.ContainsAny(title, `:\/?*[]'`) {
		return fmt.Errorf("a sheet cannot be named %q", title)
	}
	z := zip.NewWriter(w)
	for _, p := range parts {
		xml := strings.Replace(p.xml, sheetName, text(title), 1)
		if err := add(z, p.name, func(b *bufio.Writer) { b.WriteString(xml) }); err != nil {
			return err
		}
	}
	if err := add(z, "xl/worksheets/sheet1.xml", func(b *bufio.Writer) { writeSheet(b, rows) }); err != nil {
		return err
	}
	return z.Close()
}

// add adds a part to the archive. A writer keeps its first error until it is flushed.
func add(z *zip.Writer, name string, write func(*bufio.Writer)) error {
	part, err := z.Create(name)
	if err != nil {
		return err
	}
	b := bufio.NewWriter(part)
	b.WriteString(`<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` + "\n")
	write(b)
	return b.Flush()
}

// The styles of cells, by their place in cellXfs. Text's format, 49, keeps a text a text when somebody edits it; an
// amount's, 2, is 0.00.
const (
	plain = iota
	heading
	writing
	amount
)

const (
	relations = "http://schemas.openxmlformats.org/package/2006/relationships"
	office    = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
	main      = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
	kind      = "application/vnd.openxmlformats-officedocument.spreadsheetml."
)

// sheetName stands in parts where the name of the sheet comes.
const sheetName = "SHEET"

// parts are all of a file but the sheet.
var parts = []struct{ name, xml string }{
	{"[Content_Types].xml", `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">` +
		`<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>` +
		`<Default Extension="xml" ContentType="application/xml"/>` +
		`<Override PartName="/xl/workbook.xml" ContentType="` + kind + `sheet.main+xml"/>` +
		`<Override PartName="/xl/styles.xml" ContentType="` + kind + `styles+xml"/>` +
		`<Override PartName="/xl/worksheets/sheet1.xml" ContentType="` + kind + `worksheet+xml"/></Types>`},
	{"_rels/.rels", `<Relationships xmlns="` + relations + `">` +
		`<Relationship Id="rId1" Type="` + office + `/officeDocument" Target="xl/workbook.xml"/></Relationships>`},
	{"xl/workbook.xml", `<workbook xmlns="` + main + `" xmlns:r="` + office + `">` +
		`<sheets><sheet name="` + sheetName + `" sheetId="1" r:id="rId1"/></sheets></workbook>`},
	{"xl/_rels/workbook.xml.rels", `<Relationships xmlns="` + relations + `">` +
		`<Relationship Id="rId1" Type="` + office + `/worksheet" Target="worksheets/sheet1.xml"/>` +
		`<Relationship Id="rId2" Type="` + office + `/styles" Target="styles.xml"/></Relationships>`},
	{"xl/styles.xml", `<styleSheet xmlns="` + main + `">` +
		`<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>` +
		`<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>` +
		`<fills count="2"><fill><patternFill patternType="none"/></fill>` +
		`<fill><patternFill patternType="gray125"/></fill></fills>` +
		`<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>` +
		`<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>` +
		`<cellXfs count="4"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>` +
		`<xf numFmtId="49" fontId="1" fillId="0" borderId="0" xfId="0" applyNumberFormat="1" applyFont="1"/>` +
		`<xf numFmtId="49" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>` +
		`<xf numFmtId="2" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/></cellXfs>` +
		`<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>`},
}

// writeSheet writes the rows. A cell that follows the one before does not say where it is, which makes a long file
// smaller by a third; one that comes after empty ones does.
func writeSheet(b *bufio.Writer, rows [][]any) {
	b.WriteString(`<worksheet xmlns="` + main + `"><sheetViews><sheetView tabSelected="1" workbookViewId="0">` +
		`<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews>`)
	if widths := widthsOf(rows); len(widths) > 0 {
		b.WriteString("<cols>")
		for i, width := range widths {
			fmt.Fprintf(b, `<col min="%d" max="%[1]d" width="%d" customWidth="1"/>`, i+1, width)
		}
		b.WriteString("</cols>")
	}
	b.WriteString("<sheetData>")
	for i, row := range rows {
		number := strconv.Itoa(i + 1)
		b.WriteString(`<row r="` + number + `">`)
		next := 0 // the column where a cell is that says nothing
		for j, v := range row {
			at := ""
			if j != next {
				at = ` r="` + columnName(j) + number + `"`
			}
			if writeCell(b, at, i == 0, v) {
				next = j + 1
			}
		}
		b.WriteString("</row>")
	}
	b.WriteString("</sheetData></worksheet>")
}

// writeCell writes a cell, if there is anything in it. at is its attribute that says where it is.
func writeCell(b *bufio.Writer, at string, first bool, v any) bool {
	var style int
	var value string
	switch v := v.(type) {
	case string:
		if v == "" {
			return false // nothing at all
		}
		style, value = writing, ` t="inlineStr"><is>`+inline(v)+`</is>`
	case float64:
		style, value = amount, `><v>`+strconv.FormatFloat(v, 'f', -1, 64)+`</v>`
	default:
		style, value = plain, `><v>`+fmt.Sprint(v)+`</v>`
	}
	if first {
		style = heading
	}
	b.WriteString(`<c` + at + ` s="` + strconv.Itoa(style) + `"` + value + `</c>`)
	return true
}

// inline is a text as it stands in its cell.
func inline(s string) string {
	s, _ = prose.Cut(s, mostInCell)
	if strings.Trim(s, " \t\r\n") != s {
		return `<t xml:space="preserve">` + text(s) + `</t>`
	}
	return `<t>` + text(s) + `</t>`
}

// widthsOf makes columns as wide as what stands in them.
func widthsOf(rows [][]any) (widths []int) {
	for _, row := range rows[:min(len(rows), measured)] {
		for j, v := range row {
			if j == len(widths) {
				widths = append(widths, narrowest)
			}
			widths[j] = max(widths[j], min(utf8.RuneCountInString(fmt.Sprint(v))+2, widest))
		}
	}
	return widths
}

// columnName is A for column 0, Z for 25, AA for 26.
func columnName(i int) string {
	if i < 26 {
		return string(rune('A' + i))
	}
	return columnName(i/26-1) + columnName(i%26)
}

// marked are what XML reads otherwise than as it stands.
var marked = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "\r", "&#xD;")

// text is a text as it stands in XML. Characters that XML cannot have are �, and where it looks like the escape of one
// (_x0041_, ECMA-376 part 1, 22.9.2.19) its first _ is escaped itself.
func text(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == '\uFFFE' || r == '\uFFFF' {
			return '\uFFFD'
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	s = marked.Replace(s)
	for i := 0; ; {
		next := strings.Index(s[i:], "_x")
		if next < 0 {
			return s
		}
		if i += next; looksEscaped(s[i:]) {
			s = s[:i] + "_x005F" + s[i:]
			i += len("_x005F")
		}
		i += len("_x")
	}
}

// looksEscaped reports whether a text begins as _x0041_ does.
func looksEscaped(s string) bool {
	return len(s) >= len("_x0041_") && s[6] == '_' && strings.Trim(s[2:6], "0123456789ABCDEFabcdef") == ""
}
