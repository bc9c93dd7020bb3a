#!/bin/sh
# Memcheck over a program that uses a little of everything. An invalid access, a use of what was never written, or
# memory that is lost at exit fails it. Memory that is still reachable (buffers kept for use again, tables of cells) is none of these.
set -eu
cd "$(dirname "$0")/.."

command -v valgrind >/dev/null || { echo "valgrind isn't there (Debian: valgrind)" >&2; exit 1; }
folder=target/valgrind
ln -sf libzmq.so $folder/release/libzmq.so.5

cc -g -Iinclude -o $folder/everything scripts/valgrind.c -L$folder/release -lzmq -lpthread
check() {
    LD_LIBRARY_PATH=$folder/release valgrind --quiet --error-exitcode=1 --leak-check=full --show-leak-kinds=definite,indirect,possible \
        --errors-for-leak-kinds=definite,indirect "$@"
}
check $folder/everything
# The same and wss, for which a certificate is needed. In TLS the tags of records (AES-GCM, by ring's assembly) look uninitialised to memcheck: it traces
# them to the stack of a function of ring's that has long returned. But both sides come to the same tags.
if command -v openssl >/dev/null; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 \
        -keyout $folder/key.pem -out $folder/certificate.pem 2>/dev/null
    check --undef-value-errors=no $folder/everything $folder/certificate.pem $folder/key.pem
else
    echo "openssl isn't there: wss is left out" >&2
fi
echo "valgrind: nothing invalid, nothing lost"
