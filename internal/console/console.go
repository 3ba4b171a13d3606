// Package console is how people and their programs see and steer Stockbridge: the JSON API under /api/v1, whose
// description stands in openapi.yaml beside this file and is served at /api/openapi.yaml.
//
// # How a request is answered
//
// All of it, pages too, is one list of routes (api.routes). api.ServeHTTP sets the headers of every answer, catches a
// panic, and answers what no route has (404, 405).
//
// A request to the API goes one way: api.serve finds out who calls (api.caller), loads
// the tenant's bundle, refuses query parameters that the route does not know, and calls the route's handler. A handler
// reads its body with decode (which refuses unknown fields, and what is too long or no JSON object), asks the pair or
// a store, and answers with respond. Whatever error it returns, api.fail turns it into problem details (RFC 9457).
//
// A route of the API is of one of three kinds. open needs no token; known needs any; of lies below
// /api/v1/tenants/{tenant} and needs the operator's token or one of that tenant, of which a viewer's only reads.
//
// A request for a page goes another way (api.page), as it brings a session and no token: a form from another site is
// refused, and somebody who is signed out is sent to sign in (package signin) and comes back. anyone is for everybody;
// person for who has signed in; page lies below /t/{tenant} and is for who may see that tenant, of whom a viewer only
// looks. Its errors are pages (api.failPage). How a page is made stands in pages.go.
//
// A file is a resource: its routes' handlers, and the structs of its answers. An answer is never a struct of the ledger
// or the pair as it stands: a field of theirs that is renamed or added changes nothing outside.
//
// # What it promises
//
//   - A tenant's token learns nothing of other tenants, not even that they exist: both answer the same 404.
//   - What is wrong with a request is said by field, all at once (tenant.FieldErrors).
//   - An error that is nobody's fault outside is logged and not shown. No answer holds a secret, but for a token when
//     it is made, and the webhook address that a tenant pastes into Upstock.
//   - Lists end in next, which is the after of the following page; an after that no page has given is refused.
//   - What a person changed is an event that names who did it, in the same write where that can be.
//
// Every answer of the API that a test gets is held to openapi.yaml (house.do), and every route of the API must stand
// there. Every page is tried for everybody (TestPagesAreGuarded).
package console

import (
	"context"
	_ "embed"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"stockbridge/internal/alert"
	"stockbridge/internal/job"
	"stockbridge/internal/joorcin7"
	"stockbridge/internal/ledger"
	"stockbridge/internal/limit"
	"stockbridge/internal/signin"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/vendor"
)

// Deps are what the console stands on.
type Deps struct {
	Tenants *tenant.Store
	Ledger  *ledger.Ledger
	Orders  *order.Book
	Vendors *vendor.Vendors
	Pair    *upstockcin7.Pair
	JOOR    *joorcin7.Pair
	Jobs    *job.Runner
	// Sections are the settings of all pairs, at their defaults.
	Sections func() []tenant.Section
	// Operators are who may do everything with a token.
	Operators tenant.Operators
	Desk      *signin.Desk // where people sign in
	Log       *slog.Logger
	Started   time.Time // of the process, shown by health
	// Workbook makes XLSX files; nil = none are made here.
	Workbook Workbook
	// OrderPage is the address of an order's page in Upstock, with {id} for its id; "" = not known.
	OrderPage string
	Alerts    *alert.Store
	MailFrom  string      // who e-mails come from; "" = none are sent
	Guard     alert.Guard // of the addresses that tenants give
	// Budget is what is left of the calls that a connection's account may make.
	Budget func(context.Context, tenant.Connection) (limit.State, error)
	// Blocked lists the accounts that their vendors throttled, at most so many; more = there are others.
	Blocked func(ctx context.Context, most int) (list []limit.Block, more bool, err error)
	Queues  []job.Queue
	// Depth is how many messages a queue holds; nil: nobody can tell.
	Depth func(context.Context, job.Queue) (Depth, error)
}

// Depth is how many messages a queue holds, about.
type Depth struct {
	Ready    int `json:"ready"`    // to be received now
	Delayed  int `json:"delayed"`  // held back for a while
	Received int `json:"received"` // being worked on
}

//go:embed openapi.yaml
var openapi []byte

