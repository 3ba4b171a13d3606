package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"time"

	"stockbridge/internal/cloud"
	"stockbridge/internal/prose"
)

// brandCustomers is how many customers the brand has whose lists are measured.
const brandCustomers = 50_000

// benchCustomers measures the lists of a brand with very many customers: a search by name at the JSON API, and a list
// as a file. Then what its customers cost in calls.
func benchCustomers(ctx context.Context, _ benchOptions) ([]figure, error) {
	list, err := measureCustomers(ctx, rigOptions{speed: 1}, "")
	if err != nil {
		return list, err
	}
	calls, err := benchBrandCalls(ctx)
	return append(list, calls...), err
}

// benchCustomersDynamo is benchCustomers' lists on DynamoDB's API, as benchPagesDynamo.
func benchCustomersDynamo(ctx context.Context, _ benchOptions) ([]figure, error) {
	endpoint, stop, err := startDynamo(ctx)
	if err != nil {
		return nil, err
	}
	defer stop()
	if endpoint == "" {
		return []figure{{what: "lists of customers on DynamoDB's API", skipped: true,
			note: "dynoxide is not here; make conformance fetches it"}}, nil
	}
	t, err := cloud.NewTableAt(ctx, endpoint, fmt.Sprint("bench-", time.Now().UnixNano()))
	if err != nil {
		return nil, err
	}
	return measureCustomers(ctx, rigOptions{speed: 1, table: t}, " on DynamoDB's API")
}

// measureCustomers measures the lists. where is said of each figure.
func measureCustomers(ctx context.Context, o rigOptions, where string) (list []figure, err error) {
	o.brand, o.unlimited = true, true
	o.fill = func(r *rig) error { return r.fillContacts(ctx, brandCustomers) }
	r, err := openRig(ctx, o)
	if err != nil {
		return nil, err
	}
	defer r.close()
	path := r.path() + "/joor/customers"
	search := path + "?" + url.Values{"list": {"upload"}, "q": {"totara 4"}, "limit": {"50"}}.Encode()
	find := func() (time.Duration, error) {
		var page struct{ Of int }
		begun := time.Now()
		err := r.api.call(ctx, http.MethodGet, search, nil, &page)
		if err == nil && (page.Of == 0 || page.Of > brandCustomers/5) {
			err = fmt.Errorf("%s finds %d customers", search, page.Of)
		}
		return time.Since(begun), err
	}
	of := prose.Count(brandCustomers) + " customers" + where
	for _, m := range []struct {
		what  string
		times int
		anew  bool // by a process that has not read the list yet
	}{
		{"search by name among " + of, 40, false},
		{"the same in a process that begins with it", 10, true},
	} {
		var each []time.Duration
		if _, err := find(); err != nil {
			return list, err
		}
		reads, data := r.table.reads.Load(), r.table.bytes.Load()
		for range m.times {
			if m.anew {
				if err := r.restart(o); err != nil {
					return list, err
				}
			}
			took, err := find()
			if err != nil {
				return list, err
			}
			each = append(each, took)
		}
		slices.Sort(each)
		n := int64(m.times)
		list = append(list, figure{what: m.what + ", p95", unit: "ms", goal: 300,
			got: float64(each[m.times*95/100-1].Microseconds()) / 1000,
			note: fmt.Sprintf("p50 %v; %d reads of the table (%d kB)", each[m.times/2].Round(100*time.Microsecond),
				(r.table.reads.Load()-reads)/n, (r.table.bytes.Load()-data)/n/1000)})
	}
	file, err := r.measureFile(ctx, path+".xlsx?list=upload", "a file of "+of+" (XLSX)")
	return append(list, file...), err
}

// measureFile measures how long a file takes, and how much memory beyond what the process has already.
func (r *rig) measureFile(ctx context.Context, path, what string) ([]figure, error) {
	const memory = 128 << 20
	debug.FreeOSMemory()
	before, err := statusMiB(os.Getpid(), "RssAnon:")
	if err != nil {
		return nil, err
	}
	limit := debug.SetMemoryLimit(int64(before*(1<<20)) + memory)
	defer debug.SetMemoryLimit(limit)
	most, stop := watchMemory(os.Getpid())
	begun := time.Now()
	n, err := r.download(ctx, path)
	took := time.Since(begun)
	stop()
	if err != nil {
		return nil, err
	}
	return []figure{
		{what: what, got: float64(took.Milliseconds()) / 1000, goal: 5, unit: "s",
			note: fmt.Sprintf("%.1f MB", float64(n)/1e6)},
		{what: "its memory", got: max(0, most()-before), goal: memory >> 20, unit: "MiB", note: "client included"},
	}, nil
}

