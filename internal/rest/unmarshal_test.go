package rest_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	"stockbridge/internal/rest"
)

type Flat struct{ Extra string }

type document struct {
	ID    string `rest:"guid"`
	Count int    `json:"count"`
	Big   int64
	Price decimal.Decimal
	On    bool
	At    time.Time
	Text  string
	Flat
	Items []struct {
		Quantity decimal.Decimal `json:"quantity" rest:"required"`
	} `json:"items"`
	Map  map[string]string
	Some *struct{ A string }
	Raw  json.RawMessage
}

func TestUnmarshal(t *testing.T) {
	var got document
	err := rest.Unmarshal([]byte(`{
		"ID":"AB-C", "COUNT":"12", "Big":9007199254740993, "Price":"10.0000000000", "On":"True", "At":"2017-11-22T06:58:21.8882229Z",
		"Text":42, "extra":true, "items":[{"quantity":1e2},{"quantity":"0.5","unknown":[{"a":[1]}]}], "Map":{"a":1,"b":null,"c":"x"},
		"Some":{"A":"y"}, "Raw":{"z": [1]}, "Unknown":{"ID":"other"}}`), &got)
	if err != nil {
		t.Fatal(err)
	}
	if got.ID != "ab-c" || got.Count != 12 || got.Big != 9007199254740993 || !got.Price.Equal(decimal.NewFromInt(10)) ||
		!got.On ||
		!got.At.Equal(time.Date(2017, 11, 22, 6, 58, 21, 888222900, time.UTC)) || got.Text != "42" ||
		got.Extra != "true" ||
		len(got.Items) != 2 || got.Items[1].Quantity.String() != "0.5" || got.Some.A != "y" ||
		string(got.Raw) != `{"z": [1]}` {
		t.Errorf("%+v", got)
	}
	if diff := cmp.Diff(map[string]string{"a": "1", "b": "", "c": "x"}, got.Map); diff != "" {
		t.Error(diff)
	}
	if err := rest.Unmarshal([]byte(`{"ID":null,"count":null,"Price":"","On":null,"At":null,"Text":null,"items":null,"Map":null,"Some":null,"Raw":null}`), &got); err != nil {
		t.Error(err)
	}
	got.Big, got.Extra = 0, ""
	if got.ID != "" || got.Count != 0 || !got.Price.IsZero() || got.On || !got.At.IsZero() || got.Items != nil ||
		got.Map != nil {
		t.Errorf("null is the zero value: %+v", got)
	}
}

func TestUnmarshalProblems(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{`{"count":"x"}`, "count is not a number"},
		{`{"count":1.5}`, "count is not a whole number"},
		{`{"Big":1e30}`, "Big is not a whole number"},
		{`{"Price":1e999999999}`, "Price is a number too long or too large to be meant"},
		{`{"Price":"` + strings.Repeat("9", 80) + `"}`, "Price is a number too long or too large to be meant"},
		{`{"Price":"1,000.00"}`, "Price is not a number"},
		{`{"Price":"1e"}`, "Price is not a number"},
		{`{"Price":{}}`, "Price is a list or an object where one value belongs"},
		{`{"On":"maybe"}`, "On is neither true nor false"},
		{`{"At":"soon"}`, "At is not a date and time"},
		{`{"items":{}}`, "items is not a list"},
		{`{"items":[{},{"quantity":""},{"quantity":[]}]}`, "items[0].quantity is missing, and 2 more"},
		{`{"items":["x"]}`, "items[0] is not an object"},
		{`{"Map":[1]}`, "Map is not an object"},
		{`{"Map":{"":[1]}}`, "Map. is a list or an object where one value belongs"},
		{`{"items":[{"quantity":1},{"quantity":{"a":["}",{"b":"\\"}]}}]}`,
			"items[1].quantity is a list or an object where one value belongs"},
		{`{"Map":"x"}`, "Map is not an object"},
		{`{"Some":7}`, "Some is not an object"},
		{`[]`, "the document is not an object"},
		{`7`, "the document is not an object"},
		{`""`, "the document is empty"},
		{`null`, "the document is empty"},
		{`{"Text":"a"`, "the document is not JSON (offset 11)"},
		{``, "the document is not JSON (offset 0)"},
		{`{} {}`, "the document is not JSON (offset 4)"},
		{`<html>`, "the document is not JSON (offset 1)"},
	} {
		err := rest.Unmarshal([]byte(tt.in), &document{})
		if err == nil || err.Error() != tt.want {
			t.Errorf("%.40s: %v, want %s", tt.in, err, tt.want)
		}
	}
	// The other fields are read.
	var got document
	err := rest.Unmarshal([]byte(`{"count":"x","Text":"read","items":[{"quantity":2}]}`), &got)
	if wrong, ok := errors.AsType[rest.FieldErrors](err); !ok || len(wrong) != 1 || got.Text != "read" ||
		len(got.Items) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestUnmarshalNothing: an optional object without any value is absent, and a byte order mark is skipped.
