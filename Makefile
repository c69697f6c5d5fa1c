# The front door. CI calls these targets and nothing else; `make check` is what a change must pass.
SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# A number of inputs, not a time: go test -fuzz now and then reports its own deadline as a failure (go.dev/issue/75804, fixed in Go 1.27).
FUZZTIME    ?= 30000x
FUZZSQL     ?= 2000x
SEEDS       ?= 1000
FIRST       ?= 1
TIME        ?= 10m
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
PLATFORMS   := linux/arm64 darwin/arm64 windows/amd64
export CGO_ENABLED ?= 0

.PHONY: $(shell grep -oE '^[a-z-]+:' Makefile | tr -d :) # every target; none is a file

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 18

build: ## build every package and ./bin/tributary
	go build ./...
	go build -o bin/ ./cmd/tributary

ext: ## build/tributary.so, the loadable extension (needs gcc)
	vtab/loadable/build.sh build/tributary.so

test-ext: ext ## tests of the extension in programs of its own (needs gcc, the sqlite3 program, python3)
	vtab/loadable/build.sh build/tributary-testclock.so -tags tributary_testclock
	conformance/native/build.sh build
	CGO_ENABLED=1 go vet ./vtab/loadable ./cmd/tributary-ext
	CGO_ENABLED=1 go run $(STATICCHECK) ./vtab/loadable ./cmd/tributary-ext
	TRIBUTARY_HOST=extension go test -timeout 10m ./vtab/ncruces
	TRIBUTARY_EXT=1 go test -timeout 10m -parallel 8 -run '^TestExtension' ./conformance # much of it waits for syncs

test: ## run all tests, without cgo
	CGO_ENABLED=0 go test -timeout 30m ./...

# SQLite's own code, translated to Go, runs in one goroutine and is ten times slower when instrumented. crdt starts none,
# and of conformance only the tests in which several write at once have anything to race with.
RACE = CGO_ENABLED=1 go test -race -short -timeout 20m -gcflags='github.com/ncruces/go-sqlite3-wasm/...=-race=false'
race: ## short tests under the race detector (needs gcc)
	$(RACE) $$(go list ./... | grep -vE '/(crdt|conformance)$$')
	$(RACE) -run '^(TestWriters|TestScenariosShell)$$' ./conformance

lint: ## gofmt, go vet, staticcheck
	@out=$$(gofmt -l .); [ -z "$$out" ] || { echo "gofmt would change:"; echo "$$out"; exit 1; }
	go vet ./...
	go run $(STATICCHECK) ./...

fuzz: ## every fuzz target for FUZZTIME (default 30000 inputs, some seconds), that through SQL for FUZZSQL
	@for p in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -r -n1 dirname | sort -u); do \
	  for f in $$(go test -list '^Fuzz' $$p | grep '^Fuzz'); do \
	    n=$(FUZZTIME); if [ $$f = FuzzStreamIn ]; then n=$(FUZZSQL); fi; \
	    echo "fuzz $$p $$f"; go test -run '^$$' -fuzz "^$$f\$$" -fuzztime $$n $$p; done; done

bench: ## every benchmark once, so that none rots
	go test -run '^$$' -bench . -benchtime 1x ./...

# What is compared with is taken where it is: see bench/README.md. Everything missing is named.
TRIBUTARY_EXT ?= $(wildcard build/tributary.so)
bench-peers: ## Tributary, bare SQLite, cr-sqlite, Automerge, Yjs and Loro on the same work (PEERS: flags)
	TRIBUTARY_EXT=$(TRIBUTARY_EXT) go run ./bench/peers $(PEERS)

sim: ## worlds in which everything goes wrong: SEEDS of them from FIRST on, for at most TIME
	go test ./conformance/sim -run 'TestSim$$' -v -timeout 0 -args -first=$(FIRST) -seeds=$(SEEDS) -time=$(TIME)

# A quarter of an hour. SCALE is the size of the Go benchmarks, COUNT how often each runs.
SCALE ?= 5
COUNT ?= 3
GOBENCH = TRIBUTARY_BENCH_SCALE=$(SCALE) TRIBUTARY_BENCH_BOOTSTRAP=1000000 go test ./bench -run '^$$' -bench . -benchtime 1x -count $(COUNT) -timeout 60m
bench-report: ## measure everything, write bench/RESULTS.md and its pictures
	mkdir -p bench/results
	TRIBUTARY_EXT=$(TRIBUTARY_EXT) go run ./bench/peers -json bench/results/peers.json $(PEERS)
	$(GOBENCH) > bench/results/go.txt
	go test ./crdt -run '^$$' -bench . -benchtime 0.2s -count $(COUNT) >> bench/results/go.txt
	go run ./bench/report -command "$(GOBENCH)"

# Under valgrind, if there is one, also instructions. UPDATE=1 keeps what is counted now.
guard: ## fail if a hot path does over 10 % more than bench/guard.json says (UPDATE=1: rewrite that)
	go run ./bench/guard $(if $(UPDATE),-update)

mutants: ## plant bugs in a copy, one after the other, and see which test catches each (some minutes)
	go run ./conformance/mutants

cross: ## build the command for other platforms; crdt must hold on 32 bits
	@for p in $(PLATFORMS); do echo "build $$p"; \
	  CGO_ENABLED=0 GOOS=$${p%/*} GOARCH=$${p#*/} go build -o /dev/null ./cmd/tributary; done
	CGO_ENABLED=0 GOARCH=386 go vet ./crdt

generate-clean: ## go generate and go mod tidy leave nothing to commit
	@before=$$(git diff | sha256sum); go generate ./...; after=$$(git diff | sha256sum); \
	  [ "$$before" = "$$after" ] || { echo "go generate changed files:"; git diff --stat; exit 1; }
	go mod tidy -diff

check: build lint test test-ext generate-clean guard bench fuzz race cross ## everything, under 15 minutes on two cores

demo: ## three replicas in conflict, made equal
	go run ./cmd/tributary demo
