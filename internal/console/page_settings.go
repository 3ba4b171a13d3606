package console

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"stockbridge/internal/joorcin7"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
)

// question is a setting as a page asks for it.
type question struct {
	Title, Help string
	Answers     map[string]string // what each choice is called; nil = the account's names, or a text
	None        string            // what it means to choose nothing; "" = something is chosen
}

// settingsPart is the settings of one page.
type settingsPart struct {
	label, heading string
	questions      map[string]question // by the settings' names; the order is that of their section
	replay         bool                // they can be tried on the newest orders
	said           string              // by the page when they are saved
	button         string
}

// settingsParts are the pages of settings, by the last part of their address.
var settingsParts = map[string]*settingsPart{
	"orders": {"Orders", "Settings of orders", orderQuestions, true, "saved", saveSettings},
	"catalogue": {"Catalogue", "Settings of products, customers and prices", catalogQuestions, false, "savedCatalogue",
		saveSettings},
	"joor": {"JOOR", "JOOR: Customers", joorQuestions, false, "savedJOOR", "Save Settings"},
}

const saveSettings = "Save settings"

// partOf is the part of settings that a request is for.
func partOf(r *http.Request) *settingsPart { return settingsParts[path.Base(r.URL.Path)] }

// titlesOf are the questions of settings, as people are asked them.
func titlesOf(names []string) string {
	titles := make([]string, len(names))
	for i, name := range names {
		titles[i] = cmp.Or(questionOf(name).Title, name+".")
	}
	return strings.Join(titles, " ")
}

// questionOf is the question about a setting, whichever page asks it.
func questionOf(name string) question {
	for _, part := range settingsParts {
		if q, ok := part.questions[name]; ok {
			return q
		}
	}
	return question{}
}

// joorQuestions are the settings of JOOR, in the words of Cin7's own page.
var joorQuestions = map[string]question{
	"joorUpload": {"Upload Customers to JOOR", "Whether customers of Cin7 Omni that are new to JOOR may be sent there.",
		switched, ""},
	"joorUploadAlone": {"Are new customers uploaded by themselves?",
		"Else somebody presses Upload Customers. It counts where uploading is enabled.",
		map[string]string{"false": "No: somebody chooses them", "true": "Yes"}, ""},
	"joorUpdate": {"Update Customers to JOOR", "Whether changes of customers that JOOR has may be sent there.",
		switched, ""},
	"joorUpdateAlone": {"Do changes go to JOOR by themselves?",
		"Else somebody presses Update Customers. It counts where updating is enabled.",
		map[string]string{"false": "No: somebody chooses them", "true": "Yes"}, ""},
	"joorPrices": {"Which price label has a price column?",
		"The currency and the label as JOOR has them, such as NZD Wholesale. Without a choice here, a column has the " +
			"label of its own name, as WholesalePrice has Wholesale. A customer whose price " +
			"column has no label is left out.", nil, "The label of its own name"},
	"joorTerms": {"Which payment method belongs to which payment terms?", "Without one, none is sent.", nil,
		"None is sent"},
	"joorReps": {"Who is the sales rep in JOOR?",
		"The rep’s code in JOOR, by the sales person in Cin7 Omni. Without one, none is sent.", nil,
		"Nobody is sent"},
	"joorGroups": {"Which customer group is which?", "Without one, none is sent.", nil, "None is sent"},
}

// switched are the two answers to what is enabled or not.
var switched = map[string]string{"false": "Not enabled", "true": "Enabled"}

