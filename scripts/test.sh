#!/bin/bash
# `make test`: every test, ours and upstream's. All parts run, also after one has failed; the last line says how many tests passed and failed.
set -uo pipefail
cd "$(dirname "$0")/.."

cargo=${CARGO:-cargo}
logs=target/test-logs
mkdir -p $logs
passed=0 failed=0 broken=()

# part NAME COMMAND...: runs it, shows what it says, and counts its tests. Both cargo's `test result: ok. 3 passed; 0 failed` and a plain last line
# `3 passed, 0 failed` are understood. A part that fails without saying which test did counts as one failure.
part() {
    local name=$1 p f status
    shift
    printf '\n== %s\n' "$name"
    "$@" 2>&1 | tee "$logs/$name.log"
    status=$?
    read -r p f < <(sed 's/\x1b\[[0-9;]*m//g' "$logs/$name.log" | awk '
        /^test result: / { for (i = 2; i <= NF; i++) { if ($i ~ /^passed/) p += $(i - 1); if ($i ~ /^failed/) f += $(i - 1) } }
        /^[0-9]+ passed, [0-9]+ failed/ { p += $1; f += $3 }
        END { print p + 0, f + 0 }')
    if [ $status != 0 ]; then
        broken+=("$name")
        [ "$f" = 0 ] && f=1
    elif [ "$p" = 0 ]; then # a part that runs nothing tests nothing
        broken+=("$name (no test ran)")
        f=$((f + 1))
    fi
    passed=$((passed + p)) failed=$((failed + f))
}

# With the reference library at hand, the recording of its options is compared with it (tests/options_reference).
reference=$($cargo run --quiet --manifest-path compat-tests/Cargo.toml -- build-reference) || broken+=("the reference library")
export FERROZMQ_REFERENCE=$reference/libzmq.so.5

part library $cargo test --no-fail-fast
part installation scripts/test-install.sh
part judge $cargo test --no-fail-fast --manifest-path compat-tests/Cargo.toml
part upstream $cargo run --quiet --manifest-path compat-tests/Cargo.toml -- ours

printf '\n'
if [ ${#broken[@]} != 0 ]; then
    printf 'failed: %s\n' "${broken[@]}"
fi
echo "$passed $failed" > $logs/totals
echo "$passed passed, $failed failed"
[ $failed = 0 ]
