# The two commands: `make demo` shows the main job, `make test` proves it. Both set up all that they need, from a Docker
# engine to the images, and touch nothing that is there already.

release := $(shell git describe --tags --always --dirty 2>/dev/null)

.DEFAULT_GOAL := help
.PHONY: help build engine base images demo test conformance clients faults soak bench lint fuzz clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build:  ## build bin/skillet
	@go build -trimpath -ldflags '-X skillet/internal/cli.release=$(release)' -o bin/skillet .

engine:  ## make sure that a Docker engine answers
	@scripts/engine.sh

base: engine  ## make sure that the engine has the base image
	@scripts/base-image.sh

images: base build  ## build the images of the default skills
	@bin/skillet pull

demo: images  ## call every default skill as an MCP client
	@go run ./examples/client -skillet bin/skillet -dir demo

# The faults come last, so that their table is what one sees; go test shows it only when it is run in their directory.
test: lint images  ## run all tests, and the most telling of the faults (root)
	@scripts/need.sh gcc gcc libc6-dev
	CGO_ENABLED=1 go test -race -count 1 -timeout 20m ./...
	go -C internal/faults test -tags faults -short -count 1 -timeout 10m -run Nothing

conformance:  ## run the official conformance suite of MCP against the server over HTTP (needs npm)
	@scripts/conformance.sh

clients: images  ## have the TypeScript SDK and the Inspector call the default skills over stdio and HTTP (needs npm)
	@scripts/clients.sh

faults: images  ## try everything that can go wrong, and print what was left behind (minutes, root)
	go test -tags faults -count 1 -timeout 30m -run Nothing ./internal/faults -v

soak: images  ## make 2,000 calls and watch the server's memory, goroutines and files (minutes, root)
	go test -tags faults -count 1 -timeout 60m -run '^$$' -bench Soak -benchtime 2000x ./internal/faults -v

bench: base build  ## measure calls beside docker run, and write docs/performance.md (ten minutes; SHORT=1: one, writes nothing)
	@go build -trimpath -o bin/bench ./internal/bench
	@bin/bench $(if $(SHORT),-short,-write docs/performance.md)

lint:  ## gofmt, go vet and staticcheck
	@test -z "$$(gofmt -l .)" || { gofmt -d .; exit 1; }
	go vet -tags faults,conformance,foreign ./...
	go tool staticcheck -tags faults,conformance,foreign ./...

fuzz:  ## run every fuzz target for a minute
	@scripts/fuzz.sh 1m

clean:  ## remove what the other targets made in this folder
	rm -rf bin demo
