package console

import "testing"

// TestCallSentence: a call in a timeline is said as a sentence, and what is none stays as it is.
func TestCallSentence(t *testing.T) {
	for line, want := range map[string]string{
		"GET /saleList?Search=PO-2041 → 200 (done, 0 ms)": "Cin7 Core was asked for sales of this order.",
		"POST /sale → no answer (unknown, 30000 ms)": "Cin7 Core was asked to make the sale. " +
			"What came of it is not known.",
		"POST /sale/order → 400 (refused, 12 ms)": "Cin7 Core was sent the lines of the sale. Cin7 Core " +
			"refused.",
		"PUT /orders/120001/external → 200 (done, 0 ms)":        "Upstock was told of the sale.",
		"PUT /orders/120001/shipments/5b7f → 200 (done, 1 ms)":  "Upstock was told of a parcel.",
		"GET /orders/120001 → 200 (done, 4 ms)":                 "Upstock was asked for the order.",
		"GET /unheard/of → 200 (done, 4 ms)":                    "",
		"Sold as SO-00001, 3.20 NZD (order: 3.19).":             "",
		"GET /sale → 200 (done, 4 ms) and something beside it.": "",
	} {
		if got := callSentence(line); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}
