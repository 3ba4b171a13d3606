package table_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"

	"stockbridge/internal/table"
	"stockbridge/internal/table/tabletest"
)

func open(t testing.TB, path string, o table.Options) *table.File {
	t.Helper()
	f, err := table.Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestFile(t *testing.T) {
	for name, o := range map[string]table.Options{
		"sync":   {},
		"nosync": {NoSync: true},
		"lag":    {NoSync: true, IndexLag: 20 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			tabletest.Run(t, func(t *testing.T) table.Table { return open(t, "", o) })
		})
	}
}

// TestOlderFile reads and writes a file from before the second index.
func TestOlderFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "table.db")
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	sized := func(s string) string { return string(binary.BigEndian.AppendUint16(nil, uint16(len(s)))) + s }
	field := func(s string) string { return string(rune(len(s))) + s }
	rev := strings.Repeat("R", 26)
	if err := db.Update(func(tx *bbolt.Tx) error {
		var made []*bbolt.Bucket
		for _, name := range []string{"items", "index", "due"} {
			b, err := tx.CreateBucket([]byte(name))
			if err != nil {
				return err
			}
			made = append(made, b)
		}
		key := sized("p") + "s"
		return errors.Join(made[0].Put([]byte(key), []byte(field(rev)+field("due")+field("1")+"\x00"+"kept")),
			made[1].Put([]byte(sized("due")+"1"+"\x00\x01"+key), make([]byte, 16)))
	}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	f := open(t, path, table.Options{NoSync: true})
	it := table.Item{Key: table.Key{PK: "p", SK: "s"}, Rev: rev, Data: []byte("kept"), Index: "due", Sort: "1"}
	got, err := f.Get(t.Context(), it.Key)
	if err != nil || !cmp.Equal(got, []table.Item{it}) {
		t.Fatalf("%+v, %v", got, err)
	}
	it.Group, it.Order = "list", "1"
	if err := f.Write(t.Context(), table.Replace(it)); err != nil {
		t.Fatal(err)
	}
	for _, q := range []table.Query{{PK: "due"}, {PK: "list", Group: true}} {
		if es, err := f.List(t.Context(), q); err != nil ||
			!cmp.Equal(es.Entries, []table.Entry{{Key: it.Key, Sort: "1"}}) {
			t.Errorf("%+v: %+v, %v", q, es, err)
		}
	}
}

func TestReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "table.db")
	f := open(t, path, table.Options{})
	it := table.Item{Key: table.Key{PK: "p", SK: "s"}, Data: []byte("kept"), Index: "due", Sort: "1"}
	if err := f.Write(t.Context(), table.Create(it)); err != nil {
		t.Fatal(err)
	}
	if _, err := table.Open(path, table.Options{}); err == nil {
		t.Error("opened twice")
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	f = open(t, path, table.Options{})
	got, err := f.Get(t.Context(), it.Key)
	if err != nil || len(got) != 1 || string(got[0].Data) != "kept" {
		t.Errorf("%v, %v", got, err)
	}
	if es, err := f.List(t.Context(), table.Query{PK: "due"}); err != nil || len(es.Entries) != 1 {
		t.Errorf("%v, %v", es, err)
	}
}

func TestTemporary(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	f := open(t, "", table.Options{NoSync: true})
	f.Close()
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
	file := filepath.Join(dir, "text")
	os.WriteFile(file, make([]byte, 10_000), 0o600)
	if _, err := table.Open(file, table.Options{}); err == nil {
		t.Error("opened something else")
	}
}

func TestIndexLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t, "", table.Options{NoSync: true, IndexLag: time.Minute})
		lists := func(want string) {
			t.Helper()
			var got string
			for _, pk := range []string{"x", "y"} {
				es, err := f.List(t.Context(), table.Query{PK: pk})
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range es.Entries {
					got += pk + e.Sort + " "
				}
			}
			if got != want {
				t.Errorf("lists %q, want %q", got, want)
			}
		}
		o := table.Create(table.Item{Key: table.Key{PK: "p", SK: "s"}, Index: "x", Sort: "1"})
		f.Write(t.Context(), o)
		lists("")
		time.Sleep(time.Minute)
		lists("x1 ")
		o.Item.Index = "y"
		o = table.Replace(o.Item)
		f.Write(t.Context(), o)
		lists("x1 ")
		time.Sleep(time.Minute)
		lists("y1 ")
		f.Write(t.Context(), table.Remove(o.Item))
		lists("y1 ")
		o = table.Create(o.Item) // back before it was seen to be gone
		f.Write(t.Context(), o)
		time.Sleep(2 * time.Minute)
		f.Write(t.Context(), table.Put(table.Item{Key: table.Key{PK: "p", SK: "other"}}))
		lists("y1 ")
	})
}

func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t, "", table.Options{NoSync: true})
		at := func(sk string, d time.Duration) table.Item {
			return table.Item{Key: table.Key{PK: "p", SK: sk}, Index: "x", Sort: "1", Expires: time.Now().Add(d)}
		}
		for i := range 20 {
			f.Write(t.Context(), table.Put(at(fmt.Sprint("short", i), time.Minute)))
		}
		f.Write(t.Context(), table.Put(at("long", time.Hour)))
		extended := table.Create(at("extended", time.Minute))
		f.Write(t.Context(), extended)
		extended.Item.Expires = time.Now().Add(time.Hour)
		f.Write(t.Context(), table.Replace(extended.Item))
		time.Sleep(2 * time.Minute)
		for i := range 12 {
			f.Write(t.Context(), table.Put(table.Item{Key: table.Key{PK: "q", SK: fmt.Sprint(i)}}))
		}
		p, err := f.Query(t.Context(), table.Query{PK: "p"})
		if err != nil || len(p.Items) != 2 {
			t.Errorf("%v, %v", p.Items, err)
		}
		es, err := f.List(t.Context(), table.Query{PK: "x"})
		if err != nil || len(es.Entries) != 2 {
			t.Errorf("%v, %v", es.Entries, err)
		}
	})
}

// Each of the writes that share a flush gets its own answer.
func TestSharedCommit(t *testing.T) {
	f := open(t, "", table.Options{})
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			k := table.Key{PK: "p", SK: fmt.Sprint(i / 2)}
			for j := range 5 {
				o := table.Create(table.Item{Key: k, Data: []byte{byte(j)}})
				err := f.Write(context.Background(), o)
				got, gerr := f.Get(context.Background(), k)
				if gerr != nil || len(got) != 1 {
					t.Errorf("%v, %v", got, gerr)
					return
				}
				var c *table.Conflict
				switch {
				case err == nil && got[0].Rev != o.Item.Rev, errors.As(err, &c) && got[0].Rev != c.Current[0].Rev:
					t.Errorf("%v, but it has %v", err, got[0].Rev)
				case err != nil && c == nil:
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkOpenCopy(b *testing.B) {
	dir := b.TempDir()
	f := open(b, filepath.Join(dir, "a"), table.Options{NoSync: true})
	for i := range 50 {
		f.Write(context.Background(), table.Put(table.Item{Key: table.Key{PK: "a", SK: fmt.Sprint(i)},
			Data: make([]byte, 500)}))
	}
	f.Close()
	raw, _ := os.ReadFile(filepath.Join(dir, "a"))
	for b.Loop() {
		os.WriteFile(filepath.Join(dir, "b"), raw, 0o600)
		f, err := table.Open(filepath.Join(dir, "b"), table.Options{NoSync: true})
		if err != nil {
			b.Fatal(err)
		}
		f.Close()
	}
}

func BenchmarkWrite(b *testing.B) {
	for name, o := range map[string]table.Options{"sync": {}, "nosync": {NoSync: true}} {
		b.Run(name, func(b *testing.B) {
			f := open(b, "", o)
			b.SetParallelism(8)
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					it := table.Item{Key: table.Key{PK: "orders", SK: fmt.Sprint(&pb, i)}, Data: make([]byte, 3000),
						Index: "due", Sort: fmt.Sprint(i)}
					if err := f.Write(context.Background(), table.Create(it)); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
