#!/bin/sh
# Has the reference library (upstream's C++ libzmq, drafts and CURVE included, optimised as distributions do) built by compat-tests,
# and puts it where `make demo` and `make bench` look for it: target/reference/lib.
set -eu
cd "$(dirname "$0")/.."

folder=$(${CARGO:-cargo} run --quiet --manifest-path compat-tests/Cargo.toml -- build-reference)
mkdir -p target/reference
rm -rf target/reference/lib
ln -s "$folder" target/reference/lib
