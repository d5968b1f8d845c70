#!/bin/sh
# Make sure that the browser tests find Chromium, a font to draw with, and what Playwright's Node needs. Silent when they do.
set -eu

missing=""
command -v chromium >/dev/null 2>&1 || missing="chromium"
if [ "$(uname -s)" = Linux ]; then
    [ -e /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf ] || missing="$missing fonts-dejavu-core"
    # Playwright brings a Node of its own, and that needs this library.
    /sbin/ldconfig -p | grep -q 'libatomic\.so\.1' || missing="$missing libatomic1"
fi
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "The browser tests need:$missing. Install it with your system's package manager, so that 'chromium' is on the PATH, then run make test again." >&2
    exit 1
elif [ "$(id -u)" = 0 ]; then
    as_root=""
elif command -v sudo >/dev/null 2>&1; then
    as_root="sudo"
else
    echo "The browser tests need:$missing. As root, run 'apt-get install $missing', then make test again." >&2
    exit 1
fi

echo "Installing what the browser tests need: $missing"
$as_root apt-get update -qq || echo "Some package lists could not be renewed; going on with those there are." >&2
# shellcheck disable=SC2086  # a list of names, and a prefix that may be empty
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    -o DPkg::Lock::Timeout=120 $missing >/dev/null
