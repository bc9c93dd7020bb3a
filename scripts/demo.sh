#!/bin/bash
# `make demo`: programs that were built for upstream's libzmq run on ours, twice over: because ours is the libzmq.so.5 that the loader finds,
# and by LD_PRELOAD. What each process really has mapped is read from /proc. Then a comparison of speed, then our own examples.
# Fails when anything does. OURS=FOLDER compares another library (one with libzmq.so.5 in it).
set -euo pipefail
cd "$(dirname "$0")/.."

work=$PWD/target/demo
stage=$PWD/target/stage # where `make demo` has installed our library to
reference=$PWD/target/reference/lib
ours=${OURS:-$stage/lib}
mkdir -p "$work"

say() { printf '\n== %s\n' "$*"; }
die() { printf 'demo: %s\n' "$*" >&2; exit 1; }
trap 'kill $(jobs -p) 2> /dev/null || true' EXIT

say "upstream's perf programs, unmodified, with upstream's header, linked against upstream's library"
vendor=$(scripts/zeromq-src.sh)
: > "$work/platform.hpp"
for program in local_lat remote_lat local_thr remote_thr inproc_lat inproc_thr; do
    g++ -O2 -w -std=gnu++11 -pthread -DZMQ_CUSTOM_PLATFORM_HPP -I"$work" -I"$vendor/include" "$vendor/perf/$program.cpp" \
        -o "$work/$program" -L"$reference" -l:libzmq.so.5 &