// New returns the handler of everything the console answers.
func New(d Deps) http.Handler {
	a := &api{Deps: d, mux: http.NewServeMux(), paths: http.NewServeMux(), methods: map[string][]string{},
		crossOrigin: http.NewCrossOriginProtection()}
	for _, rt := range a.routes() {
		path := rt.path
		if path == "/" {
			path = "/{$}"
		}
		if a.methods[path] == nil {
			a.paths.Handle(path, http.NotFoundHandler())
		}
		a.methods[path] = append(a.methods[path], rt.method)
		a.mux.HandleFunc(rt.method+" "+path, func(w http.ResponseWriter, r *http.Request) {
			if err := a.serve(rt, w, r); err != nil {
				rt.fail(a)(w, r, err)
			}
		})
	}
	return a
}

type api struct {
	Deps
	guesses     guesses
	mux         *http.ServeMux
	paths       *http.ServeMux      // finds a path without its method
	methods     map[string][]string // that a path answers
	crossOrigin *http.CrossOriginProtection
}

// route is one line of the list: exactly one of its handlers is set.
type route struct {
	method, path string
	query        string // the query parameters that it knows, with a space between
	admins       bool   // it is not for viewers, though it only reads

	open  func(http.ResponseWriter, *http.Request) error         // needs no token
	known func(http.ResponseWriter, *http.Request, caller) error // needs any token
	// needs the operator's token or the tenant's own
	of func(http.ResponseWriter, *http.Request, tenant.Bundle) error

	// Pages, for people who sign in.
	anyone func(http.ResponseWriter, *http.Request) error                // signed in or not
	person func(http.ResponseWriter, *http.Request, signin.Person) error // who has signed in
	page   func(http.ResponseWriter, *http.Request, visit) error         // who may see the tenant
}

// isPage reports whether people see what the route answers.
func (rt route) isPage() bool { return rt.anyone != nil || rt.person != nil || rt.page != nil }

// fail is how the route says that something went wrong.
func (rt route) fail(a *api) func(http.ResponseWriter, *http.Request, error) {
	if rt.isPage() {
		return a.failPage
	}
	return a.fail
}

