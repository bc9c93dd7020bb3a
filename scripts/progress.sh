#!/bin/bash
# progress.sh TOTAL TITLE: reads one line per step done and shows how far the work is; on a terminal in place, otherwise now and then.
# Fails when fewer than TOTAL steps were done.
total=$1 title=$2 done=0
while read -r _; do
    done=$((done + 1))
    if [ -t 2 ]; then
        printf '\r%s: %d of %d ' "$title" "$done" "$total" >&2
    elif [ $((done % 40)) = 0 ] || [ $done = "$total" ]; then
        echo "$title: $done of $total" >&2
    fi
done
[ -t 2 ] && echo >&2
[ $done = "$total" ]