// catalogQuestions are the settings of the catalogue.
var catalogQuestions = map[string]question{
	"importNewProducts": {"Is a product that is new in Cin7 Core imported by itself?",
		"Else it waits under Products › Import products.",
		map[string]string{"false": "No: somebody chooses it", "true": "Yes"}, ""},
	"outOfStock": {"Is a product out of stock in Upstock when nothing of it is available in Cin7 Core?",
		"What is available in all locations together counts. Customers cannot order what is out of stock.",
		map[string]string{"false": "No", "true": "Yes"}, ""},
	"productImages": {"Are products imported with their image?", "The default image of the product in Cin7 Core.",
		map[string]string{"false": "No", "true": "Yes"}, ""},
	"defaultPriceTier": {"Which price tier is a product's default price?",
		"Customers who have no price list pay it.", nil, "The first tier"},
	"priceHoldPercent": {"From which change on does a price wait for your yes?",
		"In percent, up or down. Empty: no change waits, but for what would be given away, which always does. " +
			"It looks at prices that change within a price list: a customer who moves to another list, by another " +
			"tier, discount or a first own price, is not held.",
		nil, ""},
	"priceCheck": {"What if an order's price is not the customer's price in Cin7 Core?",
		"A price typed by hand, or one that was late, else shows up as a credit note.",
		map[string]string{"off": "Nothing", "say": "It is said on the order", "hold": "The order needs a person"}, ""},
	"priceCheckPercent": {"How far may an order's price be from the customer's price before the order needs a person?",
		"In percent of the customer's price.", nil, ""},
}

// orderQuestions are the settings of orders.
var orderQuestions = map[string]question{
	"orderStatus": {"Which status does a new sale have?",
		"A draft can be changed in Cin7 Core before somebody authorises it. An authorised one takes stock at once.",
		map[string]string{"draft": "Draft", "authorised": "Authorised"}, ""},
	"saleType": {"Which type of sale is made?",
		"A simple sale is shipped and invoiced once. An advanced one can be shipped in several parcels.",
		map[string]string{"simple": "Simple", "advanced": "Advanced"}, ""},
	"creationMode": {"What does Cin7 Core do by itself?",
		"Automatic picking works with simple sales that are authorised.",
		map[string]string{"noPick": "Nothing", "autoPick": "Pick", "autoPickPack": "Pick and pack",
			"autoPickPackShip": "Pick, pack and ship"}, ""},
	"shipBySource": {"Where does the ship-by date come from?",
		"Without one, the order's delivery date stands in the shipping notes.",
		map[string]string{"deliveryDate": "The order's delivery date", "none": "There is none"}, ""},
	"location": {"From which location are sales shipped?", "A customer's own location comes first.", nil,
		"The customer's, else the account's default"},
	"freightProduct": {"Which service product is freight charged as?",
		"Cin7 Core charges freight as a service product.", nil, "None: orders with freight need a person"},
	"taxRules": {"Which tax rule belongs to which percentage?",
		"Without one: the customer's rule if its percentage fits, else the only active sale rule of that percentage.",
		nil, "No rule"},
	"defaultSalesRep": {"Who is the sales representative where the customer has none?", "", nil, "Nobody"},
	"addressField": {"Which custom field in Upstock chooses the delivery address?",
		"Its value is compared with the addresses of the customer's card. Fields of the newest orders can be chosen.",
		nil, "None does"},
	"addressMatch": {"What of an address is that field's value?", "",
		map[string]string{"line1": "Its first line", "city": "Its city", "postcode": "Its postcode",
			"any": "Any of these"}, ""},
	"totalTolerance": {"How far may the sale's total be from the order's?",
		"An amount in the order's currency. What comes of two ways of rounding tax is reckoned, and does not count.",
		nil, ""},
	"onCancel": {"What happens to a sale whose order is cancelled?",
		"A sale of which something is picked is never voided by itself.",
		map[string]string{"tell": "It stands, and that is said", "void": "It is voided if nothing of it is picked"},
		""},
	"onUnknownAddress": {"What if the custom field fits no address?", "",
		map[string]string{"say": "The sale goes to the order's address, and that is said",
			"reject": "The order needs a person"}, ""},
	"onMissingTaxRate": {"What if an order gives a line no tax rate?",
		"Without the order's totals too, Cin7 Core's tax cannot be checked by them.",
		map[string]string{"useRule": "The product's tax rule is used, and that is said",
			"reject": "The order needs a person"}, ""},
}

// settingsPage asks for the settings of one part.
type settingsPage struct {
	Address string
	Version string
	Faults  []fieldFault // of what was typed
	Note    string       // why there is nothing, or not everything, to choose from
	Rows    []settingRow
	Save    bool // the person may
	Button  string
	Try     bool // they can be tried on the newest orders
	Replay  *replayView
	Earlier []versionRow // newest first
}

// versionRow is a version of the settings that was saved once.
type versionRow struct {
	Number, Address, By, Changed string
	At                           moment
	Now                          bool // it counts
}

