package mirror

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stockbridge/internal/ledger"
	"stockbridge/internal/table"
)

// stored are rows and names as a change finds them, in JSON, by "kind/id".
type stored map[string]string

func (s stored) part(t *testing.T) *part {
	t.Helper()
	p := newPart("t1")
	for name, data := range s {
		if err := p.add(table.Item{Key: at(name), Rev: "read", Data: table.Pack([]byte(data))}); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// at is the place of "kind/id".
func at(name string) table.Key {
	kind, id, _ := strings.Cut(name, "/")
	return Key{kind, id}.of("t1")
}

// said writes operations out.
func said(t *testing.T, ops []table.Op) (list []string) {
	t.Helper()
	words := map[table.Kind]string{table.KindCreate: "create", table.KindReplace: "replace", table.KindRemove: "remove"}
	for _, o := range ops {
		kind := strings.Split(o.Item.PK, "#")[2]
		data, err := table.Unpack(o.Item.Data)
		if err != nil {
			t.Fatal(err)
		}
		if o.Kind == table.KindRemove {
			data = nil
		}
		if o.Kind != table.KindCreate && o.If != "read" {
			t.Errorf("%s %s has the condition %q", kind, o.Item.SK, o.If)
		}
		list = append(list, strings.TrimSpace(fmt.Sprintf("%s %s/%s %s", words[o.Kind], kind, o.Item.SK, data)))
	}
	return list
}

// TestApply: what a change makes of rows and names, and that nothing else is written.
func TestApply(t *testing.T) {
	full := map[string]json.RawMessage{}
	for i := range maxMembers {
		full[fmt.Sprint("m", i)] = nil
	}
	fullName, err := json.Marshal(entry{Of: "thing", Members: full})
	if err != nil {
		t.Fatal(err)
	}
	large := row("9", strings.Repeat("x", maxWhole), true, "a")
	one := stored{
		"thing/1":     `{"row":{"text":"one"},"names":["thingname\ta","thingname\tb"]}`,
		"thingname/a": `{"of":"thing","members":{"1":null}}`,
		"thingname/b": `{"of":"thing","members":{"1":null,"2":null}}`,
	}
	for _, c := range []struct {
		name    string
		stored  stored
		rows    []Row
		changed int
		want    []string
	}{
		{"a new row", nil, []Row{row("1", "one", false, "a"), row("2", "two", true, "a", "b")}, 2, []string{
			`create thing/1 {"row":{"text":"one"},"names":["thingname\ta"]}`,
			`create thingname/a {"of":"thing","members":{"1":null,"2":{"text":"two"}}}`,
			`create thing/2 {"row":{"text":"two"},"names":["thingname\ta","thingname\tb"]}`,
			`create thingname/b {"of":"thing","members":{"2":{"text":"two"}}}`,
		}},
		{"as it was", one, []Row{row("1", "one", false, "a", "b")}, 0, nil},
		{"another text", one, []Row{row("1", "uno", false, "a", "b")}, 1, []string{
			`replace thing/1 {"row":{"text":"uno"},"names":["thingname\ta","thingname\tb"]}`,
		}},
		{"another name", one, []Row{row("1", "one", false, "b", "c")}, 1, []string{
			`remove thingname/a`,
			`replace thing/1 {"row":{"text":"one"},"names":["thingname\tb","thingname\tc"]}`,
			`create thingname/c {"of":"thing","members":{"1":null}}`,
		}},
		{"its names keep it now", one, []Row{row("1", "uno", true, "a", "b")}, 1, []string{
			`replace thing/1 {"row":{"text":"uno"},"names":["thingname\ta","thingname\tb"]}`,
			`replace thingname/a {"of":"thing","members":{"1":{"text":"uno"}}}`,
			`replace thingname/b {"of":"thing","members":{"1":{"text":"uno"},"2":null}}`,
		}},
		{"gone", one, []Row{{Key: Key{"thing", "1"}}, {Key: Key{"thing", "7"}}}, 1, []string{
			`remove thingname/a`,
			`replace thingname/b {"of":"thing","members":{"2":null}}`,
			`remove thing/1`,
		}},
		{"the name is full", stored{"thingname/a": string(fullName)}, []Row{row("1", "one", false, "a")}, 1, []string{
			`create thing/1 {"row":{"text":"one"},"names":["thingname\ta"]}`,
		}},
		{"too large to be kept by its name", nil, []Row{large}, 1, []string{
			fmt.Sprintf(`create thing/9 {"row":%s,"names":["thingname\ta"]}`, large.Data),
			`create thingname/a {"of":"thing","members":{"9":null}}`,
		}},
	} {
		p := c.stored.part(t)
		changed := p.apply(c.rows)
		ops, err := p.writes()
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(c.want, said(t, ops)); d != "" || changed != c.changed {
			t.Errorf("%s: %d changed, want %d %s", c.name, changed, c.changed, d)
		}
		again := p.apply(c.rows)
		if again != 0 {
			t.Errorf("%s: applied again it changes %d", c.name, again)
		}
	}
}

// TestFinding: names and links lead to rows that are asked for in the next round, each once.
func TestFinding(t *testing.T) {
	f := newFinding("t1")
	link := Link{"things", "7", "thing"}
	for _, k := range []Key{{"thingname", "tea"}, {"thing", "1"}, {"thingname", "tea"}, {"thing", ""}} {
		f.ask(k)
	}
	f.ask(Key{"thing", strings.Repeat("x", maxID+1)})
	f.askLink(link)
	f.askLink(Link{})
	round := func(want ...table.Key) {
		t.Helper()
		if got := f.round(); !slices.Equal(got, want) {
			t.Fatalf("asks for %v, want %v", got, want)
		}
	}
	take := func(key table.Key, data string) {
		t.Helper()
		if err := f.take(table.Item{Key: key, Rev: "read", Data: []byte(data)}); err != nil {
			t.Fatal(err)
		}
	}
	linked := ledger.LinkKey("t1", "things", "7")
	round(at("thingname/tea"), at("thing/1"), linked)
	take(at("thingname/tea"), `{"of":"thing","members":{"3":null,"2":{"text":"two"},"1":null}}`)
	take(at("thing/1"), `{"row":{"text":"one"}}`)
	take(linked, `{"id":"C4"}`)
	round(at("thing/3"), at("thing/c4"))
	take(at("thing/c4"), `{"row":{"text":"four"}}`) // 3 is not there any more
	round()
	var got []string
	for _, r := range f.rows {
		got = append(got, r.ID+" "+string(r.Data))
	}
	want := []string{`2 {"text":"two"}`, `1 {"text":"one"}`, `c4 {"text":"four"}`}
	if d := cmp.Diff(want, got); d != "" || f.links[link].ID != "C4" || len(f.links) != 1 {
		t.Errorf("%v %s", f.links, d)
	}
	if err := f.take(table.Item{Key: at("thing/1"), Data: []byte("{")}); err == nil {
		t.Error("a broken row is read")
	}
}

// TestKeys: where things stand must not change, as they stand there already.
func TestKeys(t *testing.T) {
	s := newStore(t)
	ctx := t.Context()
	saveRows(t, s, 1, row("1", "one", true, "tea"))
	pass := time.Unix(4_102_444_800, 0)
	putBook(t, s, "rules", "GST")
	if err := s.SaveSeen(ctx, "t1", "thing", pass, 7, []byte("rows")); err != nil {
		t.Fatal(err)
	}
	if err := s.saveTurn(ctx, "t1", "system#1", turn{Until: pass.UTC(), Failures: 2}); err != nil {
		t.Fatal(err)
	}
	for k, want := range map[table.Key]string{
		{PK: "T#t1#thing#12", SK: "1"}:                          `{"row":{"text":"one"},"names":["thingname\ttea"]}`,
		{PK: "T#t1#thingname#9", SK: "tea"}:                     `{"of":"thing","members":{"1":{"text":"one"}}}`,
		{PK: "T#t1", SK: "books"}:                               `{"rules":["GST"]}`,
		{PK: "T#t1#mirror", SK: "seen#thing#4102444800#000007"}: "rows",
		{PK: "T#t1#mirror", SK: "turn#system#1"}:                `{"until":"2100-01-01T00:00:00Z","failures":2}`,
	} {
		it, err := table.Read(ctx, s.table, k)
		if err != nil || string(it.Data) != want {
			t.Errorf("at %v: %s, want %s, %v", k, it.Data, want, err)
		}
	}
}
