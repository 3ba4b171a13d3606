package cin7core

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

type product struct {
	ID, SKU, Name, Category                                     string
	Brand                                                       opt
	Type, CostingMethod                                         string
	DropShipMode                                                string
	DefaultLocation                                             opt
	Length, Width, Height, Weight                               number
	UOM, WeightUnits, DimensionsUnits                           opt
	Barcode                                                     string
	MinimumBeforeReorder                                        number
	ReorderQuantity                                             number
	PriceTier1, PriceTier2, PriceTier3, PriceTier4, PriceTier5  number
	PriceTier6, PriceTier7, PriceTier8, PriceTier9, PriceTier10 number
	PriceTiers                                                  map[string]number `json:",omitempty"`
	AverageCost                                                 number
	ShortDescription, Description                               string
	InternalNote                                                string
	attributes
	AttributeSet, DiscountRule       opt
	Tags, Status, StockLocator       string
	COGSAccount, RevenueAccount      opt
	ExpenseAccount, InventoryAccount opt
	PurchaseTaxRule, SaleTaxRule     opt
	LastModifiedOn                   stamp
	Sellable                         bool
	PickZones                        opt
	BillOfMaterial                   bool
	AutoAssembly, AutoDisassembly    bool
	QuantityToProduce                number
	AssemblyInstructionURL           string
	AssemblyCostEstimationMethod     string
	Suppliers, ReorderLevels         []json.RawMessage
	BillOfMaterialsProducts          []json.RawMessage
	BillOfMaterialsServices          []json.RawMessage
	Movements                        []json.RawMessage
	Attachments                      []attachment
	CustomPrices                     []customerPrice
	CartonHeight, CartonWidth        number
	CartonLength, CartonQuantity     number
	CartonInnerQuantity              number
	HSCode, CountryOfOrigin          string
	CountryOfOriginCode              string
}

type attachment struct {
	ID, ContentType       string
	IsDefault             bool
	FileName, DownloadUrl string
}

// customerPrice has the fields of live answers, not those of the vendor's example.
type customerPrice struct {
	CustomerID, CustomerName, CustomerCurrency string
	Price                                      number
}

// stockRow is one product at one location.
type stockRow struct {
	ProductID, Location string
	OnHand, Allocated   number
}

const (
	service          = "Service"
	noDropShip       = "No Drop Ship"
	optionalDropShip = "Optional Drop Ship"
	alwaysDropShip   = "Always Drop Ship"
)

func (p *product) tier(code int) *number {
	return []*number{&p.PriceTier1, &p.PriceTier2, &p.PriceTier3, &p.PriceTier4, &p.PriceTier5,
		&p.PriceTier6, &p.PriceTier7, &p.PriceTier8, &p.PriceTier9, &p.PriceTier10}[code-1]
}

// getProducts lists products whose Name and Sku contain the parameters, as the
// table of parameters says.
func (c *call) getProducts() (any, error) {
	since, err := c.since("ModifiedSince")
	if err != nil {
		return nil, err
	}
	all, hidden := c.Products, !c.flag("IncludeDeprecated")
	if id, ok := c.has("ID"); ok {
		all = only(c.product(id))
	}
	sku, bySKU := c.has("Sku")
	name, byName := c.has("Name")
	sku, name = strings.ToLower(sku), strings.ToLower(name)
	return c.productPage(moved(c, filter(all, func(p *product) bool {
		return (since.IsZero() || p.LastModifiedOn.After(since)) && (!hidden || p.Status != deprecated) &&
			(!bySKU || strings.Contains(strings.ToLower(p.SKU), sku)) &&
			(!byName || strings.Contains(strings.ToLower(p.Name), name))
	}))), nil
}

// productPage returns a page of products, without the nested lists that were not
// asked for.
func (c *call) productPage(rows []*product) envelope {
	e := page(c, "Products", rows)
	cut := e.rows.([]*product)
	out := make([]product, len(cut))
	prices := map[string][]customerPrice{}
	if c.flag("IncludeCustomPrices") {
		prices = c.customPrices()
	}
	for i, x := range cut {
		out[i] = c.wireProduct(x)
		c.leaveOut(&out[i])
		out[i].CustomPrices = append([]customerPrice{}, prices[strings.ToLower(x.ID)]...)
	}
	e.rows = out
	return e
}