func (a *api) routes() []route {
	const t = "/api/v1/tenants/{tenant}"
	return []route{
		{method: "GET", path: "/", anyone: a.front},
		{method: "GET", path: signin.BeginPath, anyone: a.Desk.Begin},
		{method: "GET", path: signin.CallbackPath, anyone: a.Desk.Callback},
		{method: "POST", path: signOutPath, anyone: a.signOut},
		{method: "GET", path: alert.ConfirmPath + "{tenant}/{token}", anyone: a.addressPage},
		{method: "POST", path: alert.ConfirmPath + "{tenant}/{token}", anyone: a.confirmAddressPage},
		{method: "GET", path: "/assets/{name}", open: a.asset},
		{method: "GET", path: "/tenants", person: a.tenantsPage},
		{method: "GET", path: operatorPath, person: a.operatorPage},
		{method: "POST", path: operatorPath + "/tenants", person: a.makeTenantPage},
		{method: "GET", path: "/operator/tenants/{tenant}/erase", person: a.askErase},
		{method: "POST", path: "/operator/tenants/{tenant}/erase", person: a.erasePage},
		{method: "GET", path: "/t/{tenant}", page: a.home},
		{method: "GET", path: "/t/{tenant}/orders", page: a.ordersPage},
		{method: "POST", path: "/t/{tenant}/orders", page: a.retryChosenPage},
		{method: "GET", path: "/t/{tenant}/orders/{id}", page: a.orderPage},
		{method: "GET", path: "/t/{tenant}/orders/{id}/calls/{number}", page: a.callPage},
		{method: "POST", path: "/t/{tenant}/orders/{id}/retry", page: a.retryPage},
		{method: "GET", path: "/t/{tenant}/orders/{id}/finish", page: a.askFinish},
		{method: "POST", path: "/t/{tenant}/orders/{id}/finish", page: a.finishOrderPage},
		{method: "GET", path: "/t/{tenant}/completeness", page: a.completenessPage},
		{method: "POST", path: "/t/{tenant}/completeness", page: a.checkPage},
		{method: "GET", path: "/t/{tenant}/completeness.csv", page: download(a.completenessSheet)},
		{method: "GET", path: "/t/{tenant}/completeness.xlsx", page: download(a.completenessSheet)},
		{method: "GET", path: "/t/{tenant}/backfill", page: a.backfillPage},
		{method: "POST", path: "/t/{tenant}/backfill", page: a.takeInPage},
		{method: "POST", path: "/t/{tenant}/backfill/stop", page: a.stopBackfillPage},
		{method: "GET", path: "/t/{tenant}/activity", page: a.activityPage},
		{method: "GET", path: "/t/{tenant}/activity.csv", page: download(a.eventsSheet)},
		{method: "GET", path: "/t/{tenant}/activity.xlsx", page: download(a.eventsSheet)},
		{method: "GET", path: "/t/{tenant}/products", page: a.productsPage},
		{method: "POST", path: "/t/{tenant}/products", page: a.syncPage(upstockcin7.JobProducts)},
		{method: "GET", path: "/t/{tenant}/products/import", page: a.importProductsPage},
		{method: "POST", path: "/t/{tenant}/products/import", page: a.importProductsForm},
		{method: "POST", path: "/t/{tenant}/products/import/all", page: a.importProductsForm},
		{method: "GET", path: "/t/{tenant}/products/{id}", page: a.productPage},
		{method: "GET", path: "/t/{tenant}/customers", page: a.customersPage},
		{method: "POST", path: "/t/{tenant}/customers", page: a.syncPage(upstockcin7.JobCustomers)},
		{method: "GET", path: "/t/{tenant}/customers/import", page: a.importCustomersPage},
		{method: "POST", path: "/t/{tenant}/customers/import", page: a.importCustomersForm},
		{method: "POST", path: "/t/{tenant}/customers/import/all", page: a.importCustomersForm},
		{method: "GET", path: "/t/{tenant}/customers/{id}", page: a.customerPage},
		{method: "POST", path: "/t/{tenant}/customers/{id}/link", page: a.linkCustomerPage},
		{method: "GET", path: "/t/{tenant}/customers/{id}/unlink", page: a.askUnlink},
		{method: "POST", path: "/t/{tenant}/customers/{id}/unlink", page: a.unlinkPage},
		{method: "GET", path: "/t/{tenant}/prices", page: a.pricesPage},
		{method: "POST", path: "/t/{tenant}/prices", page: a.syncPage(upstockcin7.JobPrices)},
		{method: "GET", path: "/t/{tenant}/prices/preview", page: a.previewPage},
		{method: "GET", path: "/t/{tenant}/prices/lists/{id}", page: a.priceListPage},
		{method: "GET", path: "/t/{tenant}/prices/changes", page: a.changesPage},
		{method: "POST", path: "/t/{tenant}/prices/changes", page: a.decideChangesPage},
		{method: "GET", path: "/t/{tenant}/prices/explain", page: a.explainPage},
		{method: "GET", path: "/t/{tenant}/joor", page: a.joorPage},
		{method: "POST", path: "/t/{tenant}/joor/contacts", page: a.joorSync(joorcin7.JobContacts)},
		{method: "POST", path: "/t/{tenant}/joor/look", page: a.joorSync(joorcin7.JobJOOR)},
		{method: "GET", path: "/t/{tenant}/joor/upload", page: a.joorListPage(joorcin7.ListUpload)},
		{method: "POST", path: "/t/{tenant}/joor/upload", page: a.sendForm(joorcin7.ListUpload)},
		{method: "POST", path: "/t/{tenant}/joor/upload/all", page: a.sendForm(joorcin7.ListUpload)},
		{method: "GET", path: "/t/{tenant}/joor/update", page: a.joorListPage(joorcin7.ListUpdate)},
		{method: "POST", path: "/t/{tenant}/joor/update", page: a.sendForm(joorcin7.ListUpdate)},
		{method: "POST", path: "/t/{tenant}/joor/update/all", page: a.sendForm(joorcin7.ListUpdate)},
		{method: "GET", path: "/t/{tenant}/joor/review", page: a.joorListPage(joorcin7.ListReview)},
		{method: "GET", path: "/t/{tenant}/joor/linked", page: a.joorListPage(joorcin7.ListLinked)},
		{method: "GET", path: "/t/{tenant}/joor/upload.csv", page: a.joorListFile(joorcin7.ListUpload)},
		{method: "GET", path: "/t/{tenant}/joor/upload.xlsx", page: a.joorListFile(joorcin7.ListUpload)},
		{method: "GET", path: "/t/{tenant}/joor/update.csv", page: a.joorListFile(joorcin7.ListUpdate)},
		{method: "GET", path: "/t/{tenant}/joor/update.xlsx", page: a.joorListFile(joorcin7.ListUpdate)},
		{method: "GET", path: "/t/{tenant}/joor/review.csv", page: a.joorListFile(joorcin7.ListReview)},
		{method: "GET", path: "/t/{tenant}/joor/review.xlsx", page: a.joorListFile(joorcin7.ListReview)},
		{method: "GET", path: "/t/{tenant}/joor/linked.csv", page: a.joorListFile(joorcin7.ListLinked)},
		{method: "GET", path: "/t/{tenant}/joor/linked.xlsx", page: a.joorListFile(joorcin7.ListLinked)},
		{method: "GET", path: "/t/{tenant}/joor/only.csv", page: download(a.onlySheet)},
		{method: "GET", path: "/t/{tenant}/joor/only.xlsx", page: download(a.onlySheet)},
		{method: "GET", path: "/t/{tenant}/joor/{id}", page: a.joorCustomerPage},
		{method: "GET", path: "/t/{tenant}/joor/match", page: a.joorMatchPage},
		{method: "POST", path: "/t/{tenant}/joor/match", page: a.decideMatchesForm},
		{method: "POST", path: "/t/{tenant}/joor/match/download", page: a.joorSync(joorcin7.JobDownload)},
		{method: "POST", path: "/t/{tenant}/joor/match/find", page: a.joorSync(joorcin7.JobMatches)},
		{method: "POST", path: "/t/{tenant}/joor/match/{contact}", page: a.decideMatchForm},
		{method: "GET", path: "/t/{tenant}/joor/match/{contact}/undo", page: a.askUnmatch},
		{method: "POST", path: "/t/{tenant}/joor/match/{contact}/undo", page: a.unmatchPage},
		{method: "GET", path: "/t/{tenant}/joor/only", page: a.joorOnlyPage},
		{method: "GET", path: "/t/{tenant}/progress/{id}", page: a.progressPage},
		{method: "GET", path: "/t/{tenant}/settings/integrations", page: a.integrationsPage},
		{method: "GET", path: "/t/{tenant}/settings/integrations/test-order", page: a.testOrderPage},
		{method: "POST", path: "/t/{tenant}/settings/integrations/test-order", page: a.startTestOrderPage},
		{method: "POST", path: "/t/{tenant}/settings/integrations/{system}", page: a.connectPage},
		{method: "POST", path: "/t/{tenant}/settings/integrations/upstock/own", page: a.sayOwnOffPage},
		{method: "GET", path: "/t/{tenant}/settings/integrations/{system}/disconnect", page: a.askDisconnect},
		{method: "POST", path: "/t/{tenant}/settings/integrations/{system}/disconnect", page: a.disconnectPage},
		{method: "GET", path: "/t/{tenant}/settings/orders", page: a.settingsPage},
		{method: "POST", path: "/t/{tenant}/settings/orders", page: a.saveSettingsPage},
		{method: "GET", path: "/t/{tenant}/settings/catalogue", page: a.settingsPage},
		{method: "POST", path: "/t/{tenant}/settings/catalogue", page: a.saveSettingsPage},
		{method: "GET", path: "/t/{tenant}/settings/joor", page: a.settingsPage},
		{method: "POST", path: "/t/{tenant}/settings/joor", page: a.saveSettingsPage},
		{method: "GET", path: "/t/{tenant}/flows/{flow}/pause", page: a.askPause},
		{method: "POST", path: "/t/{tenant}/flows/{flow}/pause", page: a.pausePage},
		{method: "POST", path: "/t/{tenant}/flows/{flow}/resume", page: a.resumePage},
		{method: "GET", path: "/t/{tenant}/settings/access", page: a.accessPage},
		{method: "POST", path: "/t/{tenant}/settings/access/tokens", page: a.makeTokenPage},
		{method: "GET", path: "/t/{tenant}/settings/access/tokens/{id}/revoke", page: a.askRevoke},
		{method: "POST", path: "/t/{tenant}/settings/access/tokens/{id}/revoke", page: a.revokePage},
		{method: "GET", path: "/t/{tenant}/export", admins: true, page: download(a.export)},
		{method: "GET", path: "/t/{tenant}/settings/alerts", page: a.alertsPage},
		{method: "POST", path: "/t/{tenant}/settings/alerts", page: a.saveAlertsPage},
		{method: "POST", path: "/t/{tenant}/settings/alerts/ask", page: a.askRecipientPage},
		{method: "POST", path: "/t/{tenant}/settings/alerts/test", page: a.testAlertsPage},
		{method: "POST", path: "/t/{tenant}/settings/alerts/secret", page: a.alertSecretPage},
		{method: "POST", path: "/t/{tenant}/problems/{key}/fix", page: a.fixPage},
		{method: "POST", path: "/t/{tenant}/problems/{key}/retry", page: a.retryCausePage},
		{method: "POST", path: "/t/{tenant}/retry", page: a.retryAllPage},
		{method: "POST", path: "/t/{tenant}/look", page: a.lookPage},
		{method: "POST", path: "/t/{tenant}/links/{kind}/{from}", page: a.linkPage},
		{method: "POST", path: "/t/{tenant}/links/{kind}/{from}/forget", page: a.forgetPage},
		{method: "POST", path: "/t/{tenant}/gaps/dismiss", page: a.dismissGapPage},

		{method: "GET", path: "/healthz", open: a.alive},
		{method: "GET", path: "/api/openapi.yaml", open: a.description},

		{method: "GET", path: "/api/v1/health", query: "after limit", known: a.operatorHealth},
		{method: "GET", path: "/api/v1/tenants", query: "after limit", known: a.listTenants},
		{method: "POST", path: "/api/v1/tenants", known: a.createTenant},
		{method: "DELETE", path: t, known: a.eraseTenant},
		{method: "POST", path: "/api/v1/restored", known: a.restored},
		{method: "GET", path: t + "/tokens", query: "after limit", of: a.listTokens},
		{method: "POST", path: t + "/tokens", of: a.createToken},
		{method: "DELETE", path: t + "/tokens/{id}", of: a.revokeToken},
		{method: "GET", path: t + "/people", of: a.listPeople},
		{method: "GET", path: t + "/alerts", of: a.getAlerts},
		{method: "PUT", path: t + "/alerts", of: a.putAlerts},
		{method: "POST", path: t + "/alerts/ask", of: a.askRecipient},
		{method: "POST", path: t + "/alerts/test", of: a.testAlerts},
		{method: "POST", path: t + "/alerts/secret", of: a.newAlertSecret},
		{method: "GET", path: t + "/flows", of: a.listFlows},
		{method: "PUT", path: t + "/flows/{flow}", of: a.putFlow},
		{method: "GET", path: t + "/settings", of: a.getSettings},
		{method: "PUT", path: t + "/settings", of: a.putSettings},
		{method: "PATCH", path: t + "/settings", of: a.patchSettings},
		{method: "GET", path: t + "/settings/versions", query: "after limit", of: a.listVersions},
		{method: "GET", path: t + "/options", of: a.options},
		{method: "GET", path: t + "/health", of: a.health},
		{method: "GET", path: t + "/export", query: "after", admins: true, of: a.export},
		{method: "GET", path: t + "/events", query: "kind by order from to after limit", of: a.listEvents},
		{method: "GET", path: t + "/events.csv", query: "kind by order from to", of: a.eventsSheet},
		{method: "GET", path: t + "/events.xlsx", query: "kind by order from to", of: a.eventsSheet},
		{method: "POST", path: t + "/sync/{job}", of: a.sync},

		{method: "GET", path: t + "/completeness", query: "from to", of: a.getCompleteness},
		{method: "POST", path: t + "/completeness", of: a.startCompleteness},
		{method: "GET", path: t + "/completeness.csv", query: "from to", of: a.completenessSheet},
		{method: "GET", path: t + "/completeness.xlsx", query: "from to", of: a.completenessSheet},

		{method: "GET", path: t + "/connections", of: a.listConnections},
		{method: "GET", path: t + "/connections/{system}", of: a.getConnection},
		{method: "PUT", path: t + "/connections/{system}", of: a.putConnection},
		{method: "DELETE", path: t + "/connections/{system}", of: a.deleteConnection},
		{method: "PUT", path: t + "/connections/upstock/ownIntegration", of: a.putOwnIntegration},
		{method: "DELETE", path: t + "/gaps/{from}", of: a.dismissGap},

		{method: "GET", path: t + "/orders", query: "state q after limit", of: a.listOrders},
		{method: "GET", path: t + "/orders/counts", of: a.countOrders},
		{method: "POST", path: t + "/orders/retry", of: a.retryAll},
		{method: "POST", path: t + "/orders/preview", of: a.preview},
		{method: "GET", path: t + "/orders/{id}", of: a.getOrder},
		{method: "POST", path: t + "/orders/{id}/retry", of: a.retry},
		{method: "GET", path: t + "/orders/{id}/finish", query: "step", of: a.planFinish},
		{method: "POST", path: t + "/orders/{id}/finish", of: a.finish},

		{method: "GET", path: t + "/problems", of: a.listProblems},
		{method: "POST", path: t + "/problems/{key}/fix", of: a.fixProblem},
		{method: "POST", path: t + "/problems/{key}/retry", of: a.retryProblem},
		{method: "GET", path: t + "/links/{kind}", query: "q after limit", of: a.listLinks},
		{method: "PUT", path: t + "/links/{kind}/{from}", of: a.putLink},
		{method: "DELETE", path: t + "/links/{kind}/{from}", of: a.deleteLink},

		{method: "GET", path: t + "/progress/{id}", of: a.getProgress},
		{method: "GET", path: t + "/products", query: "list q after limit", of: a.listProducts},
		{method: "POST", path: t + "/products/import", of: a.importProducts},
		{method: "GET", path: t + "/products/{id}", of: a.getProduct},
		{method: "GET", path: t + "/customers", query: "list q after limit", of: a.listCustomers},
		{method: "POST", path: t + "/customers/import", of: a.importCustomers},
		{method: "POST", path: t + "/customers/matches", of: a.decideMatches},
		{method: "DELETE", path: t + "/customers/matches/{id}", of: a.deleteMatch},
		{method: "GET", path: t + "/customers/{id}", of: a.getCustomer},
		{method: "GET", path: t + "/price-lists", query: "after limit", of: a.listPriceLists},
		{method: "GET", path: t + "/price-lists/{id}", query: "after limit", of: a.getPriceList},
		{method: "GET", path: t + "/prices/explain", query: "customer product", of: a.explainPrice},
		{method: "GET", path: t + "/prices/preview", of: a.previewPrices},
		{method: "GET", path: t + "/price-changes", query: "state after limit", of: a.listPriceChanges},
		{method: "POST", path: t + "/price-changes", of: a.decidePriceChanges},

		{method: "GET", path: t + "/joor/customers", query: "list q sort after limit", of: a.listJOORCustomers},
		{method: "GET", path: t + "/joor/customers.csv", query: "list q sort", of: a.joorSheet},
		{method: "GET", path: t + "/joor/customers.xlsx", query: "list q sort", of: a.joorSheet},
		{method: "GET", path: t + "/joor/customers/{id}", of: a.getJOORCustomer},
		{method: "POST", path: t + "/joor/upload", of: a.sendToJOOR(joorcin7.JobUpload)},
		{method: "POST", path: t + "/joor/update", of: a.sendToJOOR(joorcin7.JobUpdate)},
		{method: "POST", path: t + "/joor/contacts/download", of: a.downloadContacts},
		{method: "GET", path: t + "/joor/matches", query: "state q after limit", of: a.listJOORMatches},
		{method: "POST", path: t + "/joor/matches", of: a.decideJOORMatches},
		{method: "DELETE", path: t + "/joor/matches/{contact}", of: a.deleteJOORMatch},
		{method: "GET", path: t + "/joor/only", query: "q after limit", of: a.listJOOROnly},
		{method: "GET", path: t + "/joor/only.csv", query: "q", of: a.onlySheet},
		{method: "GET", path: t + "/joor/only.xlsx", query: "q", of: a.onlySheet},

		{method: "GET", path: t + "/test-order", of: a.getTestOrder},
		{method: "POST", path: t + "/test-order", of: a.startTestOrder},
		{method: "POST", path: t + "/backfill/preview", of: a.previewBackfill},
		{method: "GET", path: t + "/backfill", of: a.getBackfill},
		{method: "POST", path: t + "/backfill", of: a.startBackfill},
		{method: "DELETE", path: t + "/backfill", of: a.stopBackfill},
	}
}

