package catalogue

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/match"
	"stockbridge/internal/prose"
)

// Product is what the catalogue knows of a product of Cin7 Core.
type Product struct {
	ID           string     `json:"id"` // in lower case
	SKU          string     `json:"sku,omitempty"`
	Name         string     `json:"name,omitempty"`
	Description  string     `json:"description,omitempty"`
	Category     string     `json:"category,omitempty"`
	Brand        string     `json:"brand,omitempty"`
	Unit         string     `json:"unit,omitempty"`
	Barcode      string     `json:"barcode,omitempty"`
	Type         string     `json:"type,omitempty"`   // Stock, Service
	Status       string     `json:"status,omitempty"` // Active, Deprecated, Setup required
	Sellable     bool       `json:"sellable,omitempty"`
	Tiers        TierPrices `json:"tiers,omitzero"` // in the account's currency
	ImageID      string     `json:"imageId,omitempty"`
	ImageURL     string     `json:"imageUrl,omitempty"` // empty where images are not read
	ImageRead    time.Time  `json:"imageRead,omitzero"` // when the link was read, which expires; of rows alone
	DiscountRule string     `json:"discountRule,omitempty"`
	Modified     time.Time  `json:"modified,omitzero"`
	// Left says what of the record is left out because it is too long; "" = nothing.
	Left string `json:"left,omitempty"`
}

// TierPrices are a product's prices by tier: that of code n at n-1. 0 = none.
type TierPrices [10]decimal.Decimal

// IsZero reports whether there is no price at all.
func (t TierPrices) IsZero() bool { return len(t.set()) == 0 }

// set are the prices up to the last one that is not 0.
func (t TierPrices) set() []decimal.Decimal {
	n := len(t)
	for n > 0 && t[n-1].IsZero() {
		n--
	}
	return t[:n]
}

// MarshalJSON leaves out the zeros at the end.
func (t TierPrices) MarshalJSON() ([]byte, error) { return json.Marshal(t.set()) }

// UnmarshalJSON reads what MarshalJSON wrote.
func (t *TierPrices) UnmarshalJSON(data []byte) error {
	var list []decimal.Decimal
	if err := json.Unmarshal(data, &list); err != nil {
		return err
	}
	if len(list) > len(t) {
		return fmt.Errorf("%d tier prices", len(list))
	}
	*t = TierPrices{}
	copy(t[:], list)
	return nil
}

// The longest texts that are kept, in characters: of a description, and of any other. Cin7 Core's own limits are below.
const mostDescription, mostText = 50_000, 1024

// ProductOf returns what the catalogue knows of a product.
//
//	Product       of cin7core.Product
//	ID            ID, in lower case
//	SKU, Name     SKU, Name
//	Description   Description, else ShortDescription
//	Category      Category
//	Brand         Brand
//	Unit          UOM
//	Barcode       Barcode
//	Type, Status  Type, Status
//	Sellable      Sellable; true where it is not said
//	Tiers         PriceTier1 … PriceTier10
//	ImageID, URL  the default one of the Attachments that are images, else the first by id
//	DiscountRule  DiscountRule
//	Modified      LastModifiedOn
func ProductOf(x cin7core.Product) Product {
	var left texts
	p := Product{
		ID: idOf(x.ID), SKU: left.kept("SKU", x.SKU, mostText), Name: left.kept("name", x.Name, mostText),
		Description: left.kept("description", cmp.Or(strings.TrimSpace(x.Description), x.ShortDescription),
			mostDescription),
		Category: left.kept("category", x.Category, mostText), Brand: left.kept("brand", x.Brand, mostText),
		Unit: left.kept("unit", x.UOM, mostText), Barcode: left.kept("barcode", x.Barcode, mostText),
		Type: left.kept("type", x.Type, mostText), Status: left.kept("status", string(x.Status), mostText),
		Sellable: x.CanSell(), DiscountRule: left.kept("discount rule", x.DiscountRule, mostText),
		Modified: x.LastModifiedOn.UTC(),
	}
	for i := range p.Tiers {
		p.Tiers[i] = x.Tier(i + 1)
	}
	p.ImageID, p.ImageURL = imageFrom(x.Attachments)
	p.Left = left.said()
	return p
}

// imageFrom is the image that stands for a product; "" where it has none.
func imageFrom(files []cin7core.Attachment) (id, url string) {
	images := slices.DeleteFunc(slices.Clone(files), func(f cin7core.Attachment) bool {
		kind, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(f.ContentType)), "/")
		return kind != "image" || f.DownloadURL == "" || len(f.DownloadURL) > 4*mostText
	})
	if len(images) == 0 {
		return "", ""
	}
	first := slices.MinFunc(images, func(a, b cin7core.Attachment) int {
		return cmp.Or(defaultFirst(a.IsDefault, b.IsDefault), strings.Compare(idOf(a.ID), idOf(b.ID)))
	})
	return cmp.Or(idOf(first.ID), first.FileName), first.DownloadURL
}

// defaultFirst orders what is a default before what is not.
func defaultFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// IsService reports whether the product is none that is bought: Upstock has goods alone.
func (p Product) IsService() bool { return match.Same(p.Type, "Service") }

// Unfit says why a product cannot be in Upstock as one that is bought; "" = it can.
func (p Product) Unfit() string {
	switch {
	case p.IsService():
		return "It is a service: Upstock has goods alone."
	case cin7core.Status(p.Status).Is(cin7core.Deprecated):
		return "It is deprecated in Cin7 Core."
	case !p.Sellable:
		return "It is not sellable in Cin7 Core."
	case match.Visible(p.SKU) == "":
		return "It has no SKU, which Upstock requires."
	case match.Visible(p.Name) == "":
		return "It has no name, which Upstock requires."
	}
	return ""
}

// idOf is an id as the catalogue has it; "" for the ways to write that there is none.
func idOf(id string) string { return strings.ToLower(match.ID(id)) }

// texts cleans a record's texts, and remembers which are too long to be kept.
type texts []string

// kept is a text as it is kept: "" where it is longer than most characters.
func (t *texts) kept(what, s string, most int) string {
	s = prose.Clean(s)
	if _, long := prose.Cut(s, most); long {
		*t = append(*t, fmt.Sprintf("the %s, which is longer than %s characters", what, prose.Count(most)))
		return ""
	}
	return s
}

func (t texts) said() string {
	if len(t) == 0 {
		return ""
	}
	return "Left out: " + strings.Join(slices.Compact(t), "; ") + "."
}
