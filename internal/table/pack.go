package table

import (
	"bytes"
	"encoding/json"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
)

const (
	// Data below small bytes is stored as it is: with its keys it is one write unit, packed or not.
	small = 800
	// Data above large bytes is worth more time to pack it well, as that saves write units.
	large = 8 << 10
)

// Writers and readers are reused, as each holds far more memory than it packs. Level 2 is the library's best for a few
// kilobytes.
var (
	quickly   = sync.Pool{New: func() any { w, _ := gzip.NewWriterLevel(nil, 2); return w }}
	well      = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}
	unpackers = sync.Pool{New: func() any { return new(gzip.Reader) }}
)

// Pack returns data as it is best stored: small data as it is, the rest in gzip. It is for JSON and other text: Unpack
// would not return data that begins as gzip does (1f 8b) as it was.
func Pack(data []byte) []byte {
	if len(data) < small {
		return data
	}
	pool := &quickly
	if len(data) > large {
		pool = &well
	}
	var packed bytes.Buffer // takes all that is written to it, so there is no error
	w := pool.Get().(*gzip.Writer)
	defer pool.Put(w)
	w.Reset(&packed)
	w.Write(data)
	w.Close()
	return packed.Bytes()
}

// Unpack returns what Pack was given.
func Unpack(data []byte) ([]byte, error) {
	if len(data) < 2 || data[0] != 0x1f || data[1] != 0x8b {
		return data, nil
	}
	r := unpackers.Get().(*gzip.Reader)
	defer unpackers.Put(r)
	if err := r.Reset(bytes.NewReader(data)); err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// Marshal returns the JSON of v, packed, as an item's Data.
func Marshal(v any) ([]byte, error) {
	data, err := json.Marshal(v)
	return Pack(data), err
}

// Unmarshal reads JSON, packed or not, into v.
func Unmarshal(data []byte, v any) error {
	data, err := Unpack(data)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, v)
}
