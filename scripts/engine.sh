#!/bin/sh
# Makes sure that a Docker engine answers. Where one does, nothing is touched.
# Where none does, Debian's docker.io is installed if it is missing, and dockerd is started.
# `scripts/engine.sh stop` ends the dockerd that this script started, and no other.
set -eu

here=$(dirname "$0")
state=/run/skillet-engine # pid and log of the dockerd that this script started
address=${DOCKER_HOST:-unix:///var/run/docker.sock}

say() { echo "engine: $*" >&2; }
fail() {
  say "$*"
  exit 1
}

# answers: does an engine answer at the address?
answers() { command -v docker >/dev/null && timeout 10 docker version >/dev/null 2>&1; }

install_engine() {
  "$here/need.sh" dockerd docker.io ca-certificates
  # Newer Debian releases have the client in a package of its own.
  "$here/need.sh" docker docker-cli
}

start_engine() {
  [ "$(id -u)" = 0 ] || fail "no Docker engine answers at $address, and only root can start one"
  say "starting dockerd (log: $state/log)"
  mkdir -p "$state"
  setsid nohup dockerd >"$state/log" 2>&1 </dev/null &
  echo $! >"$state/pid"
  i=0
  until answers; do
    i=$((i + 1))
    if [ $i -gt 120 ] || ! kill -0 "$(cat "$state/pid")" 2>/dev/null; then
      tail -n 20 "$state/log" >&2
      fail "dockerd did not come up; its last lines are above"
    fi
    sleep 0.5
  done
}

stop_engine() {
  [ -s "$state/pid" ] || fail "this script started no engine"
  pid=$(cat "$state/pid")
  if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = dockerd ]; then
    kill "$pid"
    while kill -0 "$pid" 2>/dev/null; do sleep 0.2; done
    say "stopped dockerd (pid $pid)"
  fi
  rm -rf "$state"
}

case ${1:-start} in
  stop) stop_engine ;;
  start)
    answers && exit 0
    # A foreign address is the user's: nothing here can start it.
    [ -z "${DOCKER_HOST:-}" ] || fail "no engine answers at DOCKER_HOST=$address"
    install_engine
    answers || start_engine
    say "answers at $address"
    ;;
  *) fail "usage: scripts/engine.sh [start|stop]" ;;
esac
