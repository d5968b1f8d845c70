#!/bin/sh
# Run a Docker engine of its own until it is told to end (SIGTERM): scripts/docker_engine.sh FOLDER [OPTION OF dockerd…]
#
# All that it keeps is in FOLDER; it listens on FOLDER/docker.sock alone, for which DOCKER_HOST=unix://FOLDER/docker.sock.
# It leaves the machine's network as it is: no bridge of its own, no firewall rules. Options that follow win over those here.
# Needs root, and Debian's packages docker.io and iptables. The folder's path must be short: a socket's has 107 characters.
set -eu

[ $# -ge 1 ] || { echo "Say where it may keep its files: $0 FOLDER" >&2; exit 2; }
[ "$(id -u)" = 0 ] || { echo "A Docker engine is started by root: sudo $0 $1" >&2; exit 1; }
command -v dockerd >/dev/null 2>&1 || PATH=$PATH:/usr/sbin:/sbin
command -v dockerd >/dev/null 2>&1 || {
    echo "There is no dockerd. On Debian and Ubuntu: apt-get install --no-install-recommends docker.io iptables" >&2
    exit 1
}

mkdir -p "$1"
folder=$(cd "$1" && pwd)
shift
exec dockerd --host "unix://$folder/docker.sock" --data-root "$folder/data" --exec-root "$folder/exec" \
    --pidfile "$folder/dockerd.pid" --storage-driver overlay2 --exec-opt native.cgroupdriver=cgroupfs \
    --bridge=none --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false \
    --host-gateway-ip=127.0.0.1 "$@"
