# make help lists the targets.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
# How large a test is, and which flag says so: internal/testsize.
.PHONY: help test full race simulate power proof catalogue pages lint run build sbom invoke event events seed conformance contract bench kills screenshots fuzz

LOCAL   := go run ./internal/local
FN      ?= orders
EVENT   ?= events/$(FN).json
FUZZTIME ?= 20s

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

run: ## everything on this machine, with a demo; ARGS="-listen … -demo=false" passes flags on
	@mkdir -p .cache; [ -x .cache/stockbridge ] || echo "Building: the first time takes about a minute."
	@go build -o .cache/stockbridge ./internal/local
	@trap : INT; .cache/stockbridge $(ARGS)

# They take the longest, and so are begun first.
LONG := ./internal/upstockcin7 ./internal/console
# Where several work at once; make race looks at the others too.
MANY := ./internal/job ./internal/joorcin7 ./internal/limit ./internal/publish ./internal/table
test: ## every story, then a sample with the race detector; without large tests
	GOGC=400 go test -short -shuffle=on -timeout 30m $(LONG) ./...
	GOGC=400 go test -short -race -shuffle=on -timeout 30m $(LONG) $(MANY)

full: ## all tests once, the larger ones too
	GOGC=400 go test -shuffle=on -timeout 30m $(LONG) ./...

race: ## every package, story and page with the race detector, of which make test runs a sample
	GOGC=400 go test -short -race -shuffle=on -timeout 30m $(LONG) ./internal/joorcin7 -args -every
	GOGC=400 go test -short -race -shuffle=on -timeout 30m $$(go list ./... | grep -vE '/internal/(upstockcin7|console|joorcin7)$$')

SEEDS   ?= 2000
FROM    ?= 1
SECONDS ?= 0
simulate: ## the simulated whole: SEEDS=2000 seeds FROM=1 on, or for SECONDS=…; a process for each core
	@go test -c -o .cache/simulate ./internal/upstockcin7/simulate
	@cores=$$(nproc); pids=; echo "seeds from $(FROM) on"; cd internal/upstockcin7/simulate; \
	for n in $$(seq 0 $$((cores-1))); do \
	  GOGC=400 GOMAXPROCS=1 ../../../.cache/simulate -test.v -test.timeout 0 -test.run '^TestSimulate$$' -seeds $$((($(SEEDS)+cores-1)/cores)) -seconds $(SECONDS) -from $$(($(FROM)+n)) -step $$cores & pids="$$pids $$!"; \
	done; code=0; for pid in $$pids; do wait $$pid || code=1; done; exit $$code

power: ## each rule of the protocol switched off, each mended fault put back: how many of 2,000 seeds meet it; ONLY=part of a name
	@cd internal/upstockcin7/simulate && GOGC=400 go test -count=1 -v -timeout 0 -run '^TestPower$$' . -args -power -only '$(ONLY)'

PART ?= 1/1
proof: ## the whole crash proofs, of orders, publish and JOOR's customers, and what of them has a larger size: 40 minutes; a part: PART=2/3
	@mkdir -p .cache; echo "part $(PART) of the crash proof's schedules"
	@GOGC=400 go test -count=1 -v -timeout 90m -skip '^TestCatalog' ./internal/upstockcin7 ./internal/upstockcin7/sale ./internal/publish ./internal/joorcin7 -args -whole -part $(PART) >.cache/proof.log 2>&1 || \
	  { grep -E -B 20 -A 40 -e '--- FAIL|^panic: |^FAIL' .cache/proof.log; exit 1; }; \
	  grep -vE '=== |--- (PASS|SKIP)' .cache/proof.log | grep -E 'crash proof|lost|backlog|tenants|missing|^ok'

catalogue: ## the catalogue's crash proof, months and memory at their whole size, which make full runs a sample of: half an hour
	GOGC=400 go test -count=1 -v -timeout 90m ./internal/upstockcin7 ./internal/upstockcin7/catalogue ./internal/mirror -run '^TestCatalog|^TestSides|^TestGoodsAreSmall|^TestMemory' -args -whole

pages: ## the pages in Chromium with axe-core, where .ci/run has put it, every event of make invoke, every hostile address
	go test -count=1 ./internal/console -run '^TestHostileAddresses$$' -args -whole
	go test -count=1 -timeout 30m ./internal/local -run '^(TestPages|TestStory|TestCatalogueStory|TestJOORStory|TestSeedAndInvoke)$$' -args -whole

