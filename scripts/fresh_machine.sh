#!/bin/bash
# Try the two commands on a machine that has only python3, python3-venv, make, git and ca-certificates: a Debian chroot.
#
#     sudo scripts/fresh_machine.sh [COMMIT]
#
# Clones COMMIT (default: HEAD) into the chroot, runs `make demo` and `make test` there, and prints how long each took.
# Passed in from outside: name servers, certificates, apt's and npm's settings, proxies. Needs root and debootstrap.
# KEEP=1 keeps the chroot; BASE=FOLDER names a folder for the bare system, which is made once and copied afterwards.
set -euo pipefail

repository=$(cd "$(dirname "$0")/.." && pwd)
commit=$(git -C "$repository" rev-parse "${1:-HEAD}")
release=bookworm
packages=python3,python3-venv,make,git,ca-certificates
[ "$(id -u)" = 0 ] || { echo "A chroot is made by root: sudo $0" >&2; exit 1; }
command -v debootstrap >/dev/null || { echo "debootstrap is missing: apt install debootstrap" >&2; exit 1; }

folder=$(mktemp -d "${TMPDIR:-/tmp}/flowbook-fresh.XXXXXX")
root=$folder/root

clean_up() {
    local inside
    for inside in dev/shm dev/pts proc; do
        if mountpoint -q "$root/$inside"; then umount "$root/$inside" || umount --lazy "$root/$inside"; fi
    done
    # Never remove what is still mounted.
    if [ "${KEEP:-}" = 1 ]; then
        echo "The chroot is kept in $root"
    elif ! grep -q " $root/" /proc/mounts; then
        rm -rf --one-file-system "$folder"
    fi
}
trap clean_up EXIT
trap 'exit 130' INT TERM

make_base() {
    debootstrap --variant=minbase --include="$packages" "$release" "$1" >"$folder/debootstrap.log" 2>&1 ||
        { tail -20 "$folder/debootstrap.log" >&2; exit 1; }
}

if [ -n "${BASE:-}" ]; then
    [ -x "$BASE/usr/bin/python3" ] || make_base "$BASE"
    cp -a --one-file-system "$BASE" "$root"
else
    make_base "$root"
fi

# What the network of this machine needs, and nothing else of it.
cp -L /etc/resolv.conf "$root/etc/resolv.conf"
cp -L /etc/hosts "$root/etc/hosts"
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
cp -rL /etc/apt/apt.conf.d/*proxy* "$root/etc/apt/apt.conf.d/" 2>/dev/null || true
settings=(HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8)
settings+=(PIP_CERT=/etc/ssl/certs/ca-certificates.crt NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt)
for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY PIP_INDEX_URL NPM_CONFIG_REGISTRY; do
    if [ -n "${!name:-}" ]; then settings+=("$name=${!name}"); fi
done

# The devices are debootstrap's own; Chromium wants shared memory and /proc, a terminal wants its own devpts.
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts "$root/dev/pts"
ln -sf pts/ptmx "$root/dev/ptmx"

mkdir -p "$root/src"
git clone --quiet --no-hardlinks "$repository" "$root/src/flowbook"
git -C "$root/src/flowbook" -c advice.detachedHead=false checkout --quiet "$commit"

inside() {
    env -i "${settings[@]}" chroot "$root" /bin/sh -c "cd /src/flowbook && $1" </dev/null
}

times=()
status=0
for target in ${TARGETS:-demo test}; do
    started=$SECONDS
    inside "make $target" || { status=$?; echo "make $target ended with $status" >&2; }
    times+=("make $target: $((SECONDS - started)) s, ended with $status")
done
echo
echo "On a fresh machine ($release, commit ${commit:0:12}):"
printf '  %s\n' "${times[@]}"
exit "$status"