// ServeHTTP answers what the mux would answer in plain text as problems.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	h.Set("Strict-Transport-Security", "max-age=31536000") // browsers heed it over HTTPS alone
	fail := a.failPage
	if r.URL.Path == "/healthz" || strings.HasPrefix(r.URL.Path, "/api/") || strings.HasPrefix(r.URL.Path, "/assets/") {
		fail = a.fail
	}
	defer func() {
		v := recover()
		if v == http.ErrAbortHandler {
			panic(v)
		}
		if v != nil {
			a.Log.ErrorContext(r.Context(), "panic", "method", r.Method, "route", r.Pattern, "panic", v, "stack",
				string(debug.Stack()))
			fail(w, r, &problem{Status: http.StatusInternalServerError, Detail: "Something went wrong on our side."})
		}
	}()
	_, path := a.paths.Handler(r)
	if methods := a.methods[path]; slices.Contains(methods, r.Method) ||
		r.Method == http.MethodHead && slices.Contains(methods, http.MethodGet) {
		a.mux.ServeHTTP(w, r)
		return
	}
	if strings.HasPrefix(r.URL.Path, "/api/v1") {
		if _, err := a.caller(r); err != nil {
			a.fail(w, r, err)
			return
		}
	}
	if path == "" {
		fail(w, r, notFound())
		return
	}
	allow := allowed(a.methods[path])
	h.Set("Allow", allow)
	fail(w, r, &problem{Status: http.StatusMethodNotAllowed, Detail: "This address answers " + allow + "."})
}

