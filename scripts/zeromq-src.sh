#!/bin/sh
# Prints the folder of upstream's tree (src, include, perf, tests, doc), which the package `zeromq-src` carries as `vendor/`.
# Cargo fetches it as it fetches any other dependency, so nothing of upstream's is copied into this project.
# ZEROMQ_SRC=/path/to/vendor in the environment overrides it.
set -eu
cd "$(dirname "$0")/.."

if [ -n "${ZEROMQ_SRC:-}" ]; then
    echo "$ZEROMQ_SRC"
    exit 0
fi

manifest=$(cargo metadata --format-version 1 --locked --manifest-path compat-tests/Cargo.toml |
    grep -o '"manifest_path":"[^"]*/zeromq-src-[^"]*"' | head -n 1 | cut -d '"' -f 4)
if [ -z "$manifest" ]; then
    echo "zeromq-src.sh: cargo metadata names no zeromq-src" >&2
    exit 1
fi
vendor=$(dirname "$manifest")/vendor
test -f "$vendor/include/zmq.h" || { echo "zeromq-src.sh: no upstream tree in $vendor" >&2; exit 1; }
echo "$vendor"