// versionsShown is how many versions the page lists.
const versionsShown = 10

type fieldFault struct{ Name, Title, Message string }

// settingRow is one question: with Options it is chosen, with a Table each key has its own answer, else it is typed.
type settingRow struct {
	Name, Title, Help, Value, Fault string
	Options                         []option
	Table                           *settingTable
}

type option struct {
	Value, Label string
	Chosen       bool
}

// settingTable is a question with an answer for each of several keys, such as percentages.
type settingTable struct {
	Key, To           string // the form's fields
	KeyTitle, ToTitle string
	Decimal           bool // keys are numbers
	Rows              []tableRow
	Typed             bool     // answers are typed, with what is known offered: it may not be all that there is
	Known             []option // what is known then
	Empty             string   // what it means to type nothing
}

type tableRow struct {
	Number  int
	Key     string
	Label   string // what a key is called that is known; "" = it is typed
	Answer  string
	Options []option
}

// settingsPage shows the settings that count, or for ?version= those of an earlier version: to look at, and to save.
func (a *api) settingsPage(w http.ResponseWriter, r *http.Request, v visit) error {
	if number := r.URL.Query().Get("version"); number != "" {
		earlier, err := a.version(r.Context(), v.Tenant.ID, number)
		if err != nil {
			return err
		}
		note := "These are the settings of version " + number + "."
		if v.person.Changes() {
			note += " Press Save settings to have them count again."
		}
		return a.showSettings(w, r, v, http.StatusOK, settingsShown{doc: earlier.Settings, note: note})
	}
	sections, _ := a.stored(v.Bundle)
	doc, err := tenant.Write(nil, sections...)
	if err != nil {
		return err
	}
	return a.showSettings(w, r, v, http.StatusOK, settingsShown{doc: doc})
}

// settingsShown are settings as a page shows them.
type settingsShown struct {
	doc    []byte
	faults tenant.FieldErrors // what is wrong of them
	typed  url.Values         // what was typed just now, and is not saved; nil = nothing
	note   string
	replay *replayView
}

func (a *api) showSettings(w http.ResponseWriter, r *http.Request, v visit, status int, s settingsShown) error {
	part := partOf(r)
	o, err := a.known(r, v.Bundle, part)
	if err != nil {
		return err
	}
	var values map[string]json.RawMessage
	if err := json.Unmarshal(s.doc, &values); err != nil {
		return err
	}
	p := settingsPage{
		Address: r.URL.Path, Version: strconv.Itoa(v.Version), Note: cmp.Or(s.note, o.why),
		Save: v.person.Changes(), Button: part.button, Replay: s.replay,
	}
	p.Try = p.Save && part.replay
	for _, section := range a.Sections() {
		for _, f := range section.Fields() {
			if _, asked := part.questions[f.Name]; asked {
				p.Rows = append(p.Rows, settingOf(f, values[f.Name], o, s.typed, s.faults))
			}
		}
	}
	if p.Earlier, err = a.versionRows(r, v); err != nil {
		return err
	}
	for _, f := range s.faults {
		name, _, _ := strings.Cut(f.Field, ".")
		p.Faults = append(p.Faults, fieldFault{name, questionOf(name).Title, faultWords(f)})
	}
	fr := v.frame(r, part.label, p)
	fr.Heading, fr.Sections = part.heading, v.settingsMenu(r.URL.Path)
	return a.show(w, r, status, "settings", fr)
}

func (a *api) versionRows(r *http.Request, v visit) (rows []versionRow, err error) {
	list, _, err := a.versionsOf(r.Context(), v.Tenant.ID, 0, versionsShown)
	for _, s := range list {
		number := strconv.Itoa(s.Version)
		rows = append(rows, versionRow{
			Number: number, Address: r.URL.Path + "?version=" + number, By: text(s.By),
			Changed: titlesOf(s.Changed), At: v.moment(s.At), Now: s.Version == v.Version,
		})
	}
	return rows, err
}

// faultWords says what is wrong with an answer. The API's sentence has the names of settings and of their choices,
// which the page calls otherwise.
func faultWords(f tenant.FieldError) string {
	q := questionOf(f.Field)
	switch {
	case q.Answers == nil:
		return f.Message
	case f.Unless != nil:
		return "This does not go together with the answers above. " + q.Help
	}
	return "Choose one of these."
}

