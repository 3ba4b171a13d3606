package main

import (
	"bytes"
	"encoding/base64"
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/xuri/excelize/v2"

	"stockbridge/internal/sim"
)

// TestJOORStory is a brand's first days: Cin7 Omni and JOOR are connected and sending is switched on; whom JOOR has
// already is matched, the others are downloaded and uploaded; JOOR's people say yes to most; one customer moves and is
// updated; a second upload offers nobody.
func TestJOORStory(t *testing.T) {
	s := openStage(t)
	acc := s.begin()
	s.signIn("Ana")
	s.connectBrand(acc)
	s.switchOn()
	s.matchAll()
	s.openDownloads()
	s.uploadAll()
	s.reviewMost(acc)
	id := s.moveOne(acc)
	s.lookAtJOOR(id)
	s.updateAll(acc, id)
	s.uploadNobody(acc)
}

// connectBrand connects both systems on their page, and has Cin7 Omni read.
func (s *stage) connectBrand(acc sim.Account) {
	s.t.Helper()
	s.open("/t/"+s.tenant+"/settings/integrations", "Integrations")
	s.fill("cin7omni", "username", acc.Cin7Omni.Username)
	s.fill("cin7omni", "key", acc.Cin7Omni.Key)
	s.press("button", "Connect Cin7 Omni")
	s.said("The key works and is saved")
	s.look("joor-none", "/t/"+s.tenant+"/joor")
	s.open("/t/"+s.tenant+"/settings/integrations", "Integrations")
	s.fill("joor", "account", acc.JOOR.Account)
	s.fill("joor", "token", acc.JOOR.Token)
	s.press("button", "Connect JOOR")
	s.said("The key works and is saved")
	s.look("joor-connected", "")
	s.readOmni()
	s.look("joor-upload-off", "/t/"+s.tenant+"/joor/upload")
	if text := s.text(); !strings.Contains(text, "switched off") {
		s.t.Errorf("to upload, and it is switched off: %s", text)
	}
	s.look("joor-match-none", "/t/"+s.tenant+"/joor/match")
}

// readOmni has Cin7 Omni read, as people do.
func (s *stage) readOmni() {
	s.t.Helper()
	s.open("/t/"+s.tenant+"/joor", "JOOR")
	s.press("button", "Read Cin7 Omni now")
	s.heading("customers were read")
}

// switchOn has both things enabled that are sent.
func (s *stage) switchOn() {
	s.t.Helper()
	s.open("/t/"+s.tenant+"/settings/joor", "JOOR")
	s.do(chromedp.SetValue(chromedp.ID("joorUpload"), "true"), chromedp.SetValue(chromedp.ID("joorUpdate"), "true"))
	s.press("button", "Save Settings")
	s.said("The settings are saved")
}

// matchAll finds out whom JOOR has already, and accepts what is sure.
func (s *stage) matchAll() {
	s.t.Helper()
	page := "/t/" + s.tenant + "/joor/match"
	s.open(page, "Match Customers")
	s.press("button", "Download Contacts")
	s.heading("connections were read")
	s.open(page, "Match Customers")
	s.press("button", "Match customers")
	s.heading("Matches were looked for")
	s.look("joor-matches", page)
	s.do(chromedp.Click(chromedp.CSS("tbody .choose label")))
	s.look("joor-matches-chosen", "")
	s.press("button", "Accept 1 match")
	s.said("This is noted")
	s.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("[role=status]").remove()`)) // of the one before
	s.press("button", "Accept ")                                                               // all that are sure
	s.said("This is noted")
	s.look("joor-matches-accepted", page+"?state=accepted")
	if text := s.text(); !strings.Contains(text, "Totara Lane") || !strings.Contains(text, "Ana") {
		s.t.Errorf("accepted: %s", text)
	}
	s.do(chromedp.Click(`//a[starts-with(., "Undo")]`))
	s.heading("Undo the match of")
	s.look("joor-undo", "")
}

// openDownloads downloads the list that is shown by its links, and reads the files.
func (s *stage) openDownloads() {
	s.t.Helper()
	s.open("/t/"+s.tenant+"/joor/upload?q=formula", "Upload Customers")
	load := func(link string) []byte {
		s.t.Helper()
		const read = `fetch([...document.querySelectorAll("a")].find((a) => a.textContent === %q).href)
			.then((r) => r.arrayBuffer()).then((b) => btoa(String.fromCharCode(...new Uint8Array(b))))`
		text, err := chromedp.Run(s.ctx, chromedp.Evaluate[string](fmt.Sprintf(read, link), chromedp.EvalAwaitPromise))
		if err != nil {
			s.t.Fatal(err)
		}
		data, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			s.t.Fatal(err)
		}
		return data
	}
	const company, account = `=HYPERLINK("https://evil.example","Click")`, "-2+3"
	f, err := excelize.OpenReader(bytes.NewReader(load("Download Customers")))
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	rows, err := f.GetRows("Customers")
	if err != nil || len(rows) != 2 || rows[1][1] != company || rows[1][4] != account {
		s.t.Errorf("the spreadsheet: %v %q", err, rows)
	}
	if formula, err := f.GetCellFormula("Customers", "B2"); err != nil || formula != "" {
		s.t.Errorf("it has the formula %q: %v", formula, err)
	}
	lines, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(load("as CSV"), []byte("\uFEFF")))).ReadAll()
	if err != nil || len(lines) != 2 || lines[1][1] != "'"+company || lines[1][4] != "'"+account ||
		!slices.Equal(lines[0], rows[0]) {
		s.t.Errorf("the CSV: %v %q", err, lines)
	}
}

