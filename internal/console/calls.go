package console

import (
	"path"
	"regexp"
	"strings"
)

// callLine is how a timeline names a call: method, path, status, outcome and how long it took.
var callLine = regexp.MustCompile(
	`^(GET|POST|PUT|DELETE) (/\S*) → (?:no answer|\d+) \((done|refused|unknown), \d+ ms\)$`)

// callWords say what a call is for, the first that fits; paths are patterns (path.Match).
var callWords = []struct{ method, path, words string }{
	{"GET", "/orders", "Upstock was asked for orders"},
	{"GET", "/orders/*", "Upstock was asked for the order"},
	{"PUT", "/orders/*/external", "Upstock was told of the sale"},
	{"PUT", "/orders/*/shipments/*", "Upstock was told of a parcel"},
	{"GET", "/saleList", "Cin7 Core was asked for sales of this order"},
	{"GET", "/sale", "Cin7 Core was asked for the sale"},
	{"POST", "/sale", "Cin7 Core was asked to make the sale"},
	{"DELETE", "/sale", "Cin7 Core was asked to void the sale"},
	{"POST", "/sale/order", "Cin7 Core was sent the lines of the sale"},
	{"POST", "/sale/fulfilment/pick", "Cin7 Core was asked to pick the goods"},
	{"POST", "/sale/fulfilment/pack", "Cin7 Core was asked to pack the goods"},
	{"POST", "/sale/fulfilment/ship", "Cin7 Core was asked to ship the goods"},
	{"GET", "/product", "Cin7 Core was asked for a product"},
	{"GET", "/customer", "Cin7 Core was asked for a customer"},
}

// callSentence says of a call in a timeline what it was for and what came of it; "" = it is none, or of another kind.
func callSentence(line string) string {
	m := callLine.FindStringSubmatch(line)
	if m == nil {
		return ""
	}
	at, _, _ := strings.Cut(m[2], "?")
	for _, c := range callWords {
		if fits, _ := path.Match(c.path, at); c.method != m[1] || !fits {
			continue
		}
		who, _, _ := strings.Cut(c.words, " was")
		switch m[3] {
		case "refused":
			return c.words + ". " + who + " refused."
		case "unknown":
			return c.words + ". What came of it is not known."
		}
		return c.words + "."
	}
	return ""
}