// wireProduct is a product as answers have it with every flag, but for CustomPrices. Where two tiers have one name,
// PriceTiers is left out. The links of attachments expire, so each answer has others.
func (c *company) wireProduct(x *product) product {
	p := *x
	p.PriceTiers = map[string]number{}
	for _, t := range c.Tiers {
		if _, twin := p.PriceTiers[t.Name]; twin {
			p.PriceTiers = nil
			break
		}
		p.PriceTiers[t.Name] = *p.tier(t.Code)
	}
	for _, list := range []*[]json.RawMessage{&p.Suppliers, &p.ReorderLevels, &p.BillOfMaterialsProducts,
		&p.BillOfMaterialsServices, &p.Movements} {
		if *list == nil {
			*list = []json.RawMessage{}
		}
	}
	p.CustomPrices, p.Attachments = []customerPrice{}, append([]attachment{}, p.Attachments...)
	for i := range p.Attachments {
		a := &p.Attachments[i]
		c.links++
		a.DownloadUrl = fmt.Sprintf("https://files.cin7core.test/%s/%s?expires=%d&signature=%08x", a.ID,
			url.PathEscape(a.FileName), time.Now().Add(time.Hour).Unix(), uint32(c.links*2654435761))
	}
	return p
}

// leaveOut empties the nested lists that were not asked for.
func (c *call) leaveOut(p *product) {
	for flag, lists := range map[string][]*[]json.RawMessage{
		"IncludeSuppliers": {&p.Suppliers}, "IncludeReorderLevels": {&p.ReorderLevels},
		"IncludeBOM": {&p.BillOfMaterialsProducts, &p.BillOfMaterialsServices}, "IncludeMovements": {&p.Movements},
	} {
		for _, list := range lists {
			if !c.flag(flag) {
				*list = []json.RawMessage{}
			}
		}
	}
	if !c.flag("IncludeAttachments") {
		p.Attachments = []attachment{}
	}
}

// customPrices are all custom prices, by product.
func (c *company) customPrices() map[string][]customerPrice {
	out := map[string][]customerPrice{}
	for _, x := range c.Customers {
		for _, own := range c.ownPricesOf(x) {
			id := strings.ToLower(own.ProductID)
			out[id] = append(out[id], customerPrice{x.ID, x.Name, x.Currency, own.Price})
		}
	}
	return out
}

func (c *call) postProduct() (any, error) {
	p := &product{ID: c.sim.GUID(), Sellable: true, Status: active, Type: "Stock", DropShipMode: noDropShip}
	if err := c.writeProduct(p, decoder{}); err != nil {
		return nil, err
	}
	c.putProduct(nil, p)
	c.seat.Changed(p)
	return c.productPage([]*product{p}), nil
}

func (c *call) changeProduct() (any, error) {
	var key struct{ ID string }
	if err := (decoder{}).decode(c.Body, &key); err != nil {
		return nil, err
	}
	if key.ID == "" {
		return nil, missing("ID")
	}
	p := c.product(key.ID)
	if p == nil {
		return nil, unknown("Product", key.ID)
	}
	q := *p
	if err := c.writeProduct(&q, decoder{}); err != nil {
		return nil, err
	}
	q.Type = p.Type // fixed after POST
	c.putProduct(p, &q)
	c.seat.Changed(p)
	return c.productPage([]*product{p}), nil
}

func (c *call) writeProduct(p *product, d decoder) error {
	id, cost := p.ID, p.AverageCost
	p.PriceTiers = nil
	if err := d.decode(c.Body, p); err != nil {
		return err
	}
	p.ID, p.AverageCost, p.CustomPrices = id, cost, nil
	c.takeNamedPrices(p)
	p.PriceTiers = nil
	for _, f := range []struct{ name, v string }{
		{"SKU", p.SKU}, {"Name", p.Name}, {"Category", p.Category}, {"CostingMethod", p.CostingMethod},
		{"UOM", string(p.UOM)}, {"Status", p.Status},
	} {
		if f.v == "" {
			return missing(f.name)
		}
	}
	if q := c.productSKU(p.SKU); q != nil && q.ID != p.ID {
		return refuse(`Failed to update product: SKU "%s" already exists! Please provide different value`, p.SKU)
	}
	if !slices.Contains([]string{active, "Setup required", deprecated}, p.Status) {
		return badValue{"Status"}
	}
	if rule := string(p.SaleTaxRule); rule != "" && c.tax(rule) == nil {
		return unknown("Tax rule", rule)
	}
	if err := tooLong("SKU", p.SKU, 50); err != nil {
		return err
	}
	if err := tooLong("Name", p.Name, 256); err != nil {
		return err
	}
	p.LastModifiedOn = stampOf(c.Now)
	return nil
}