// allowed lists methods as the header Allow does.
func allowed(methods []string) string {
	var list []string
	for _, m := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} {
		if slices.Contains(methods, m) || m == http.MethodHead && slices.Contains(methods, http.MethodGet) {
			list = append(list, m)
		}
	}
	return strings.Join(list, ", ")
}

func (a *api) serve(rt route, w http.ResponseWriter, r *http.Request) error {
	switch {
	case rt.open != nil:
		if strings.HasPrefix(rt.path, "/api/") {
			if err := rt.knows(r.URL.RawQuery); err != nil {
				return err
			}
		}
		return rt.open(w, r)
	case rt.isPage():
		return a.page(rt, w, r)
	}
	c, err := a.caller(r)
	if err != nil {
		return err
	}
	r = r.WithContext(ledger.WithActor(r.Context(), c.name))
	if rt.known != nil {
		if err := rt.knows(r.URL.RawQuery); err != nil {
			return err
		}
		return rt.known(w, r, c)
	}
	id := r.PathValue("tenant")
	if !c.may(id) || !fitsKey(id, 100) {
		return missing("There is no such tenant, or this token is not one of its own.")
	}
	b, err := a.Tenants.Load(r.Context(), id)
	if errors.Is(err, tenant.ErrNotFound) {
		return missing("There is no such tenant, or this token is not one of its own.")
	}
	if err != nil {
		return err
	}
	if err := rt.knows(r.URL.RawQuery); err != nil {
		return err
	}
	if c.viewer && rt.method != http.MethodGet {
		return &problem{Status: http.StatusForbidden,
			Detail: "This token is a viewer's: it reads, and changes nothing."}
	}
	if c.viewer && rt.admins {
		return adminsOnly()
	}
	return rt.of(w, r.WithContext(context.WithValue(r.Context(), changesKey{}, !c.viewer)), b)
}

