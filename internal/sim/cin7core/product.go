package cin7core

import (
	"encoding/json"
	"slices"
	"strings"

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
	PriceTiers                                                  map[string]number
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

func (c *company) product(id string) *product {
	for _, p := range c.Products {
		if strings.EqualFold(p.ID, id) {
			return p
		}
	}
	return nil
}

// productSKU returns the product with a SKU. It compares exactly, as SKUs may differ
// only in case.
func (c *company) productSKU(sku string) *product {
	for _, p := range c.Products {
		if p.SKU == sku {
			return p
		}
	}
	return nil
}

func (c *company) stockOf(productID, location string) *stockRow {
	for _, r := range c.Stock {
		if r.ProductID == productID && r.Location == location {
			return r
		}
	}
	r := &stockRow{ProductID: productID, Location: location}
	c.Stock = append(c.Stock, r)
	return r
}

// getProducts lists products whose Name and Sku contain the parameters, as the
// table of parameters says.
func (c *call) getProducts() (any, error) {
	since, err := c.since("ModifiedSince")
	if err != nil {
		return nil, err
	}
	contains := func(name, value string) bool {
		v, ok := c.has(name)
		return !ok || strings.Contains(strings.ToLower(value), strings.ToLower(v))
	}
	return c.productPage(filter(c.Products, func(p *product) bool {
		return c.filterIs("ID", p.ID) && contains("Sku", p.SKU) && contains("Name", p.Name) &&
			(since.IsZero() || p.LastModifiedOn.After(since)) && (p.Status != deprecated || c.flag("IncludeDeprecated"))
	})), nil
}

// productPage returns a page of products, without the nested lists that were not
// asked for.
func (c *call) productPage(rows []*product) envelope {
	e := page(c, "Products", rows)
	cut := e.rows.([]*product)
	out := make([]product, len(cut))
	for i, x := range cut {
		p := *x
		p.PriceTiers = map[string]number{}
		for _, t := range c.Tiers {
			p.PriceTiers[t.Name] = *p.tier(t.Code)
		}
		none := []json.RawMessage{}
		only := func(flag string, v []json.RawMessage) []json.RawMessage {
			if v == nil || !c.flag(flag) {
				return none
			}
			return v
		}
		p.Suppliers = only("IncludeSuppliers", p.Suppliers)
		p.ReorderLevels = only("IncludeReorderLevels", p.ReorderLevels)
		p.BillOfMaterialsProducts = only("IncludeBOM", p.BillOfMaterialsProducts)
		p.BillOfMaterialsServices = only("IncludeBOM", p.BillOfMaterialsServices)
		p.Movements = only("IncludeMovements", p.Movements)
		if p.Attachments == nil || !c.flag("IncludeAttachments") {
			p.Attachments = []attachment{}
		}
		p.CustomPrices = []customerPrice{}
		if c.flag("IncludeCustomPrices") {
			for _, cp := range c.Prices {
				if x := c.customer(cp.CustomerID); cp.ProductID == p.ID && x != nil {
					p.CustomPrices = append(p.CustomPrices, customerPrice{x.ID, x.Name, x.Currency, cp.Price})
				}
			}
		}
		out[i] = p
	}
	e.rows = out
	return e
}

func (c *call) postProduct() (any, error) {
	p := &product{ID: c.sim.GUID(), Sellable: true, Status: active, Type: "Stock", DropShipMode: noDropShip}
	if err := c.writeProduct(p, decoder{}); err != nil {
		return nil, err
	}
	c.Products = append(c.Products, p)
	return c.productPage([]*product{p}), nil
}

func (c *call) putProduct() (any, error) {
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
	*p = q
	return c.productPage([]*product{p}), nil
}

func (c *call) writeProduct(p *product, d decoder) error {
	id, cost := p.ID, p.AverageCost
	p.PriceTiers = nil
	if err := d.decode(c.Body, p); err != nil {
		return err
	}
	p.ID, p.AverageCost, p.CustomPrices = id, cost, nil
	for _, t := range c.Tiers {
		if v, ok := p.PriceTiers[t.Name]; ok {
			*p.tier(t.Code) = v
		}
	}
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
	rows := []availability{}
	for _, r := range c.Stock {
		p := c.product(r.ProductID)
		if p == nil || !c.filterIs("ID", p.ID) || !c.filterStarts("Sku", p.SKU) || !c.filterStarts("Name", p.Name) ||
			!c.filterIs("Location", r.Location) || !c.filterIs("Category", p.Category) {
			continue
		}
		rows = append(rows, availability{ID: p.ID, SKU: p.SKU, Name: p.Name, Barcode: opt(p.Barcode),
			Location: r.Location,
			OnHand:   r.OnHand, Allocated: r.Allocated, Available: number{r.OnHand.Sub(r.Allocated.Decimal)},
			StockOnHand: number{r.OnHand.Mul(p.AverageCost.Decimal)}})
	}
	return page(c, "ProductAvailabilityList", rows), nil
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
			c.dropPrice(x.ID, p.ID)
			c.Prices = append(c.Prices, customPrice{x.ID, p.ID, *r.Price})
			x.LastModifiedOn, p.LastModifiedOn = stampOf(c.Now), stampOf(c.Now)
		}
	}
	return map[string]any{"Errors": failed}, nil
}

func (c *company) dropPrice(customerID, productID string) {
	c.Prices = slices.DeleteFunc(c.Prices, func(p customPrice) bool {
		return strings.EqualFold(p.CustomerID, customerID) && strings.EqualFold(p.ProductID, productID)
	})
}

func (c *call) deletePrice() (any, error) {
	x, _ := c.has("CustomerID")
	p, _ := c.has("ProductID")
	c.dropPrice(x, p)
	return map[string]bool{"Success": true}, nil
}

// price returns what a customer pays for a product, before the customer's discount.
func (c *company) price(x *customer, p *product) decimal.Decimal {
	for _, cp := range c.Prices {
		if cp.CustomerID == x.ID && cp.ProductID == p.ID {
			return cp.Price.Decimal
		}
	}
	for _, t := range c.Tiers {
		if t.Name == x.PriceTier {
			return p.tier(t.Code).Decimal
		}
	}
	return p.PriceTier1.Decimal
}
