#!/bin/sh
# Memcheck over programs that use the library: examples, upstream's perf programs. An invalid access, a use of what was never written, or
# memory that is lost at exit fails it. Memory that is still reachable (buffers kept for use again, tables of cells) is none of these.
set -eu
cd "$(dirname "$0")/.."

command -v valgrind >/dev/null || { echo "valgrind isn't there (Debian: valgrind)" >&2; exit 1; }
folder=target/valgrind
mkdir -p $folder
ln -sf ../release/libzmq.so $folder/libzmq.so.5
ln -sf ../release/libzmq.so $folder/libzmq.so

cc -g -Iinclude -o $folder/everything scripts/valgrind.c -L$folder -lzmq -lpthread
LD_LIBRARY_PATH=$folder valgrind --quiet --error-exitcode=1 --leak-check=full --show-leak-kinds=definite,indirect,possible \
    --errors-for-leak-kinds=definite,indirect $folder/everything
echo "valgrind: nothing invalid, nothing lost"
