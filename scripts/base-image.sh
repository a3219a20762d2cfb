#!/bin/sh
# Makes sure that the engine has debian:bookworm-slim, the base of every image under images/:
# present already, else pulled, else bootstrapped from this machine's own Debian mirror.
set -eu

image=debian:bookworm-slim
suite=bookworm

say() { echo "base image: $*" >&2; }

docker image inspect "$image" >/dev/null 2>&1 && exit 0

say "pulling $image"
if timeout 120 docker pull -q "$image" >/dev/null 2>&1; then
  say "pulled"
  exit 0
fi

say "no registry answers: bootstrapping $image from this machine's Debian mirror (about a minute)"
"$(dirname "$0")/need.sh" mmdebstrap mmdebstrap

# The repositories that apt knows here, as "URI" lines; the mirror's own name is nobody's business but apt's.
repositories() { apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | sort -u; }
mirror=$(repositories | grep '/debian/*$' | head -n 1)
security=$(repositories | grep '/debian-security/*$' | head -n 1)
[ -n "$mirror" ] || { say "apt on this machine names no Debian mirror, and $image cannot be pulled"; exit 1; }

sources="deb $mirror $suite main
deb $mirror $suite-updates main"
[ -z "$security" ] || sources="$sources
deb $security $suite-security main"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Documentation and translations are what the slim image leaves out.
echo "$sources" | mmdebstrap --variant=minbase --quiet \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  --include=ca-certificates "$suite" "$work/base.tar" -
say "importing"
docker import --change 'CMD ["bash"]' "$work/base.tar" "$image" >/dev/null
say "made $image"