// settingOf is a field as a question. mine is what was typed just now, where that was refused.
func settingOf(
	f tenant.Field, raw json.RawMessage, o choices, mine url.Values, faults tenant.FieldErrors,
) settingRow {
	q := questionOf(f.Name)
	row := settingRow{Name: f.Name, Title: q.Title, Help: q.Help}
	for _, fault := range faults {
		if name, _, _ := strings.Cut(fault.Field, "."); name == f.Name {
			row.Fault = joined(" ", row.Fault, faultWords(fault))
		}
	}
	if t, ok := tables[f.Name]; ok {
		row.Table = t.shown(raw, o.keys[f.Name], o.answers[f.Name], mine, q.None)
		return row
	}
	if json.Unmarshal(raw, &row.Value) != nil {
		row.Value = string(raw) // yes or no
	}
	if mine != nil {
		row.Value = mine.Get(f.Name)
	}
	known, named := o.answers[f.Name]
	if f.Name == "defaultPriceTier" {
		known = tierChoices(known, row.Value)
	}
	switch {
	case q.Answers != nil:
		choices := f.Choices
		if choices == nil {
			choices = []string{"false", "true"}
		}
		for _, c := range choices {
			row.Options = append(row.Options, option{c, q.Answers[c], c == row.Value})
		}
	case named:
		lacks := "not in Cin7 Core"
		if f.Name == "addressField" {
			lacks = "not in the newest orders"
		}
		row.Options = names(known, row.Value, q.None, lacks)
	}
	return row
}

// tierChoices are the price tiers of an account. One that is chosen by its name, as programs may, is chosen among them.
func tierChoices(tiers []upstockcin7.Choice, chosen string) []upstockcin7.Choice {
	for _, t := range tiers {
		if t.Value != chosen && chosen != "" && strings.HasPrefix(t.Label, chosen+" (") {
			return append(slices.Clone(tiers), upstockcin7.Choice{Value: chosen, Label: t.Label})
		}
	}
	return tiers
}

// names are what an account has to choose from. What is chosen stays, even where the account has it no more, which
// lacks says.
func names(known []upstockcin7.Choice, chosen, none, lacks string) []option {
	list := []option{{"", none, chosen == ""}}
	found := chosen == ""
	for _, c := range known {
		list = append(list, option{c.Value, c.Label, c.Value == chosen})
		found = found || c.Value == chosen
	}
	if !found {
		list = append(list, option{chosen, chosen + " (" + lacks + ")", true})
	}
	return list
}

// choices are what the tenant's accounts have for settings to name, by the names of the settings.
type choices struct {
	answers map[string][]upstockcin7.Choice
	keys    map[string][]upstockcin7.Choice // of settings that are tables
	why     string                          // why there is nothing, or not everything, to choose from; "" = this is all
}

// known reads what the settings of a page may name.
func (a *api) known(r *http.Request, b tenant.Bundle, part *settingsPart) (c choices, err error) {
	if part == settingsParts["joor"] {
		return a.knownOfJOOR(r, b)
	}
	var o upstockcin7.Options
	var fields []upstockcin7.Choice
	err = together(
		func() (err error) { o, err = a.Pair.Options(r.Context(), b); return err },
		func() (err error) {
			if part == settingsParts["orders"] {
				fields, err = a.Pair.SeenFields(r.Context(), b.Tenant.ID)
			}
			return err
		},
	)
	c = choices{why: text(o.Why), answers: map[string][]upstockcin7.Choice{
		"location": o.Location, "freightProduct": o.FreightProduct, "defaultSalesRep": o.DefaultSalesRep,
		"defaultPriceTier": o.DefaultTier, "taxRules": o.TaxRules,
	}}
	if len(fields) > 0 { // else one that no order has yet can be typed
		c.answers["addressField"] = fields
	}
	return c, err
}

