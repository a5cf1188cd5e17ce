# Two commands do everything: make run, make test. The rest are parts of them, or longer forms.

GO      ?= go
# Time for each fuzz target; make fuzz FUZZTIME=10m is the long form.
FUZZTIME ?= 10s
STATICCHECK = $(GO) tool -modfile=tools/go.mod staticcheck

.PHONY: run build test deps check unit clients fuzz crash bench scale generate

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

unit:
	$(GO) test -race -shuffle=on -timeout 20m ./...

# The real clients against the built binary.
clients:
	cd test/compat && $(GO) test -race -shuffle=on -timeout 20m ./...

# Every fuzz target for FUZZTIME. Their seeds run in make unit.
fuzz:
	sh test/fuzz $(FUZZTIME)

# The long form of the tests that kill the server: 1,000 rounds each.
crash:
	TRENT_CRASH_ROUNDS=1000 $(GO) test -count=1 -timeout 6h -run 'Crash|Kill' ./...

bench:
	$(GO) run ./bench

# A million keys: start, memory, and speed as they grow.
scale:
	$(GO) run ./bench/scale -keys 1000000

generate:
	$(GO) generate ./...