// changesKey is where the context of an API's request says whether its token may change what it reads.
type changesKey struct{}

// changes reports whether the token of an API's request may change what it reads.
func changes(r *http.Request) bool {
	may, _ := r.Context().Value(changesKey{}).(bool)
	return may
}

// neverEmpty are parameters of which an empty one says nothing.
var neverEmpty = []string{"by", "from", "limit", "state", "to"}

// knows refuses query parameters that the route does not have, that are given twice, or that say nothing: a misspelt
// filter would quietly show everything.
func (rt route) knows(query string) error {
	q, err := url.ParseQuery(query)
	if err != nil {
		return &problem{Status: http.StatusBadRequest, Detail: "The query of the address cannot be read."}
	}
	known, hint := strings.Fields(rt.query), "This address takes no parameters."
	if len(known) > 0 {
		hint = "This address takes " + strings.Join(known, ", ") + "."
	}
	var errs, empty tenant.FieldErrors
	for _, name := range slices.Sorted(maps.Keys(q)) {
		if !slices.Contains(known, name) {
			errs = append(errs, tenant.FieldError{Field: name, Message: "There is no such parameter. " + hint})
		} else if len(q[name]) > 1 {
			errs = append(errs, tenant.FieldError{Field: name, Message: "This parameter is given more than once."})
		} else if q[name][0] == "" && slices.Contains(neverEmpty, name) {
			empty = append(empty, tenant.FieldError{Field: name, Message: "This parameter is empty. Leave it out."})
		}
	}
	switch {
	case errs != nil:
		return badQuery(errs...)
	case empty != nil:
		return empty
	}
	return nil
}

