package console

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/shopspring/decimal"

	"stockbridge/internal/match"
)

// Workbook writes rows as an XLSX file with one sheet, the names of its columns first. A cell is a string, an int, or a
// float64, which is an amount.
type Workbook func(w io.Writer, title string, rows [][]any) error

// sheet is a file while it is made: lines of cells, as CSV or XLSX.
type sheet struct {
	title   string
	numbers []string // columns that hold numbers
	columns []string
	marked  bool // a CSV file begins with a byte order mark, by which spreadsheets know that it is UTF-8
	bytes   int  // of the cells so far
	lines   *csv.Writer
	out     bytes.Buffer
	book    Workbook // nil: it is CSV
	rows    [][]any
}

// newSheet begins a file with the names of its columns; what the request's address ends in says which kind.
func (a *api) newSheet(r *http.Request, title string, numbers []string, columns ...string) (*sheet, error) {
	s := &sheet{title: title, numbers: numbers, columns: columns}
	if strings.HasSuffix(r.URL.Path, ".xlsx") {
		if s.book = a.Workbook; s.book == nil {
			return nil, &problem{Status: http.StatusNotImplemented,
				Detail: "No XLSX files are made here. CSV files are."}
		}
		row := make([]any, len(columns))
		for i, name := range columns {
			row[i] = name
		}
		s.rows = append(s.rows, row)
		return s, nil
	}
	s.lines = csv.NewWriter(&s.out)
	s.lines.UseCRLF = true
	_ = s.lines.Write(columns) // into memory
	return s, nil
}

// maxSheet is what an answer of a Lambda function can carry, with room for its envelope: 6 MB, as JSON and in base64. A
// file of more lines is compressed; maxCells bounds what is gathered for it.
const maxSheet, maxCells = 4 << 20, 48 << 20

// line adds a line, as long as the file may fit into an answer.
func (s *sheet) line(cells ...string) error {
	if s.book != nil {
		row := make([]any, len(cells))
		for i, c := range cells {
			row[i], s.bytes = c, s.bytes+len(c)+1
			if slices.Contains(s.numbers, s.columns[i]) {
				row[i] = number(c)
			}
		}
		s.rows = append(s.rows, row)
	} else {
		for i := range cells {
			cells[i] = cell(cells[i])
		}
		if err := s.lines.Write(cells); err != nil {
			return err
		}
		s.lines.Flush()
		s.bytes = s.out.Len()
	}
	if s.bytes > maxCells {
		return tooLong("more than 48 MiB")
	}
	return nil
}

// number is a cell that holds one; else it is the text that it is.
func number(cell string) any {
	if n, err := strconv.Atoi(cell); err == nil {
		return n
	}
	if d, err := decimal.NewFromString(cell); err == nil {
		return d.InexactFloat64()
	}
	return cell
}

// tooLong refuses a file that holds more than one answer can.
func tooLong(what string) error {
	return &problem{Status: http.StatusUnprocessableEntity,
		Detail: "These lines are " + what + ". Ask for fewer: a shorter time, or what a search finds."}
}

// send answers the file, under a name without its ending.
func (s *sheet) send(w http.ResponseWriter, r *http.Request, name string) error {
	kind, ending := "text/csv; charset=utf-8", ".csv"
	if s.book != nil {
		kind, ending = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", ".xlsx"
		if err := s.book(&s.out, s.title, s.rows); err != nil {
			return fmt.Errorf("workbook: %w", err)
		}
	} else {
		s.lines.Flush()
	}
	body, encoding := s.out.Bytes(), ""
	if s.book == nil {
		if s.marked {
			body = append([]byte("\uFEFF"), body...)
		}
		w.Header().Add("Vary", "Accept-Encoding")
		unpacks := strings.Contains(r.Header.Get("Accept-Encoding"), "gzip")
		if len(body) > maxSheet || unpacks && len(body) > packedFrom {
			packed, err := pack(body)
			if err != nil {
				return err
			}
			if body = packed; unpacks {
				encoding = "gzip"
			} else { // what no answer could hold as it is comes as a file that whoever asks unpacks
				kind, ending = "application/gzip", ".csv.gz"
			}
		}
	}
	if len(body) > maxSheet {
		return tooLong("more than 4 MiB, compressed")
	}
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", name+ending))
	if encoding != "" {
		w.Header().Set("Content-Encoding", encoding)
	}
	write(w, r, http.StatusOK, kind, body)
	return nil
}

// packedFrom is how long a CSV file is that is compressed for whoever can read that.
const packedFrom = 1 << 20

func pack(body []byte) ([]byte, error) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := z.Write(body)
	err = errors.Join(err, z.Close()) // what is left of it is written by then
	return packed.Bytes(), err
}

// cell keeps a spreadsheet from reading a text of a CSV file as a formula: one that begins so, whatever blanks and
// unseen characters stand before, gets one apostrophe in front. Who reads the file back takes away an apostrophe that
// stands before such a beginning.
func cell(s string) string {
	for _, c := range s {
		switch {
		case strings.ContainsRune("=+-@\t\r\uFF1D\uFF0B\uFF0D\uFF20\u2212", c):
			return "'" + s
		case !unicode.IsSpace(c) && !match.Unseen(c):
			return s
		}
	}
	return s
}