// knownOfJOOR reads what both accounts have for the settings of JOOR to name.
func (a *api) knownOfJOOR(r *http.Request, b tenant.Bundle) (choices, error) {
	o, err := a.JOOR.Options(r.Context(), b)
	of := func(options []joorcin7.Option) (list []upstockcin7.Choice) {
		for _, x := range options {
			list = append(list, upstockcin7.Choice(x))
		}
		return list
	}
	var prices []upstockcin7.Choice
	for _, p := range o.Prices {
		prices = append(prices, upstockcin7.Choice{Value: p.Currency + " " + p.Label, Label: p.String()})
	}
	return choices{
		why: o.Why,
		keys: map[string][]upstockcin7.Choice{"joorPrices": of(o.Columns), "joorTerms": of(o.Terms),
			"joorReps": of(o.People), "joorGroups": of(o.Groups)},
		answers: map[string][]upstockcin7.Choice{"joorPrices": prices, "joorTerms": of(o.Methods),
			"joorReps": of(o.Reps), "joorGroups": of(o.Theirs)},
	}, err
}

// tableSetting is a setting that has an answer for each of several keys.
type tableSetting struct {
	settingTable               // without its rows
	spare        int           // rows for further keys
	of           tenant.System // that has the answers
	priced       bool          // an answer is a price label with its currency
}

// tables are the settings that are tables, by their names.
var tables = map[string]tableSetting{
	"taxRules": {settingTable{Key: "percent", To: "rule", KeyTitle: "Percentage", ToTitle: "Tax rule", Decimal: true},
		2, tenant.Cin7Core, false},
	"joorPrices": {settingTable{Key: "priceColumn", To: "priceLabel", KeyTitle: "Price column",
		ToTitle: "Currency and price label",
		Typed:   true}, 1, tenant.JOOR, true},
	"joorTerms": {settingTable{Key: "terms", To: "method", KeyTitle: "Payment terms", ToTitle: "Payment method",
		Typed: true}, 1, tenant.JOOR, false},
	"joorReps": {settingTable{Key: "person", To: "rep", KeyTitle: "User id in Cin7 Omni", ToTitle: "Sales rep",
		Typed: true}, 1, tenant.JOOR, false},
	"joorGroups": {settingTable{Key: "group", To: "theirGroup", KeyTitle: "Group in Cin7 Omni",
		ToTitle: "Group in JOOR",
		Typed:   true}, 1, tenant.JOOR, false},
}

// shown is a table as a page asks it: as it is stored, or as it was typed just now. Keys that the account has stand
// there, whether they have an answer or not.
func (t tableSetting) shown(
	raw json.RawMessage, keys, answers []upstockcin7.Choice, mine url.Values, none string,
) *settingTable {
	shown := t.settingTable
	label := map[string]string{}
	for _, k := range keys {
		label[strings.ToLower(k.Value)] = k.Label
	}
	add := func(key, answer string) {
		row := tableRow{Number: len(shown.Rows) + 1, Key: key, Label: label[strings.ToLower(key)], Answer: answer}
		if !t.Typed {
			row.Options = names(answers, answer, none, "not in "+t.of.Title())
		}
		shown.Rows = append(shown.Rows, row)
	}
	if t.Typed {
		shown.Empty = none
		for _, known := range answers {
			shown.Known = append(shown.Known, option{Value: known.Value, Label: known.Label})
		}
	}
	if mine != nil {
		for i, key := range mine[t.Key] {
			add(key, at(mine[t.To], i))
		}
		return &shown
	}
	stored := t.stored(raw)
	has := map[string]bool{}
	for _, key := range slices.Sorted(maps.Keys(stored)) {
		add(key, stored[key])
		has[strings.ToLower(key)] = true
	}
	for _, k := range keys {
		if !has[strings.ToLower(k.Value)] {
			add(k.Value, "")
		}
	}
	for range t.spare {
		add("", "")
	}
	return &shown
}

// stored are a table's answers by their keys.
func (t tableSetting) stored(raw json.RawMessage) map[string]string {
	answers := map[string]string{}
	if !t.priced {
		_ = json.Unmarshal(raw, &answers)
		return answers
	}
	var prices map[string]struct{ Currency, Label string }
	_ = json.Unmarshal(raw, &prices)
	for key, p := range prices {
		answers[key] = p.Currency + " " + p.Label
	}
	return answers
}

