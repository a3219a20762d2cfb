#!/bin/sh
# A second Docker engine for tests that stop, freeze and fill it: a "host" of its own, that is dockerd in its own network,
# mount, pid, uts and ipc namespaces, with its data, its socket (DIR/docker.sock) and its log below DIR. The main engine and
# the main network namespace are not touched. There is no network inside. Root only.
#
#   private-engine.sh start DIR [--disk SIZE]   start it, with debian:bookworm-slim from the main engine;
#                                               with --disk, its data is on a file system of that size
#   private-engine.sh stop DIR                  end it with all its containers, and remove all that start has made;
#                                               also after a crash of whatever part
#   private-engine.sh run DIR [--disk SIZE]     start, print "ready", wait for the end of standard input, stop: whoever
#                                               runs this cannot leave an engine behind, however it dies itself
#   private-engine.sh exec DIR COMMAND...       run a command on that host
#   private-engine.sh down DIR [SIGNAL]         end dockerd by a signal (default TERM); the host stays up
#   private-engine.sh up DIR                    start it again, and wait until it answers
set -eu

image=debian:bookworm-slim
self=$(readlink -f "$0")

say() { echo "private engine: $*" >&2; }
fail() {
  say "$*"
  exit 1
}

# identity PID: the process id and start time of a process, which together are never used again.
# The start time is the 22nd field of stat; the name before it is our own or another's and may have spaces.
identity() {
  { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
  pid=${stat%% *}
  # shellcheck disable=SC2086 # words are what is wanted
  set -- ${stat##*) }
  shift 19
  echo "$pid $1"
}

# host: the pid of the host's init, if it lives and is the one that start has made.
host() {
  [ -s "$dir/host" ] || return 1
  read -r pid started <"$dir/host"
  [ "$(identity "$pid")" = "$pid $started" ] && echo "$pid"
}

on_host() {
  init=$(host) || fail "no engine was started in $dir"
  nsenter --target "$init" --mount --uts --ipc --net --pid -- "$@"
}

answers() { timeout 5 docker -H "unix://$dir/docker.sock" version >/dev/null 2>&1; }

wait_for_answer() {
  i=0
  until answers; do
    i=$((i + 1))
    if [ $i -gt 300 ] || ! host >/dev/null; then
      tail -n 20 "$dir/log" >&2
      fail "dockerd did not come up; its last lines are above"
    fi
    sleep 0.1
  done
}

# init is the first process of the host: it keeps dockerd running, unless it was told to stay down. It reaps what dockerd
# leaves to it, as an init does.
init() {
  # The order matters: /proc is still the outer one, and tells the pid by which stop finds this process.
  identity self >"$dir/host"
  outer_net=$1 data=$dir/data cgroup=/$2
  # --bridge=none deletes the docker0 of the network namespace that it finds itself in.
  [ "$(readlink /proc/self/ns/net)" != "$outer_net" ] || fail "not in a network namespace of its own"
  mount -t proc proc /proc
  hostname private-engine
  mount -t tmpfs tmpfs /run # sockets of the main engine, of containerd, of systemd
  [ ! -e "$dir/disk" ] || mount -o loop "$dir/disk" "$data"
  while :; do
    while [ -e "$dir/down" ]; do sleep 0.05; done
    rm -f "$dir/docker.pid"
    dockerd --config-file "$dir/daemon.json" --data-root "$data" --exec-root "$dir/exec" --pidfile "$dir/docker.pid" \
      --host "unix://$dir/docker.sock" --iptables=false --ip6tables=false --bridge=none \
      --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "$cgroup" || say "dockerd ended with $?"
    sleep 0.05
  done
}

start() {
  [ "$(id -u)" = 0 ] || fail "only root can start one"
  here=$(dirname "$self")
  "$here/need.sh" dockerd docker.io
  "$here/need.sh" nsenter util-linux
  "$here/need.sh" mount mount
  mkdir -p "$dir"
  case $dir in /run/* | /var/run/* | /proc/* | /sys/*) fail "$dir: not below /run, /proc or /sys, which the host has of its own" ;; esac
  [ -z "$(ls -A "$dir")" ] || fail "$dir is not empty (stop it first: $0 stop $dir)"
  mkdir "$dir/data" "$dir/exec"
  echo '{}' >"$dir/daemon.json"
  case ${1:-} in
    --disk)
      "$here/need.sh" mkfs.ext4 e2fsprogs
      truncate -s "$2" "$dir/disk"
      mkfs.ext4 -q -F -m 0 "$dir/disk"
      ;;
    ?*) fail "unknown option $1" ;;
  esac
  cgroup=skillet-private-$(basename "$dir")-$$
  echo "$cgroup" >"$dir/cgroup"
  setsid unshare --net --mount --propagation private --pid --fork --kill-child=SIGKILL --uts --ipc \
    "$self" init "$dir" "$(readlink /proc/self/ns/net)" "$cgroup" >"$dir/log" 2>&1 </dev/null &
  echo $! >"$dir/outer"
  until [ -s "$dir/host" ]; do
    kill -0 $! 2>/dev/null || { cat "$dir/log" >&2; fail "the namespaces could not be made"; }
    sleep 0.02
  done
  wait_for_answer
  docker save "$image" | docker -H "unix://$dir/docker.sock" load -q >/dev/null
}

# stop kills the host's init, and with it everything on the host: the kernel ends a pid namespace with its first process,
# and a mount namespace with its last. What is left then are files and empty cgroups.
stop() {
  [ -e "$dir/cgroup" ] || { [ ! -d "$dir" ] || [ -z "$(ls -A "$dir")" ] || fail "$dir was not made by this script"; return 0; }
  if init=$(host); then
    outer=$(cat "$dir/outer")
    kill -KILL "$init"
    # unshare ends when the last process of the namespace is gone.
    while [ "$(tr '\0' ' ' <"/proc/$outer/cmdline" 2>/dev/null | grep -cF " $dir ")" = 1 ]; do sleep 0.02; done
  fi
  cgroup=$(cat "$dir/cgroup")
  i=0
  until sweep; do
    i=$((i + 1))
    [ $i -le 250 ] || fail "the cgroups $cgroup or the disk $dir/disk are still in use"
    sleep 0.02
  done
  rm -rf "$dir/data" "$dir/exec" "$dir/disk" "$dir/log" "$dir/host" "$dir/outer" "$dir/down" "$dir/daemon.json" \
    "$dir/docker.pid" "$dir/docker.sock" "$dir/cgroup"
  rmdir "$dir" 2>/dev/null || true # what else is in there is somebody else's
}

# sweep removes the cgroups, and tells whether all are gone and the disk is free. The kernel lets go of both a moment
# after the processes.
sweep() {
  clean=0
  while read -r _ point type _; do
    case $type in cgroup | cgroup2) ;; *) continue ;; esac
    [ -d "$point/$cgroup" ] || continue
    find "$point/$cgroup" -depth -type d -exec rmdir {} \; 2>/dev/null || true
    [ ! -d "$point/$cgroup" ] || clean=1
  done </proc/mounts
  if [ -e "$dir/disk" ] && [ -n "$(losetup --associated "$dir/disk")" ]; then clean=1; fi
  return $clean
}

run() {
  trap stop EXIT
  trap 'exit 130' INT TERM HUP
  start "$@"
  echo ready
  cat >/dev/null
}

down() {
  touch "$dir/down"
  pid=$(cat "$dir/docker.pid")
  on_host kill "-${1:-TERM}" "$pid"
  while on_host kill -0 "$pid" 2>/dev/null; do sleep 0.02; done
}

up() {
  rm -f "$dir/down"
  wait_for_answer
}

usage() { fail "usage: private-engine.sh start|stop|run|exec|down|up DIR ..., see the head of the script"; }

[ $# -ge 2 ] || usage
verb=$1 dir=$(readlink -m "$2")
shift 2
case $verb in
  start | stop | run | down | up | init) "$verb" "$@" ;;
  exec) on_host "$@" ;;
  *) usage ;;
esac