// caller is who holds the request's token.
type caller struct {
	operator bool
	tenant   string // of a tenant's token
	viewer   bool   // reads only
	name     string // as events name it
}

func (c caller) may(tenantID string) bool {
	return c.operator || tenantID != "" && tenantID == c.tenant
}

func (a *api) caller(r *http.Request) (caller, error) {
	refused := func(why string) (caller, error) {
		return caller{}, &problem{Status: http.StatusUnauthorized, Detail: why}
	}
	const unknown = "Send a valid token: Authorization: Bearer …"
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return refused(unknown)
	}
	now := time.Now()
	if wait := a.guesses.wait(r.RemoteAddr, token, now); wait > 0 {
		return caller{}, &problem{Status: http.StatusTooManyRequests, after: wait,
			Detail: "Too many tokens that do not exist came from your address. Try again in a minute."}
	}
	if a.Operators.Know(token) {
		a.guesses.right(token)
		return caller{operator: true, name: "the operator"}, nil
	}
	id, t, err := a.Tenants.Bearer(r.Context(), token)
	switch {
	case errors.Is(err, tenant.ErrRevoked):
		return refused("This token was revoked. Send another one, made under Settings › Access.")
	case errors.Is(err, tenant.ErrExpired):
		return refused("This token has expired. Send another one, made under Settings › Access.")
	case errors.Is(err, tenant.ErrNotFound):
		a.guesses.wrong(r.RemoteAddr, token, now)
		return refused(unknown)
	case err != nil:
		return caller{}, err
	}
	a.guesses.right(token)
	return caller{tenant: id, viewer: t.Role != tenant.Admin, name: tokenName(t)}, nil
}