func TestUnmarshalNothing(t *testing.T) {
	type part struct {
		A     string
		N     decimal.Decimal `json:"n" rest:"required"`
		Inner *struct{ B string }
	}
	for _, tt := range []struct {
		in      string
		present bool
		want    string // the error
	}{
		{`{"Part":null}`, false, ""},
		{`{}`, false, ""},
		{`{"Part":{}}`, false, ""},
		{`{"Part":[]}`, false, ""},
		{`{"Part":""}`, false, ""},
		{`{"Part":{"A":null,"n":null,"other":null}}`, false, ""},
		{`{"Part":{"A":" ","n":"","other":"  ","more":{},"list":[],"Inner":{"B":""}}}`, false, ""},
		{`{"Part":{"A":"x","n":1}}`, true, ""},
		{`{"Part":{"n":0}}`, true, ""},
		{`{"Part":{"A":"x"}}`, true, "Part.n is missing"},
		{`{"Part":{"other":"x"}}`, true, "Part.n is missing"},
		{`{"Part":{"other":0}}`, true, "Part.n is missing"},
		{`{"Part":{"other":[null]}}`, true, "Part.n is missing"},
		{`{"Part":{"n":"many"}}`, true, "Part.n is not a number"},
		{`{"Part":{"n":1,"Inner":{"B":"x"}}}`, true, ""},
		{`{"Part":"x"}`, true, "Part is not an object"},
		{`{"Part":[1]}`, true, "Part is not an object"},
		{"\uFEFF{\"Part\":{\"n\":1}}", true, ""},
		{" \r\n\uFEFF\uFEFF {\"Part\":{}}", false, ""},
	} {
		var got struct{ Part *part }
		err := rest.Unmarshal([]byte(tt.in), &got)
		if (got.Part != nil) != tt.present || (err == nil) != (tt.want == "") || err != nil && err.Error() != tt.want {
			t.Errorf("%s: %+v, %v; want there %v, %q", tt.in, got.Part, err, tt.present, tt.want)
		}
	}
	var got struct {
		N   decimal.Decimal `rest:"required"`
		Map map[string]string
	}
	if err := rest.Unmarshal([]byte(`{"N":" ","Map":[]}`), &got); err == nil || err.Error() != "N is missing" ||
		len(got.Map) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

func FuzzUnmarshal(f *testing.F) {
	f.Add([]byte(`{"ID":"A","count":"1","items":[{"quantity":1e2}],"Map":{"a":1},"Some":{},"Raw":[[]]}`))
	f.Add([]byte(`[{"ID":{}}]`))
	f.Add([]byte(`{"Price":1e999999999}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var d document
		if err := rest.Unmarshal(data, &d); err == nil && !json.Valid(rest.WithoutBOM(data)) {
			t.Errorf("read what is not JSON: %q", data)
		} else if err != nil && err.Error() == "" {
			t.Error("an error without words")
		}
		_ = d.Price.String()
	})
}
