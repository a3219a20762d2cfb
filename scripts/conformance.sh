#!/bin/sh
# Runs the official conformance suite of MCP, which is kept in bin/conformance.
set -eu
cd "$(dirname "$0")/.."
scripts/node.sh "$PWD/bin/conformance" @modelcontextprotocol/conformance@0.2.0-alpha.12
exec go test -tags conformance -count 1 ./internal/conformance -v -suite "$PWD/bin/conformance"
