#!/bin/sh
# Has clients that others wrote call skillet; they are kept in bin/clients. Of the official TypeScript SDK there are two: sdk
# is what most clients are built on today, client is its successor, which speaks 2026-07-28, too.
set -eu
cd "$(dirname "$0")/.."
scripts/node.sh "$PWD/bin/clients" @modelcontextprotocol/sdk@1.32.2 @modelcontextprotocol/client@2.4.0 @modelcontextprotocol/inspector@2.12.0
exec go test -tags foreign -count 1 -parallel 6 -timeout 10m ./internal/foreign -v -clients "$PWD/bin/clients"