done
for job in $(jobs -p); do wait "$job" || die "a perf program did not compile"; done
for program in "$work"/*_lat "$work"/*_thr; do
    readelf -d "$program" | grep 'NEEDED.*\[libzmq\.so\.5\]' > /dev/null || die "$program does not ask for libzmq.so.5"
    if readelf -d "$program" | grep -E 'RPATH|RUNPATH' > /dev/null; then die "$program brings a search path of its own"; fi
done
echo "compiled: local_lat remote_lat local_thr remote_thr inproc_lat inproc_thr"

# How each way to run a program puts a library in, and which file it must then have mapped.
environment_of() {
    case $1 in
        reference) echo "LD_LIBRARY_PATH=$reference" ;;
        path) echo "LD_LIBRARY_PATH=$ours" ;;
        preload) echo "LD_LIBRARY_PATH=$reference LD_PRELOAD=$ours/libzmq.so.5" ;;
    esac
}
library_of() {
    case $1 in
        reference) realpath "$reference/libzmq.so.5" ;;
        *) realpath "$ours/libzmq.so.5" ;;
    esac
}

# start WAY PROGRAM ARGUMENT...: runs it in the background ($pid), its output in target/demo/PROGRAM.out.
start() {
    local way=$1 program=$2
    shift 2
    env $(environment_of "$way") "$work/$program" "$@" > "$work/$program.out" 2>&1 &
    pid=$!
}

# prove WAY PROGRAM PID: the one libzmq that the process has mapped is the right file.
proofs=0
prove() {
    local mapped=
    for _ in $(seq 2000); do
        # libc is loaded after libzmq, so once it is there, everything is.
        if [ "$(readlink "/proc/$3/exe" 2> /dev/null)" = "$work/$2" ] && grep -q '/libc\.so' "/proc/$3/maps" 2> /dev/null; then
            mapped=$(grep -oE '/[^ ]*libzmq[^ ]*( \(deleted\))?$' "/proc/$3/maps" 2> /dev/null | sort -u)
            [ -n "$mapped" ] && break
        fi
        [ -d "/proc/$3" ] || break
    done
    [ -n "$mapped" ] || die "could not see which library $2 ($1) had mapped: $(cat "$work/$2.out")"
    [ "$mapped" = "$(library_of "$1")" ] || die "$2 ($1) has mapped $mapped instead of $(library_of "$1")"
    proofs=$((proofs + 1))
    if [ -n "${verbose:-}" ]; then printf '  %-11s %-8s pid %-6s has mapped %s\n' "$2" "$1" "$3" "${mapped#"$PWD"/}"; fi
}

finish() { # PROGRAM PID: waits for the process, twenty seconds at most
    local waited=0
    while kill -0 "$2" 2> /dev/null; do
        sleep 0.02
        waited=$((waited + 1))
        if [ $waited -gt 1000 ]; then
            kill -9 "$2"
            die "$1 did not end: $(cat "$work/$1.out")"
        fi
    done
    wait "$2" || die "$1 failed: $(cat "$work/$1.out")"
}

free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 10000))
        grep -qi ":$(printf %04X $port) " /proc/net/tcp /proc/net/tcp6 2> /dev/null || break
    done
    echo $port
}

# run WAY WORK TRANSPORT SIZE COUNT: sets $figure to what the program says (microseconds, or messages per second).
run() {
    local way=$1 kind=$2 transport=$3 size=$4 count=$5 endpoint server
    if [ "$transport" = inproc ]; then
        start "$way" "inproc_$kind" "$size" "$count"
        prove "$way" "inproc_$kind" $pid
        finish "inproc_$kind" $pid
        out=$work/inproc_$kind.out
    else
        case $transport in
            tcp) endpoint=tcp://127.0.0.1:$(free_port) ;;
            ipc) endpoint=ipc://$work/$kind.sock ;;
        esac
        start "$way" "local_$kind" "$endpoint" "$size" "$count"
        server=$pid
        prove "$way" "local_$kind" $server
        start "$way" "remote_$kind" "$endpoint" "$size" "$count"
        prove "$way" "remote_$kind" $pid
        finish "remote_$kind" $pid
        finish "local_$kind" $server
        case $kind in lat) out=$work/remote_lat.out ;; thr) out=$work/local_thr.out ;; esac
    fi
    figure=$(sed -nE 's/^(average latency|mean throughput): ([0-9.]+) \[(us|msg\/s)\]$/\2/p' "$out" | head -n 1)
    [ -n "$figure" ] || die "no figure: $(cat "$out")"
}

verbose=1
say "on ours, the libzmq.so.5 that the loader finds (LD_LIBRARY_PATH)"
run path lat tcp 64 20000
run path thr tcp 64 1000000
run path lat inproc 64 50000
run path thr inproc 64 2000000
say "on ours, by LD_PRELOAD, with upstream's still in the loader's path"
run preload lat tcp 64 20000
run preload thr tcp 64 1000000
run preload lat inproc 64 50000
run preload thr inproc 64 2000000
say "and on upstream's"
run reference lat tcp 64 20000
run reference thr tcp 64 1000000
verbose=

# The comparison: each row RUNS times on either, in turn; medians.
runs=${RUNS:-5}
rows=("lat tcp 64 20000" "lat ipc 64 20000" "lat inproc 64 50000"
    "thr tcp 64 2000000" "thr ipc 64 2000000" "thr inproc 64 3000000" "thr tcp 65536 20000")
median() { printf '%s\n' "$@" | sort -g | sed -n "$((($# + 1) / 2))p"; }
say "comparing: ${#rows[@]} rows, $runs runs of each on either library"
table=
step=0
for row in "${rows[@]}"; do
    mine=() theirs=()
    for ((i = 0; i < runs; i++)); do
        step=$((step + 1))
        if [ -t 2 ]; then printf '\r%d of %d: %s ' $step $((runs * ${#rows[@]})) "$row" >&2; fi
        if ((i % 2)); then order="reference path"; else order="path reference"; fi
        for way in $order; do
            run $way $row
            if [ $way = path ]; then mine+=("$figure"); else theirs+=("$figure"); fi
        done
    done
    table+="$row $(median "${mine[@]}") $(median "${theirs[@]}")"$'\n'
done
if [ -t 2 ]; then printf '\r\033[K' >&2; fi

say "our own examples, through pkg-config, against our header"
export PKG_CONFIG_PATH=$stage/lib/pkgconfig
for source in examples/*.c; do
    name=$(basename "$source" .c)
    gcc -std=c99 -O2 -Wall -Wextra -Werror "$source" $(pkg-config --cflags libzmq) -o "$work/$name" $(pkg-config --libs libzmq)
    output=$(LD_LIBRARY_PATH=$ours timeout 20 "$work/$name" 2>&1) || die "example $name failed: $output"
    printf '  %-18s %s\n' "$name" "$output"
done

say "upstream's perf programs, one way (latency) or from sender to receiver (throughput), medians of $runs alternating runs"
awk '
    BEGIN { printf "  %-32s %14s %14s %10s\n", "", "ours", "reference", "ratio" }
    NF == 6 {
        title = ($1 == "lat" ? "latency" : "throughput") ", " $2 ", " ($3 == 65536 ? "64 KiB" : $3 " B")
        if ($1 == "lat") printf "  %-32s %11.1f us %11.1f us %10.2f\n", title, $5, $6, $5 / $6
        else printf "  %-32s %9.0f /ms %10.0f /ms %10.2f\n", title, $5 / 1000, $6 / 1000, $5 / $6
    }' <<< "$table"
echo
echo "$proofs processes looked into: each had mapped the libzmq that it was meant to, and no other."
