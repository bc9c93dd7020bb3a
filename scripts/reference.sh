#!/bin/bash
# Builds the reference library (upstream's C++ libzmq, drafts and CURVE included, optimised as distributions do) from the package
# `zeromq-src` into target/reference/lib: libzmq.so.5 and the link libzmq.so. Does nothing when it is there already.
set -euo pipefail
cd "$(dirname "$0")/.."

out=target/reference
vendor=$(scripts/zeromq-src.sh)
if [ -f $out/lib/libzmq.so.5 ] && [ "$(cat $out/built-from 2>/dev/null)" = "$vendor" ]; then
    exit 0
fi
mkdir -p $out/obj $out/lib
: > $out/platform.hpp # what upstream's configure would write; the settings come from the command line instead

export CXX=${CXX:-g++} CC=${CC:-gcc} out vendor
defines=(_GNU_SOURCE ZMQ_CUSTOM_PLATFORM_HPP)
# Many of these are tested with #if, so each needs a value.
for name in ZMQ_BUILD_DRAFT_API ZMQ_HAVE_{LINUX,IPC,UIO,PPOLL,CURVE,WS} ZMQ_USE_{LIBSODIUM,BUILTIN_SHA1,CV_IMPL_STL11} \
    ZMQ_IOTHREAD_POLLER_USE_EPOLL{,_CLOEXEC} ZMQ_POLL_BASED_ON_POLL ZMQ_HAVE_{ATOMIC_INTRINSICS,EVENTFD,EVENTFD_CLOEXEC} \
    ZMQ_HAVE_SO_{PEERCRED,PRIORITY,BINDTODEVICE,KEEPALIVE} ZMQ_HAVE_TCP_KEEP{CNT,IDLE,INTVL} ZMQ_HAVE_{O,SOCK}_CLOEXEC \
    ZMQ_HAVE_{GETRANDOM,NOEXCEPT,IFADDRS,BUSY_POLL} ZMQ_HAVE_PTHREAD_{SETNAME_2,SET_AFFINITY} \
    HAVE_{MKDTEMP,FORK,ACCEPT4,CLOCK_GETTIME,STRNLEN,IF_NAMETOINDEX,GETIFADDRS}; do
    defines+=("$name=1")
done
defines+=(ZMQ_CACHELINE_ALIGNMENT=64 HAVE_STRLCPY=0)
export FLAGS="-O2 -fPIC -w -pthread ${defines[*]/#/-D} -I$out -I$vendor/include -I$vendor/src"

compile() {
    case $1 in
        *.cpp) $CXX -std=gnu++11 $FLAGS -c "$1" -o "$out/obj/$(basename "$1" .cpp).o" ;;
        *.c) $CC $FLAGS -c "$1" -o "$out/obj/$(basename "$1" .c).o" ;;
    esac && echo .
}
export -f compile

sources=("$vendor"/external/sha1/sha1.c)
for source in "$vendor"/src/*.cpp; do
    case $source in */wss_*) ;; *) sources+=("$source") ;; esac # wss wants GnuTLS, and has no guard
done
log=$out/build.log
printf '%s\0' "${sources[@]}" | xargs -0 -n 1 -P "$(nproc)" bash -c 'compile "$0"' 2> $log |
    scripts/progress.sh "${#sources[@]}" "building the reference library" || { cat $log >&2; exit 1; }

$CXX -shared -Wl,-soname,libzmq.so.5 -o $out/lib/libzmq.so.5 $out/obj/*.o -lsodium -lrt -pthread -Wl,-z,defs
ln -sf libzmq.so.5 $out/lib/libzmq.so
echo "$vendor" > $out/built-from
