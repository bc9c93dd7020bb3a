#!/bin/bash
# Writes what README.md says about speed and about what works, between its markers, from docs/performance.md and docs/compatibility.md, and the latter from
# the report of the last run of upstream's test programs and from what `make matrix` has asked. What isn't there yet is left as it stands.
set -euo pipefail
cd "$(dirname "$0")/.."

report=compat-tests/target/report.md
matrix=compat-tests/target/matrix.md
performance=docs/performance.md
compatibility=docs/compatibility.md

# between NAME FILE: puts the file's text between the markers of that name.
between() {
    awk -v name="$1" -v file="$2" '
        index($0, "<!-- " name " ends -->") { inside = 0 }
        !inside { print }
        index($0, "<!-- " name ": ") { inside = 1; print ""; while ((getline line < file) > 0) print line; print "" }
    ' README.md > README.md.new
    cat README.md.new > README.md
    rm README.md.new
}

part=$(mktemp)
trap 'rm -f "$part"' EXIT

if [ -f $performance ]; then
    {
        sed -n 's/^Written by `make bench` on \([0-9-]*\): \(Linux [^,]*\), \([0-9]* CPUs\), \(.*\),$/Medians from `make bench`, \1: \2, \3, \4. Ratio is ours \/ reference.\n/p' $performance
        awk -F ' *[|] *' '
            $2 == "work" { print "| | ours | upstream 4.3.5 | ratio |\n|---|---:|---:|---:|" }
            /^\| (round trip, (tcp|ipc|inproc), 64 B|messages, tcp, (8|64) B|messages, (ipc|inproc), 64 B|messages, tcp, 1 KiB|bytes, tcp, 64 KiB|fan-out, tcp, 100|memory, idle|session set-up)/ {
                print "| " $2 " | " $3 " | " $4 " | " $5 " |"
            }' $performance
    } > "$part"
    between performance "$part"
fi

mkdir -p docs
# The page has two parts: upstream's test programs, and the matrix. What wasn't made anew is kept.
{
    if [ -f $report ]; then
        awk -v style=page -v vm=compat-tests/target/vm/cases -f scripts/compatibility.awk $report
    elif [ -f $compatibility ]; then
        sed '/^## What there is$/,$d' $compatibility | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}'
    fi
    if [ -f $matrix ]; then
        printf '\n'
        cat $matrix
    elif [ -f $compatibility ] && grep -q '^## What there is$' $compatibility; then
        printf '\n'
        sed -n '/^## What there is$/,$p' $compatibility
    fi
} > "$part"
if [ -s "$part" ]; then
    cat "$part" > $compatibility
fi
if [ -f $compatibility ]; then
    sed -n '/^| area/,/^$/p' $compatibility | sed '/^$/d' > "$part"
    printf '\nCases of upstream'"'"'s own test programs; [docs/compatibility.md](docs/compatibility.md) has every one.\n' >> "$part"
    between compatibility "$part"
fi