// typed is the table that a form has. A key that the account has and nothing was chosen for has no answer.
func (t tableSetting) typed(form url.Values) any {
	answers, prices := map[string]string{}, map[string]map[string]string{}
	for i, key := range form[t.Key] {
		key, answer := strings.TrimSpace(key), strings.TrimSpace(at(form[t.To], i))
		switch {
		case key == "" && answer == "", answer == "" && !t.Decimal:
		case t.priced:
			currency, label, _ := strings.Cut(answer, " ")
			prices[key] = map[string]string{"currency": currency, "label": label}
		default:
			answers[key] = answer
		}
	}
	if t.priced {
		return prices
	}
	return answers
}

func at(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return ""
}

// typed is the document that a form's answers make of the settings as they are stored.
func (a *api) typed(b tenant.Bundle, part *settingsPart, form url.Values) ([]byte, error) {
	stored, _ := a.stored(b)
	now, err := tenant.Write(nil, stored...)
	if err != nil {
		return nil, err
	}
	var doc map[string]any
	if err := json.Unmarshal(now, &doc); err != nil {
		return nil, err
	}
	for name := range part.questions {
		if t, ok := tables[name]; ok {
			doc[name] = t.typed(form)
			continue
		}
		doc[name] = strings.TrimSpace(form.Get(name))
	}
	return json.Marshal(doc)
}

// saveSettingsPage saves what was typed. Where that is refused, or somebody else saved meanwhile, the page comes again
// with it.
func (a *api) saveSettingsPage(w http.ResponseWriter, r *http.Request, v visit) error {
	form, err := formOf(w, r)
	if err != nil {
		return err
	}
	part := partOf(r)
	doc, err := a.typed(v.Bundle, part, form)
	if err != nil {
		return err
	}
	seen, err := strconv.Atoi(form.Get("version"))
	if err != nil {
		return notOurForm()
	}
	shown := settingsShown{doc: doc, typed: form}
	if form.Has("replay") && part.replay {
		return a.replayPage(w, r, v, shown)
	}
	if seen != v.Version {
		return a.showChanged(w, r, v, shown)
	}
	_, _, err = a.changeSettings(r.Context(), v.Tenant.ID, seen,
		func([]tenant.Section) ([]byte, error) { return doc, nil })
	if errs, refused := errors.AsType[tenant.FieldErrors](err); refused {
		shown.faults = errs
		return a.showSettings(w, r, v, http.StatusUnprocessableEntity, shown)
	}
	if errors.Is(err, tenant.ErrChanged) {
		if v.Bundle, err = a.Tenants.Load(r.Context(), v.Tenant.ID); err != nil {
			return err
		}
		return a.showChanged(w, r, v, shown)
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, r.URL.Path+"?said="+partOf(r).said, http.StatusSeeOther)
	return nil
}

// showChanged answers who saves settings that were saved since they were read: by somebody else, who chose otherwise,
// or just the same, as when the button is pressed twice.
func (a *api) showChanged(w http.ResponseWriter, r *http.Request, v visit, shown settingsShown) error {
	sections, _ := a.stored(v.Bundle)
	now, err := tenant.Write(nil, sections...)
	if err != nil {
		return err
	}
	fresh := a.Sections()
	if tenant.Parse(shown.doc, fresh...) == nil {
		if mine, err := tenant.Write(nil, fresh...); err == nil && bytes.Equal(mine, now) {
			http.Redirect(w, r, r.URL.Path+"?said="+partOf(r).said, http.StatusSeeOther)
			return nil
		}
	}
	shown.note = changedMeanwhile
	return a.showSettings(w, r, v, http.StatusConflict, shown)
}

// replayPage shows what the newest orders would have become with what was typed, and keeps it.
func (a *api) replayPage(w http.ResponseWriter, r *http.Request, v visit, shown settingsShown) (err error) {
	if shown.faults = a.faultsOf(shown.doc, ""); len(shown.faults) > 0 {
		return a.showSettings(w, r, v, http.StatusUnprocessableEntity, shown)
	}
	if shown.replay, err = a.replay(r.Context(), v, shown.doc); err != nil {
		return err
	}
	return a.showSettings(w, r, v, http.StatusOK, shown)
}

// changedMeanwhile is said to the second of two people who save at once.
const changedMeanwhile = "Somebody else saved these settings since you opened them. Below is what you chose; " +
	"look at it " +
	"again, and press Save settings to have it count instead of theirs."

func catalogSettingsPath(tenantID string) string { return tenantPath(tenantID) + "/settings/catalogue" }
