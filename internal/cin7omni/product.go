package cin7omni

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"stockbridge/internal/rest"
)

// StandardColumns are the price columns of every account.
func StandardColumns() []string {
	return []string{"RetailPrice", "WholesalePrice", "VIPPrice", "SpecialPrice"}
}

// PriceColumns reads the names of the account's price columns, as a contact's PriceColumn bears them (compare without
// case): the standard ones, and those of its own. The API has no list of them; every product option shows its price in
// each (assumed), so the newest 250 are looked at. It is one call.
func (c *Client) PriceColumns(ctx context.Context) ([]string, error) {
	query := choose(url.Values{"order": {"modifiedDate DESC"}}, []string{"id", "priceColumns"})
	p, err := listPage(ctx, c, string(OptionList), query, 1, readColumns)
	if err != nil {
		return nil, err
	}
	known := StandardColumns()
	var own []string
	for _, name := range slices.Concat(p.Items...) {
		same := func(other string) bool { return strings.EqualFold(other, name) }
		if name != "" && !slices.ContainsFunc(known, same) && !slices.ContainsFunc(own, same) {
			own = append(own, name)
		}
	}
	slices.Sort(own)
	return append(known, own...), nil
}

// readColumns reads the price columns of a product option, whose names JSON begins with a small letter.
func readColumns(row []byte) (names []string, _ error) {
	var option struct {
		PriceColumns map[string]json.RawMessage
	}
	_ = rest.Unmarshal(row, &option) // one that cannot be read has none
	for name := range option.PriceColumns {
		first, n := utf8.DecodeRuneInString(name)
		names = append(names, string(unicode.ToUpper(first))+name[n:])
	}
	return names, nil
}