lint: ## gofmt, go mod tidy, vet, staticcheck, govulncheck; cfn-lint and sam validate where installed
	@bad=$$(gofmt -l .); if [ -n "$$bad" ]; then echo "not gofmt'ed: $$bad"; exit 1; fi
	go mod tidy -diff
	go vet ./...
	go tool staticcheck ./...
	@code=0; out=$$(go tool govulncheck ./... 2>&1) || code=$$?; \
	if [ $$code -eq 0 ]; then echo "govulncheck: nothing found"; \
	elif echo "$$out" | grep -qE 'fetching vulnerabilities|vuln\.go\.dev.*(dial|lookup|timeout|refused|Forbidden|403)'; then echo "govulncheck: not run, its data cannot be reached from here"; \
	else echo "$$out"; exit $$code; fi
	@if command -v cfn-lint >/dev/null; then echo cfn-lint template.yaml; cfn-lint template.yaml; else echo "cfn-lint: not run, not installed"; fi
	@if command -v sam >/dev/null; then echo sam validate --lint; SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=$${AWS_DEFAULT_REGION:-ap-southeast-2} sam validate --lint; else echo "sam validate: not run, SAM is not installed"; fi

build: ## the functions for Lambda: dist/<function>.zip, linux/arm64
	@$(LOCAL) build

sbom: ## what make build's functions are made of, as CycloneDX with each module's license: dist/sbom.cdx.json
	@mkdir -p dist; $(LOCAL) sbom >dist/sbom.cdx.json
	@grep -hE '"(name|version|id)":' dist/sbom.cdx.json | sed -E 's/.*": "?([^",]*).*/\1/' | tail -n +2 | paste - - -

# sam build asks for these in a function's folder, whose Makefile includes this one. A test compares the flags.
build-%Function:
	GOOS=linux GOARCH=arm64 CGO_ENABLED=0 GOFLAGS= go build -trimpath -tags=lambda.norpc,nethttpomithttp2 '-ldflags=-s -w -buildid=' -o "$(ARTIFACTS_DIR)/bootstrap" .

invoke: ## one event through one function: FN=orders EVENT=events/orders.json; STORE=aws uses what env.json names
	@STORE=$(STORE) $(LOCAL) invoke -fn $(FN) -event $(EVENT)

event: ## a webhook event, freshly signed, for sam local invoke: EVENT=events/webhook.json
	@$(LOCAL) event $(if $(filter file,$(origin EVENT)),events/webhook.json,$(EVENT))

events: ## what stands in events/, written anew: env.json too
	@$(LOCAL) events

seed: ## the demo tenant for invoke; STORE=aws puts it into the table that events/env.json names
	@STORE=$(STORE) $(LOCAL) seed

conformance: ## the storage suite against DynamoDB's API
	.ci/conformance

contract: ## the JSON API against its description, with requests that schemathesis makes up: SEED=1 SECONDS_MOST=60
	SEED=$(or $(SEED),1) SECONDS_MOST=$(or $(SECONDS_MOST),60) .ci/contract

kills: ## kill the process 50 times while 200 orders come in and are shipped: 200 sales, 400 parcels in the end
	$(LOCAL) kills

bench: ## measures each number beside the one to reach: calls, orders a second, shipments, memory, size, start
	$(LOCAL) bench

screenshots: ## every page of the console as a picture, both widths and themes: .cache/screenshots
	go test -count=1 -run '^(TestPages|TestStory|TestCatalogueStory|TestJOORStory)$$' ./internal/local -args -shots $(CURDIR)/.cache/screenshots

# Where the time is up, Go may end a target with a bare "context deadline exceeded" that is no finding (go.dev/issue/75804,
# mended in Go 1.27): once more then.
fuzz: ## every fuzz target for FUZZTIME
	@mkdir -p .cache; fuzz() { go test -run '^$$' -fuzz "^$$2$$" -fuzztime $(FUZZTIME) $$1 | tee .cache/fuzz.log; }; \
	grep -rEo '^func Fuzz[[:alnum:]]+' --include='*_test.go' internal | sed -E 's|^(.*)/[^/]*:func |./\1 |' | sort | while read -r pkg target; do \
	  echo "$$pkg $$target"; \
	  fuzz $$pkg $$target || { grep -A1 -e '^--- FAIL' .cache/fuzz.log | grep -qx ' *context deadline exceeded' && \
	    echo "the time was up in the midst of an input, which is no finding: once more" && fuzz $$pkg $$target; } || exit 1; \
	done
