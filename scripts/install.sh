#!/bin/sh
# install.sh install|uninstall, with DESTDIR, PREFIX, LIBDIR and INCLUDEDIR in the environment: what `make install` and `make uninstall` do.
set -eu
cd "$(dirname "$0")/.."

version=4.3.6     # what zmq_version says
abi_version=5.2.6 # the file name that upstream gives to the library of that version
prefix=${PREFIX:-/usr/local}
libdir=${LIBDIR:-$prefix/lib}
includedir=${INCLUDEDIR:-$prefix/include}
lib=${DESTDIR:-}$libdir
include=${DESTDIR:-}$includedir

# What a program that links the static library needs besides; `rustc --print native-static-libs` says so.
static_libs="-lgcc_s -lutil -lrt -lpthread -lm -ldl -lc"

fill_in() { # TEMPLATE TARGET
    sed -e "s|@prefix@|$prefix|g" -e "s|@libdir@|$libdir|g" -e "s|@includedir@|$includedir|g" \
        -e "s|@version@|$version|g" -e "s|@abi_version@|$abi_version|g" -e "s|@static_libs@|$static_libs|g" \
        -e "s|@include_from_lib@|$(realpath -m --relative-to="$libdir" "$includedir")|g" "$1" > "$2.new"
    chmod 644 "$2.new"
    mv "$2.new" "$2"
}

case ${1:-} in
    install)
        mkdir -p "$lib/pkgconfig" "$lib/cmake/ZeroMQ" "$include"
        # A new file in the old one's place, so that a process which has the old one mapped keeps it.
        rm -f "$lib/libzmq.so.$abi_version"
        install -m 755 target/release/libzmq.so "$lib/libzmq.so.$abi_version"
        ln -sf libzmq.so.$abi_version "$lib/libzmq.so.5"
        ln -sf libzmq.so.5 "$lib/libzmq.so"
        install -m 644 target/release/libzmq.a "$lib/libzmq.a"
        install -m 644 include/zmq.h include/zmq_utils.h "$include"
        fill_in pkgconfig/libzmq.pc.in "$lib/pkgconfig/libzmq.pc"
        fill_in pkgconfig/ZeroMQConfig.cmake.in "$lib/cmake/ZeroMQ/ZeroMQConfig.cmake"
        fill_in pkgconfig/ZeroMQConfigVersion.cmake.in "$lib/cmake/ZeroMQ/ZeroMQConfigVersion.cmake"
        # The loader's cache, when this goes into the running system.
        if [ -z "${DESTDIR:-}" ] && [ "$(id -u)" = 0 ]; then
            case $libdir in /usr/* | /lib*) ldconfig || true ;; esac
        fi
        ;;
    uninstall)
        rm -f "$lib/libzmq.so.$abi_version" "$lib/libzmq.so.5" "$lib/libzmq.so" "$lib/libzmq.a" \
            "$lib/pkgconfig/libzmq.pc" "$lib/cmake/ZeroMQ/ZeroMQConfig.cmake" "$lib/cmake/ZeroMQ/ZeroMQConfigVersion.cmake" \
            "$include/zmq.h" "$include/zmq_utils.h"
        rmdir "$lib/cmake/ZeroMQ" 2> /dev/null || true
        ;;
    *)
        echo "usage: install.sh install|uninstall" >&2
        exit 2
        ;;
esac
