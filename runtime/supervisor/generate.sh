#!/bin/sh
# Builds the supervisor for every architecture, into this directory or the one that is named. Whoever builds it gets the same
# bytes: the compiler is the one that go.mod names, and no path, no version and no setting of this machine's goes in.
set -eu
cd "$(dirname "$0")"
into=$(cd "${1:-.}" && pwd)
version=$(sed -n 's/^go //p' ../../go.mod)
for arch in amd64 arm64; do
  env -u GOFLAGS -u GOEXPERIMENT GOTOOLCHAIN="go$version" CGO_ENABLED=0 GOOS=linux GOARCH=$arch GOAMD64=v1 GOARM64=v8.0 \
    go build -trimpath -buildvcs=false -ldflags '-s -w -buildid=' -o "$into/supervisor_linux_$arch" ./program
done
