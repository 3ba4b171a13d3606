package console

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"hash/crc32"
	"time"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zip"
)

// archive is a ZIP file while it is made. How large it is can be asked at any time: its files are packed as they are
// written, each into memory, and put together at the end. So several of them can grow at once.
type archive struct {
	members []*member // in the order in which they were begun
	packer  *flate.Writer
}

// member is a file of an archive.
type member struct {
	name  string
	out   bytes.Buffer // packed
	pack  *flate.Writer
	sum   uint32
	bytes uint64 // unpacked
	list  bool   // it is of a list, of so many rows
	rows  int
}

// begin begins a file, that grows until it is ended.
func (ar *archive) begin(name string) *member {
	m := &member{name: name}
	if m.pack = ar.packer; m.pack == nil {
		m.pack, _ = flate.NewWriter(&m.out, flate.DefaultCompression) // the level is one that there is
	}
	ar.packer = nil
	m.pack.Reset(&m.out)
	return m
}

// end ends a file, and has it in the archive.
func (ar *archive) end(m *member) {
	_ = m.pack.Close() // into memory
	ar.packer, m.pack = m.pack, nil
	ar.members = append(ar.members, m)
}

// Write implements io.Writer.
func (m *member) Write(p []byte) (int, error) {
	m.sum, m.bytes = crc32.Update(m.sum, crc32.IEEETable, p), m.bytes+uint64(len(p))
	return m.pack.Write(p)
}

// file packs a file that is whole already. It is not in the archive yet.
func (ar *archive) file(name string, data []byte) *member {
	m := ar.begin(name)
	_, _ = m.Write(data)
	_ = m.pack.Close()
	ar.packer, m.pack = m.pack, nil
	return m
}

// packed is how many bytes a file has so far, packed.
func (m *member) packed() int {
	if m.pack != nil {
		_ = m.pack.Flush()
	}
	return m.out.Len()
}

// beside is what an archive spends on a file beside its bytes: its name, twice, and what is known of it.
func (m *member) beside() int { return 2*len(m.name) + 150 }

// size is how many bytes the archive has so far.
func (ar *archive) size() (n int) {
	for _, m := range ar.members {
		n += m.packed() + m.beside()
	}
	return n
}

// bytes is the archive, with these files in front.
func (ar *archive) bytes(first ...*member) ([]byte, error) {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, m := range append(first, ar.members...) {
		w, err := z.CreateRaw(&zip.FileHeader{
			Name: m.name, Method: zip.Deflate, Modified: time.Now().UTC(), CRC32: m.sum,
			CompressedSize64: uint64(m.out.Len()), UncompressedSize64: m.bytes,
		})
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(m.out.Bytes()); err != nil {
			return nil, err
		}
	}
	err := z.Close()
	return out.Bytes(), err
}

// rows are a list that grows in two files: an array of JSON, and a table for spreadsheets.
type rows struct {
	json, table *member
	lines       *csv.Writer
}

// beginRows begins the two files of a list, with the names of the table's columns.
func (ar *archive) beginRows(name string, columns ...string) *rows {
	l := &rows{json: ar.begin(name + ".json"), table: ar.begin(name + ".csv")}
	l.json.list, l.table.list = true, true
	l.lines = csv.NewWriter(l.table)
	l.lines.UseCRLF = true
	_, _ = l.table.Write([]byte("\uFEFF")) // as a spreadsheet takes UTF-8 for something else without it
	_ = l.lines.Write(columns)
	_, _ = l.json.Write([]byte("["))
	return l
}

// add adds a row to both files.
func (l *rows) add(v any, cells ...string) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	between := "\n"
	if l.json.rows > 0 {
		between = ",\n"
	}
	_, _ = l.json.Write(append([]byte(between), data...))
	for i := range cells {
		cells[i] = cell(cells[i])
	}
	l.json.rows++
	l.table.rows++
	return l.lines.Write(cells)
}

// packed is how many bytes both files have so far.
func (l *rows) packed() int {
	l.lines.Flush()
	return l.json.packed() + l.table.packed()
}

// endRows ends both files.
func (ar *archive) endRows(l *rows) {
	l.lines.Flush()
	_, _ = l.json.Write([]byte("\n]\n"))
	ar.end(l.json)
	ar.end(l.table)
}
