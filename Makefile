# Two commands do everything: make run, make test. The rest are parts of them, or longer forms.

GO      ?= go
# Time for each fuzz target; make fuzz FUZZTIME=10m is the long form.
FUZZTIME ?= 10s
STATICCHECK = $(GO) tool -modfile=tools/go.mod staticcheck

# The server that the real clients are pointed at, with the race detector, built once for all of them.
export TRENT_TEST_BINARY := $(CURDIR)/bin/trent-race

.PHONY: run build test deps check unit clients fuzz crash oracle bench scale stall authorize generate

run: build
	./bin/trent server --dev

build:
	$(GO) build -trimpath -o bin/trent ./cmd/trent

# Everything, on a fresh Debian machine with Go. What is missing is installed; what cannot be installed is an error.
test: deps check unit clients

deps:
	sh test/install-deps

# Form, before function: formatting, vet, staticcheck, tidy modules. (That generated code is fresh is a unit test.)
check:
	test -z "$$(gofmt -l .)" || { gofmt -l .; exit 1; }
	$(GO) vet ./...
	cd test/compat && $(GO) vet ./...
	$(STATICCHECK) ./...
	$(GO) mod tidy -diff
	cd test/compat && $(GO) mod tidy -diff

# Tests of the packages; those under test/ drive the built program through the AWS CLI and boto3. The comparison with
# another program's decisions runs a second time, without the race detector, for its hundred thousand cases.
unit: $(TRENT_TEST_BINARY)
	$(GO) test -race -shuffle=on -timeout 20m ./...
	$(GO) test -count=1 -timeout 30m ./test/oracle

# The other clients, which have modules of their own: the SDKs for Go and JavaScript.
clients: $(TRENT_TEST_BINARY)
	cd test/compat && $(GO) test -race -shuffle=on -timeout 20m ./...
	test/js/run

.PHONY: $(TRENT_TEST_BINARY)
$(TRENT_TEST_BINARY):
	$(GO) build -race -o $@ ./cmd/trent

# Every fuzz target for FUZZTIME. Their seeds run in make unit.
fuzz:
	sh test/fuzz $(FUZZTIME)

# The long form of the tests that kill the server.
ROUNDS ?= 1000
crash: $(TRENT_TEST_BINARY)
	TRENT_CRASH_ROUNDS=$(ROUNDS) $(GO) test -count=1 -timeout 6h -run 'Crash|Kill' ./internal/...
	cd test/compat && TRENT_CRASH_ROUNDS=$(ROUNDS) $(GO) test -count=1 -timeout 6h -run Kill ./crash

# A million cases of access control, decided by us and by somebody else's program.
CASES ?= 1000000
oracle:
	TRENT_ORACLE_CASES=$(CASES) $(GO) test -count=1 -timeout 6h -v ./test/oracle

bench:
	$(GO) run ./bench

# A million keys: start, memory, and speed as they grow.
scale:
	$(GO) run ./bench/scale -keys 1000000

# How long those who decrypt wait while RSA keys are made.
stall:
	$(GO) run ./bench/stall

# What authorization costs a request.
authorize:
	$(GO) run ./bench/authorize

generate:
	$(GO) generate ./...
