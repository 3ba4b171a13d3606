package sale

// ofRecords are the codes of the problems that the account's records decide: they go when a record is added there, or
// put right. “more” stands for others that are not said.
var ofRecords = map[string]bool{
	"currency": true, "dateLocked": true, "location": true, "salesRep": true, "freightProduct": true, "address": true,
	"customerUnknown": true, "customerAmbiguous": true, "customerUnsure": true, "customerDeprecated": true,
	"customerCurrency": true, "creditHold": true, "priceTier": true, "carrier": true, "paymentTerm": true,
	"unknownSku": true, "skuAmbiguous": true, "productService": true, "productDeprecated": true, "productSetup": true,
	"productNotSellable": true, "total": true, "taxRate": true, "taxRuleUnknown": true, "taxRuleAmbiguous": true,
	"taxRuleInactive": true, "taxRuleNotForSale": true, "taxRulePercent": true, "more": true,
}

// OfRecords reports whether a problem of this code may go by itself, as the account's records change.
func OfRecords(code string) bool { return ofRecords[code] }
