#!/bin/sh
# Make sure that a Docker engine and a registry can be started here, for the tests of containers. Silent when they can.
set -eu

PATH=$PATH:/usr/sbin:/sbin
missing=""
command -v dockerd >/dev/null 2>&1 || missing="docker.io"
command -v iptables >/dev/null 2>&1 || missing="$missing iptables"
command -v docker-registry >/dev/null 2>&1 || missing="$missing docker-registry"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
    echo "The tests of containers start a Docker engine of their own, which takes root: sudo make docker" >&2
    exit 1
elif ! command -v apt-get >/dev/null 2>&1; then
    echo "The tests of containers need:$missing. Install it with your system's package manager, then run make docker again." >&2
    exit 1
fi

echo "Installing what the tests of containers need: $missing"
apt-get update -qq || echo "Some package lists could not be renewed; going on with those there are." >&2
# shellcheck disable=SC2086  # a list of names
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=120 $missing >/dev/null
