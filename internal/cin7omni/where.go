package cin7omni

import (
	"strconv"
	"strings"
	"time"
)

// A where is a filter in the vendor's language, which is like SQL: =, <>, >, <, >=, <=, IS, IS NOT, LIKE, NOT LIKE and
// IN, joined with AND and OR, over a record's own fields, in any case of letters. Which of AND and OR binds more is not
// documented: use one of them.

// Equal is a filter for records whose field has a value.
func Equal(field, value string) string { return field + "=" + quote(value) }

// Since is a filter for records that changed at an instant or later, exact to the second.
func Since(at time.Time) string {
	return "modifiedDate>=" + quote(at.UTC().Format("2006-01-02T15:04:05Z"))
}

// IDs is a filter for some records. An address has room for about a hundred.
func IDs(ids ...int64) string {
	list := make([]string, len(ids))
	for i, id := range ids {
		list[i] = strconv.FormatInt(id, 10)
	}
	return "id IN (" + strings.Join(list, ",") + ")"
}

// And joins filters; "" is none.
func And(filters ...string) string {
	var some []string
	for _, f := range filters {
		if f != "" {
			some = append(some, f)
		}
	}
	return strings.Join(some, " AND ")
}

// quote writes a text. How a quote within it is written is not documented: doubled, as in SQL (assumed).
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