type availability struct {
	ID, SKU, Name      string
	Barcode            opt
	Location           string
	Bin, Batch         opt
	ExpiryDate         opt
	OnHand, Allocated  number
	Available, OnOrder number
	StockOnHand        number
	InTransit          number
	NextDeliveryDate   opt
}

func (c *call) getAvailability() (any, error) {
	id, byID := c.has("ID")
	filtered := byID
	for _, name := range []string{"Sku", "Name", "Location", "Category"} {
		_, sent := c.has(name)
		filtered = filtered || sent
	}
	e := page(c, "ProductAvailabilityList", moved(c, filter(c.Stock, func(r *stockRow) bool {
		if !filtered {
			return c.product(r.ProductID) != nil
		}
		if byID && !strings.EqualFold(id, r.ProductID) {
			return false
		}
		p := c.product(r.ProductID)
		return p != nil && c.filterStarts("Sku", p.SKU) && c.filterStarts("Name", p.Name) &&
			c.filterIs("Location", r.Location) && c.filterIs("Category", p.Category)
	})))
	cut := e.rows.([]*stockRow)
	rows := make([]availability, len(cut))
	for i, r := range cut {
		p := c.product(r.ProductID)
		rows[i] = availability{ID: p.ID, SKU: p.SKU, Name: p.Name, Barcode: opt(p.Barcode), Location: r.Location,
			OnHand: r.OnHand, Allocated: r.Allocated, Available: number{r.OnHand.Sub(r.Allocated.Decimal)},
			StockOnHand: number{r.OnHand.Mul(p.AverageCost.Decimal)}}
	}
	e.rows = rows
	return e, nil
}

// putPrices sets custom prices. It reports rows that fail, and sets the others.
func (c *call) putPrices() (any, error) {
	var in struct {
		CustomPrices []struct {
			CustomerID, CustomerName, ProductID, ProductSKU string
			Price                                           *number
		}
	}
	if err := (decoder{}).decode(c.Body, &in); err != nil {
		return nil, err
	}
	failed := []string{}
	for _, r := range in.CustomPrices {
		x, p := c.customer(r.CustomerID), c.product(r.ProductID)
		if r.CustomerID == "" {
			x = c.customerNamed(r.CustomerName)
		}
		if r.ProductID == "" {
			p = c.productSKU(r.ProductSKU)
		}
		switch {
		case x == nil:
			failed = append(failed, unknown("Customer", r.CustomerID+r.CustomerName).Error())
		case p == nil:
			failed = append(failed, unknown("Product", r.ProductID+r.ProductSKU).Error())
		case r.Price == nil:
			failed = append(failed, missing("Price").Error())
		default:
			c.own(x, p, r.Price)
		}
	}
	return map[string]any{"Errors": failed}, nil
}

// own sets a customer's own price of a product, nil takes it away. Both records count as modified (decided).
func (c *company) own(x *customer, p *product, price *number) {
	row := c.dropPrice(x.ID, p.ID)
	switch {
	case price != nil:
		row = &customPrice{CustomerID: x.ID, ProductID: p.ID, Price: *price}
		c.setPrice(row)
	case row == nil:
		return
	default:
		row = &customPrice{CustomerID: x.ID, ProductID: p.ID, Gone: true}
	}
	now := stampOf(time.Now())
	x.LastModifiedOn, p.LastModifiedOn = now, now
	c.seat.Changed(row, x, p)
}

func (c *call) deletePrice() (any, error) {
	customer, _ := c.has("CustomerID")
	product, _ := c.has("ProductID")
	if x, p := c.customer(customer), c.product(product); x != nil && p != nil {
		c.own(x, p, nil)
	}
	return map[string]bool{"Success": true}, nil
}

// takeNamedPrices takes over the prices that a document gives by the names of tiers.
func (c *company) takeNamedPrices(p *product) {
	for _, t := range c.Tiers {
		if v, ok := p.PriceTiers[t.Name]; ok {
			*p.tier(t.Code) = v
		}
	}
	p.PriceTiers = nil
}

// price returns what a customer pays for a product, before the customer's discount.
func (c *company) price(x *customer, p *product) decimal.Decimal {
	if own := c.ownPrice(x, p); own != nil {
		return own.Price.Decimal
	}
	for _, t := range c.Tiers {
		if t.Name == x.PriceTier {
			return p.tier(t.Code).Decimal
		}
	}
	return p.PriceTier1.Decimal
}
