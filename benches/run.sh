#!/bin/bash
# Measures our library and the reference, alternating, each run a process (or two) of its own, and beside them the bare machine.
#
#   RUNS=5          runs of each; the medians count
#   SECONDS_EACH    how long a run measures (0.6)
#   QUICK=1         3 runs of 0.25 s, and no bare machine
#   FILTER=text     only the rows of benches/rows.txt that contain it
#   PIN=0           everything on that CPU: less noise, and no parallelism
#   OURS=, REFERENCE=   other libraries to compare: a libzmq.so.5, or a folder with one
#
# A full run writes docs/performance.md; a quick or a filtered one only prints.
set -euo pipefail
cd "$(dirname "$0")/.."
work=target/bench
mkdir -p $work docs

quick=${QUICK:-} filter=${FILTER:-}
runs=${RUNS:-$([ -n "$quick" ] && echo 3 || echo 5)}
export BENCH_SECONDS=${SECONDS_EACH:-$([ -n "$quick" ] && echo 0.25 || echo 0.6)}
pin=(${PIN:+taskset -c $PIN})

# The loader looks for libzmq.so.5 in a folder, so each library gets one.
folder_of() { # NAME PATH
    if [ -d "$2" ]; then
        realpath "$2"
    else
        mkdir -p "$work/$1"
        ln -sfn "$(realpath "$2")" "$work/$1/libzmq.so.5"
        realpath "$work/$1"
    fi
}
ours=$(folder_of ours "${OURS:-target/release/libzmq.so}")
reference=$(folder_of reference "${REFERENCE:-target/reference/lib}")

cc=${CC:-cc}
vendor=$(scripts/zeromq-src.sh)
$cc -O2 -std=gnu11 -Wall -Wextra -I"$vendor/include" benches/bench.c -o $work/bench -L"$reference" -l:libzmq.so.5 -pthread
$cc -O2 -std=gnu11 -Wall -Wextra benches/bare.c -o $work/bare -pthread

ulimit -n "$(ulimit -Hn)" # a thousand connections
trim() { sed 's/^ *//; s/ *$//' <<< "$1"; }

rows=()
while IFS= read -r row; do
    case $row in \#* | "") ;; *"$filter"*) rows+=("$row") ;; esac
done < benches/rows.txt

failures=0
results=$work/results.txt
: > $results
measure() { # WHO ID COMMAND...
    local who=$1 id=$2 out
    shift 2
    if ! out=$(timeout -k 5 30 "${pin[@]}" "$@" 2> $work/stderr); then
        echo "bench: $id on $who failed or hung: $(tail -n 1 $work/stderr)" >&2
        out="nan nan"
        failures=$((failures + 1))
    fi
    echo "$who $id $out" >> $results
}

number=0
for row in "${rows[@]}"; do
    IFS='|' read -r id title args _ _ bare <<< "$row"
    id=$(trim "$id") number=$((number + 1))
    title=$(trim "$title")
    if [ -t 2 ]; then printf '\r\033[K[%d/%d] %s' $number ${#rows[@]} "$title" >&2; fi
    for ((run = 0; run < runs; run++)); do
        if ((run % 2)); then order="reference ours"; else order="ours reference"; fi
        for who in $order; do
            LD_LIBRARY_PATH=${!who} measure $who "$id" $work/bench $args
        done
        if [ -n "$(trim "$bare")" ] && [ -z "$quick" ]; then
            measure bare "$id" $work/bare $bare
        fi
    done
    if [ -t 2 ]; then printf '\r\033[K' >&2; fi
    awk -v id="$id" -f benches/table.awk -v style=line benches/rows.txt $results
done

if [ -z "$quick$filter" ] && [ -z "${PIN:-}" ]; then
    {
        cat << TEXT
# Performance

Written by \`make bench\` on $(date -u +%Y-%m-%d): Linux $(uname -r), $(nproc) CPUs, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1),
$(rustc --version | cut -d ' ' -f 1,2), $($cc --version | head -n 1), the library as of commit $(git rev-parse --short HEAD 2> /dev/null || echo unknown). Do not edit by hand.

One binary, compiled against upstream's header and library (benches/bench.c), runs on either library, in turn, within one run; every figure is the median of
$runs runs of $BENCH_SECONDS s. *Ratio* is ours / reference. Round trips, set-up and memory are better when smaller, rates when larger. *CPU* is what both sides spend
together, threads and kernel included, on one round trip, message, delivery or connection. *Bare machine* is the same work without a library (benches/bare.c): blocking sockets,
a byte stream in writes of 256 KiB, a lock-free ring, two threads on a futex.
The two libraries are measured on the same machine minutes apart at most, so the ratio means more than the figures.

TEXT
        awk -v style=table -f benches/table.awk benches/rows.txt $results
    } > docs/performance.md
    scripts/readme.sh
    echo "wrote docs/performance.md and the figures in README.md"
fi
echo
awk -v style=shortfalls -f benches/table.awk benches/rows.txt $results
if [ $failures != 0 ]; then
    echo "$failures runs failed"
    exit 1
fi
