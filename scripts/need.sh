#!/bin/sh
# scripts/need.sh COMMAND PACKAGE... installs Debian packages when a command is missing. Where it is there, nothing is touched.
set -eu
command=$1
shift
command -v "$command" >/dev/null && exit 0
[ "$(id -u)" = 0 ] || { echo "need: $command is missing, and only root can install it ($*)" >&2; exit 1; }
command -v apt-get >/dev/null || { echo "need: $command is missing, and there is no apt-get to install it with ($*)" >&2; exit 1; }
echo "need: installing Debian's $* for $command" >&2
apt-get -qq update
DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@" >/dev/null
