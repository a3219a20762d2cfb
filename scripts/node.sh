#!/bin/sh
# scripts/node.sh DIRECTORY PACKAGE... installs Node 22 and more npm packages in a directory, unless these very ones are there.
# Node comes from npm as well: whatever Node is on the machine stays as it is, and is good enough for npm.
set -eu
dir=$1
shift
set -- node@22.23.3 "$@"
[ "$(cat "$dir/installed" 2>/dev/null)" != "$*" ] || exit 0
"$(dirname "$0")/need.sh" npm npm
rm -rf "$dir"
mkdir -p "$dir"
echo '{"private": true}' >"$dir/package.json"
npm install --prefix "$dir" --save-exact --no-fund --no-audit --loglevel error "$@"
echo "$*" >"$dir/installed"
