#!/bin/sh
# Runs the official conformance suite of MCP. It needs Node 22, which comes from npm like the suite itself: whatever Node is
# on the machine stays as it is. Both are kept in bin/conformance.
set -eu
cd "$(dirname "$0")/.."
packages="node@22.23.3 @modelcontextprotocol/conformance@0.2.0-alpha.12"
dir=$PWD/bin/conformance
scripts/need.sh npm npm
if [ "$(cat "$dir/installed" 2>/dev/null)" != "$packages" ]; then
	rm -rf "$dir"
	mkdir -p "$dir"
	echo '{"private": true}' >"$dir/package.json"
	# shellcheck disable=SC2086
	npm install --prefix "$dir" --save-exact --no-fund --no-audit --loglevel error $packages
	echo "$packages" >"$dir/installed"
fi
exec go test -tags conformance -count 1 ./internal/conformance -v -suite "$dir"
