// Package workbook writes a table as an XLSX file, which spreadsheets open as it is.
//
// A cell is what it is given as: a text stays a text, whatever it looks like (+64 21 555 123, =1+1, 0624), and a number
// is one. So nothing in a file is reckoned when it is opened, and no leading zero is lost. The first row is what the
// columns are called: it stays in sight, and is bold.
//
// [Write] holds a row at a time, and what is written of them. The library that it stands on is large: only the function
// that serves the console carries it, and whoever makes files is handed Write as a value.
package workbook

import (
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/xuri/excelize/v2"
)

// How wide columns are, in characters, and how many rows that goes by.
const (
	narrowest, widest = 8.0, 60.0
	measured          = 200
)

// Write writes a file with one sheet. A cell is a string, an int, or a float64, which is an amount of two places.
func Write(w io.Writer, title string, rows [][]any) (err error) {
	f := excelize.NewFile()
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}()
	if err := f.SetSheetName(f.GetSheetName(0), title); err != nil {
		return fmt.Errorf("sheet %q: %w", title, err)
	}
	styles, err := stylesOf(f)
	if err != nil {
		return err
	}
	sheet, err := f.NewStreamWriter(title)
	if err != nil {
		return err
	}
	if err := layout(sheet, rows); err != nil {
		return err
	}
	for i, row := range rows {
		if err := sheet.SetRow(fmt.Sprint("A", i+1), styles.cells(i == 0, row)); err != nil {
			return fmt.Errorf("row %d: %w", i+1, err)
		}
	}
	if err := sheet.Flush(); err != nil {
		return err
	}
	_, err = f.WriteTo(w)
	return err
}

// styles are how cells look: text's format keeps a text a text when somebody edits it.
type styles struct{ heading, text, amount int }

// The numbers of formats that every spreadsheet knows: “Text”, and 0.00.
const textFormat, amountFormat = 49, 2

func stylesOf(f *excelize.File) (s styles, err error) {
	if s.heading, err = f.NewStyle(&excelize.Style{Font: &excelize.Font{Bold: true}, NumFmt: textFormat}); err != nil {
		return s, err
	}
	if s.text, err = f.NewStyle(&excelize.Style{NumFmt: textFormat}); err != nil {
		return s, err
	}
	s.amount, err = f.NewStyle(&excelize.Style{NumFmt: amountFormat})
	return s, err
}

func (s styles) cells(heading bool, row []any) []any {
	cells := make([]any, len(row))
	for i, v := range row {
		style := 0
		switch v := v.(type) {
		case string:
			if v == "" {
				continue // nothing at all
			}
			style = s.text
		case float64:
			style = s.amount
		}
		if heading {
			style = s.heading
		}
		cells[i] = excelize.Cell{StyleID: style, Value: v}
	}
	return cells
}

// layout makes columns as wide as what stands in them, and keeps the first row in sight.
func layout(sheet *excelize.StreamWriter, rows [][]any) error {
	var widths []float64
	for _, row := range rows[:min(len(rows), measured)] {
		for j, v := range row {
			if j == len(widths) {
				widths = append(widths, narrowest)
			}
			widths[j] = max(widths[j], min(float64(utf8.RuneCountInString(fmt.Sprint(v))+2), widest))
		}
	}
	for j, width := range widths {
		if err := sheet.SetColWidth(j+1, j+1, width); err != nil {
			return err
		}
	}
	return sheet.SetPanes(&excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"})
}