// uploadAll uploads one by its box, and then all others.
func (s *stage) uploadAll() {
	s.t.Helper()
	page := "/t/" + s.tenant + "/joor/upload"
	s.open(page+"?q=harbour", "Upload Customers")
	s.do(chromedp.Click(chromedp.CSS("tbody .choose label")))
	s.look("joor-chosen", "")
	s.press("button", "Upload 1 customer")
	s.heading("JOOR has the customers")
	s.look("joor-upload", page)
	s.press("button", "Upload all")
	s.heading("JOOR has the customers")
	s.look("joor-uploaded", "")
}

// inJOOR is a connection as the simulated JOOR holds it.
type inJOOR struct {
	Code     string `json:"customer_code"`
	Review   bool
	Shipping struct {
		Addresses []struct {
			Line1 string `json:"address_1"`
		} `json:"shipping_addresses"`
	}
}

func (s *stage) inJOOR(acc sim.Account) (list []inJOOR) {
	s.t.Helper()
	var answer struct{ Items []inJOOR }
	s.tell(s.demo.sim, http.MethodGet, "/sim/joor/connections?account="+acc.JOOR.Account, nil, &answer)
	return answer.Items
}

// reviewMost has JOOR's people accept all but two, and asks JOOR.
func (s *stage) reviewMost(acc sim.Account) {
	s.t.Helper()
	var codes []string
	for _, c := range s.inJOOR(acc) {
		if c.Review {
			codes = append(codes, c.Code)
		}
	}
	if len(codes) < 20 {
		s.t.Fatalf("in review: %q", codes)
	}
	s.tell(s.demo.sim, http.MethodPost, "/sim/joor/review",
		map[string]any{"account": acc.JOOR.Account, "customerCodes": codes[:len(codes)-2], "accept": true}, nil)
	s.open("/t/"+s.tenant+"/joor", "JOOR")
	s.press("button", "Ask JOOR now")
	s.heading("JOOR was asked")
	s.open("/t/"+s.tenant+"/joor/review", "In review")
	if rows := strings.Count(s.text(), "@"); rows != 2 {
		s.t.Errorf("%d are in review: %s", rows, s.text())
	}
}

const movesTo = "3 Quay Street"

// moveOne changes a customer in Cin7 Omni, which has it read; the customer's id.
func (s *stage) moveOne(acc sim.Account) string {
	s.t.Helper()
	var found struct{ Items []struct{ ID int64 } }
	path := "/api/v1/tenants/" + s.tenant + "/joor/customers?" +
		url.Values{"list": {"linked"}, "q": {"harbour street boutique"}}.Encode()
	if s.tell(s.demo.api, http.MethodGet, path, nil, &found); len(found.Items) != 1 {
		s.t.Fatalf("linked: %v", found.Items)
	}
	id := fmt.Sprint(found.Items[0].ID)
	s.tell(s.demo.sim, http.MethodPut, "/sim/cin7omni/contacts/"+id, map[string]string{"address1": movesTo}, nil)
	s.readOmni()
	s.open("/t/"+s.tenant+"/joor/update?q=boutique", "Update Customers")
	s.do(chromedp.Click(`//a[.="Harbour Street Boutique"]`))
	s.heading("Harbour Street Boutique")
	if text := s.text(); !strings.Contains(text, movesTo) || !strings.Contains(text, "differs") {
		s.t.Errorf("a customer that moved: %s", text)
	}
	return id
}

// lookAtJOOR looks at every page of JOOR.
func (s *stage) lookAtJOOR(customer string) {
	s.t.Helper()
	t := "/t/" + s.tenant
	for name, path := range map[string]string{
		"joor": "/joor", "joor-update": "/joor/update", "joor-review": "/joor/review", "joor-linked": "/joor/linked",
		"joor-match": "/joor/match", "joor-only": "/joor/only", "joor-left": "/joor/upload",
		"joor-nobody": "/joor/linked?q=nobody", "joor-customer": "/joor/" + customer, "joor-home": "",
		"settings-joor": "/settings/joor",
	} {
		s.look(name, t+path)
	}
}

// updateAll sends all that differs.
func (s *stage) updateAll(acc sim.Account, id string) {
	s.t.Helper()
	s.open("/t/"+s.tenant+"/joor/update", "Update Customers")
	s.press("button", "Update all")
	s.heading("JOOR has the customers as they are")
	for _, c := range s.inJOOR(acc) {
		if c.Code == id && (len(c.Shipping.Addresses) != 1 || c.Shipping.Addresses[0].Line1 != movesTo) {
			s.t.Errorf("JOOR has %+v", c)
		}
	}
	s.look("joor-in-step", "/t/"+s.tenant+"/joor/update")
	if text := s.text(); !strings.Contains(text, "JOOR has all linked customers as they are") {
		s.t.Errorf("updated: %s", text)
	}
}

// uploadNobody sees that a second upload offers nobody, and that JOOR has nobody twice.
func (s *stage) uploadNobody(acc sim.Account) {
	s.t.Helper()
	s.open("/t/"+s.tenant+"/joor/upload", "Upload Customers")
	offered, err := chromedp.Run(s.ctx, chromedp.Evaluate[int](
		`document.querySelectorAll("main input[type=checkbox], form[action$=all]").length`))
	if text := s.text(); err != nil || offered != 0 || !strings.Contains(text, "Left out") {
		s.t.Errorf("%v: it offers %d: %s", err, offered, text)
	}
	codes := map[string]bool{}
	for _, c := range s.inJOOR(acc) {
		if c.Code != "" && codes[c.Code] {
			s.t.Errorf("JOOR has %s twice", c.Code)
		}
		codes[c.Code] = true
	}
}