// download reads a file from the API, and returns how long it is.
func (r *rig) download(ctx context.Context, path string) (int64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.api.base+path, nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+r.api.token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("GET %s: %s", path, resp.Status)
	}
	return io.Copy(io.Discard, resp.Body)
}

// fillContacts gives Cin7 Omni so many customers.
func (r *rig) fillContacts(ctx context.Context, n int) error {
	names := []string{"Tōtara Street Apparel", "Harbour Outfitters", "Kōwhai Fashion House", "Royal Boutique"}
	towns := []string{"Auckland", "Wellington", "Taupō", "Whanganui"}
	path := "/sim/cin7omni/contacts?account=" + r.acc.Cin7Omni.Username
	const atOnce = 1000
	for from := 0; from < n; from += atOnce {
		var some []map[string]any
		for i := from; i < min(n, from+atOnce); i++ {
			no := strconv.Itoa(i)
			some = append(some, map[string]any{"type": "Customer", "company": names[i%4] + " " + no,
				"firstName": "Aroha", "lastName": "Ngata " + no, "email": "buyer" + no + "@example.com",
				"accountNumber": "C" + no, "address1": no + " Quay Street", "city": towns[i/4%4], "postCode": "0624",
				"country": "New Zealand", "phone": "+64 9 555 " + no, "priceColumn": "WholesalePrice",
				"isActive": true})
		}
		if err := (client{r.control.url, ""}).call(ctx, http.MethodPost, path, some, nil); err != nil {
			return err
		}
	}
	return nil
}

// The tests that send a thousand customers of Cin7 Omni to JOOR, and read very many, in fake time.
const brandCallsTest, brandReadingTest = "TestCalls", "TestReading"

func benchBrandCalls(ctx context.Context) ([]figure, error) {
	n, err := logged(ctx, brandCallsTest, `1000 contacts: (\d+) calls\. 1000 uploads: (\d+) jobs, (\d+) questions `+
		`about them, (\d+) look-ups in ([\d.]+) minutes, ([\d.]+) % of JOOR's credits`)
	if err != nil {
		return nil, err
	}
	used, err := logged(ctx, brandReadingTest, `([\d.]+) % of Cin7 Omni's limit`)
	if err != nil {
		return nil, err
	}
	return []figure{
		{what: "calls to read 1,000 contacts of Cin7 Omni", got: n[0], goal: 5},
		{what: "calls to upload 1,000 customers: bulk jobs", got: n[1], goal: 2, note: "one for 500"},
		{what: "and questions how far the jobs are", got: n[2], noGoal: true},
		{what: "and look-ups for the connections' ids", got: n[3], noGoal: true,
			note: fmt.Sprintf("all are there after %s minutes of fake time", short(n[4]))},
		{what: "use of JOOR's credits meanwhile, none refused", got: n[5], goal: 95, unit: "%", atLeast: true},
		{what: "use of Cin7 Omni's limit in a long reading, none refused", got: used[0], goal: 95, unit: "%",
			atLeast: true, note: "of 60 calls in 63 s"},
	}, nil
}

// logged are the numbers that a test of the pair logs at its size whole.
func logged(ctx context.Context, test, pattern string) (list []float64, err error) {
	log, err := runTest(ctx, test, "./internal/joorcin7", "-whole")
	if err != nil {
		return nil, err
	}
	m := regexp.MustCompile(pattern).FindStringSubmatch(log)
	if m == nil {
		return nil, fmt.Errorf("%s logs no such numbers: %s", test, log)
	}
	for _, text := range m[1:] {
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, err
		}
		list = append(list, n)
	}
	return list, nil
}

// connectBrand makes the tenant, connects Cin7 Omni and JOOR, and has the customers read.
func (r *rig) connectBrand(ctx context.Context) error {
	var t struct{ ID string }
	in := map[string]string{"name": r.acc.Name}
	if err := r.api.call(ctx, http.MethodPost, "/api/v1/tenants", in, &t); err != nil {
		return err
	}
	r.tenant = t.ID
	if err := connectBrand(ctx, r.api, r.path(), r.acc); err != nil {
		return err
	}
	_, err := (&demo{api: r.api, out: io.Discard}).follow(ctx, r.path(), "sync/contacts", nil)
	return err
}

// restart has another process serve the same table.
func (r *rig) restart(o rigOptions) error {
	r.runner.close()
	return r.startRunner(o)
}