// fitsKey reports whether a foreign text may be part of a key of the table: the
// table would refuse others with an error that is not the caller's fault.
func fitsKey(s string, max int) bool {
	return s != "" && len(s) <= max && utf8.ValidString(s) && !strings.ContainsRune(s, '#')
}

func (a *api) description(w http.ResponseWriter, r *http.Request) error {
	write(w, r, http.StatusOK, "application/yaml", openapi)
	return nil
}

func (a *api) alive(w http.ResponseWriter, r *http.Request) error {
	return respond(w, r, http.StatusOK, map[string]string{"status": "ok"})
}

// system is the vendor of the path's system: one that there is, and that can be connected.
func (a *api) system(r *http.Request) (vendor.Vendor, error) {
	sys := tenant.System(r.PathValue("system"))
	row, ok := a.Vendors.Of(sys)
	switch {
	case ok:
		return row, nil
	case slices.Contains(tenant.Systems(), sys):
		return row, &problem{
			Status: http.StatusNotImplemented,
			Detail: "This system cannot be connected yet; " + strings.Join(a.systems(), " and ") + " can.",
		}
	}
	return row, notFound()
}

// systems are those that can be connected, as paths name them.
func (a *api) systems() (names []string) {
	for _, sys := range a.Vendors.Systems() {
		names = append(names, string(sys))
	}
	return names
}

// wake sends a tenant's due orders to be worked on, the oldest first, and says how many.
func (a *api) wake(ctx context.Context, tenantID string) (n int, err error) {
	return a.Pair.WakeDue(ctx, tenantID, 500)
}
