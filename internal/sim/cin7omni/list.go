package cin7omni

import (
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"stockbridge/internal/sim"
)

const (
	defaultRows = 50
	mostRows    = 250
)

// list is a list as it was last asked for, so that its next page costs no sorting.
type list struct {
	asked   string // where and order
	version int    // of the books
	rows    []*contact
}

func (c *call) listContacts() (any, error) {
	asked := c.Query.Get("where") + "\x00" + c.Query.Get("order")
	if c.listed.asked != asked || c.listed.version != c.version || c.listed.rows == nil {
		all := make([]*contact, len(c.Contacts))
		for i, r := range c.Contacts {
			all[len(all)-1-i] = &r.Contact // newest first
		}
		sim.Arrange(c.sim, all)
		rows, err := selected(c, all)
		if err != nil {
			return nil, err
		}
		c.listed = list{asked, c.version, rows}
	}
	return page(c, c.listed.rows)
}

func (c *call) listUsers() (any, error) { return listed(c, c.Users) }

func (c *call) listOptions() (any, error) { return listed(c, c.Options) }

// listed is a page of a small list.
func listed[T any](c *call, all []T) (any, error) {
	rows := make([]*T, len(all))
	for i := range all {
		rows[i] = &all[i]
	}
	rows, err := selected(c, rows)
	if err != nil {
		return nil, err
	}
	return page(c, rows)
}

// selected returns the rows of a list that where names, in the order that is asked for. Without one, those with the
// greatest id come first (decided); rows that are equal in it stay in the order of all.
func selected[T any](c *call, all []*T) ([]*T, error) {
	of := reflect.TypeFor[T]()
	fits, err := parseWhere(c.Query.Get("where"), of)
	if err != nil {
		return nil, err
	}
	order, err := parseOrder(cmp.Or(strings.TrimSpace(c.Query.Get("order")), "id"), of)
	if err != nil {
		return nil, err
	}
	rows := []*T{}
	for _, row := range all {
		if fits(reflect.ValueOf(row).Elem()) {
			rows = append(rows, row)
		}
	}
	slices.SortStableFunc(rows, func(a, b *T) int {
		return order(reflect.ValueOf(a).Elem(), reflect.ValueOf(b).Elem())
	})
	return rows, nil
}

// parseOrder reads an order: fields, each with a direction; the default one is descending.
func parseOrder(s string, of reflect.Type) (func(a, b reflect.Value) int, error) {
	type key struct {
		index []int
		sign  int
	}
	var keys []key
	fields := fieldsOf(of)
	for part := range strings.SplitSeq(s, ",") {
		words := strings.Fields(part)
		k := key{sign: -1}
		if len(words) == 2 && strings.EqualFold(words[1], "ASC") {
			k.sign = 1
		} else if len(words) != 1 && (len(words) != 2 || !strings.EqualFold(words[1], "DESC")) {
			return nil, refuse("The order argument is invalid.")
		}
		f, ok := fields[strings.ToLower(words[0])]
		if !ok || !comparable(f.Type) {
			return nil, refuse("The order argument is invalid.")
		}
		k.index = f.Index
		keys = append(keys, k)
	}
	return func(a, b reflect.Value) int {
		for _, k := range keys {
			if n := sortOf(a.FieldByIndex(k.index).Interface(), b.FieldByIndex(k.index).Interface()); n != 0 {
				return k.sign * n
			}
		}
		return 0
	}, nil
}

// sortOf compares two values of a field.
func sortOf(a, b any) int {
	switch v := a.(type) {
	case stamp:
		return v.Compare(b.(stamp).Time)
	case number:
		return v.Cmp(b.(number).Decimal)
	case int:
		return cmp.Compare(v, b.(int))
	case ref:
		return cmp.Compare(v, b.(ref))
	}
	return cmp.Compare(sim.Fold(fmt.Sprint(a)), sim.Fold(fmt.Sprint(b)))
}

// page returns the page of a list that is asked for, with the fields that are asked for. Beyond the end it is empty.
func page[T any](c *call, rows []*T) (any, error) {
	n, size := 1, defaultRows
	if v := c.Query.Get("rows"); v != "" {
		asked, err := strconv.Atoi(v)
		if err != nil || asked > mostRows {
			return nil, errRows
		}
		if asked > 0 { // 0 and less is the default (decided)
			size = asked
		}
	}
	if v := c.Query.Get("page"); v != "" {
		var err error
		if n, err = strconv.Atoi(v); err != nil || n < 1 {
			return nil, errPage
		}
	}
	size = c.sim.PageSize(size)
	rows = sim.Drift(c.sim, c.Request, n, size, slices.Clip(rows)) // what is remembered stays
	from := min((n-1)*size, len(rows))
	rows = rows[from:min(from+size, len(rows))]
	if c.Query.Get("fields") == "" {
		return rows, nil
	}
	return chosen(rows, c.Query.Get("fields"))
}

// chosen are rows with some fields alone; unknown ones are ignored (decided).
func chosen[T any](rows []*T, fields string) ([]map[string]json.RawMessage, error) {
	out := make([]map[string]json.RawMessage, len(rows))
	for i, row := range rows {
		text, err := json.Marshal(row)
		var all map[string]json.RawMessage
		if err == nil {
			err = json.Unmarshal(text, &all)
		}
		if err != nil {
			return nil, err
		}
		out[i] = map[string]json.RawMessage{}
		for name := range strings.SplitSeq(fields, ",") {
			for known, value := range all {
				if strings.EqualFold(known, strings.TrimSpace(name)) {
					out[i][known] = value
				}
			}
		}
	}
	return out, nil
}
