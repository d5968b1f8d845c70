#!/bin/sh
# Choose versions anew and write them down: names, versions and hashes, no addresses, whatever the machine is set up with.
set -eu
cd "$(dirname "$0")/.."

uv --no-config pip compile pyproject.toml --all-extras --group dev --python-version 3.11 --universal --upgrade \
    --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links --no-sources \
    --quiet --output-file requirements.lock

# npm leaves entries out of a lock file when it can see what is installed already.
rm -rf node_modules package-lock.json
npm install --package-lock-only --silent
npm ci --silent
touch node_modules/.ready
