#!/bin/bash
# deps.sh WHAT...: makes sure that what a target needs is installed. What is missing is installed by apt-get when that is there and
# permitted (root, or sudo without a password); otherwise this names the packages and fails.
#
#   make     make itself
#   build    a C compiler, which rustc links with
#   c        what compiles C and C++ against the library, and looks into the result
#   upstream what the reference library and upstream's tests need
#   peers    other programs that speak ZeroMQ, and what runs them
#   proxies  the SOCKS5 proxies that tests connect through
#   kerberos the KDC that tests start, and its programs
#   browser  the browser that tests talk to
#   programs what scripts/test-programs.sh runs on the library
#   vm       the emulator, and what is in the machine that it emulates
#   network  what makes network namespaces and the interfaces in them
set -euo pipefail

missing=()
need() { # PACKAGE TEST...
    local package=$1
    shift
    "$@" > /dev/null 2>&1 || missing+=("$package")
}

for what in "$@"; do
    case $what in
        make) need make command -v make ;;
        build)
            need gcc command -v cc
            need libc6-dev test -f /usr/include/stdio.h
            ;;
        c)
            need gcc command -v gcc
            need g++ command -v g++
            need libc6-dev test -f /usr/include/stdio.h
            need pkg-config command -v pkg-config
            need binutils command -v nm
            need cmake command -v cmake
            ;;
        upstream)
            need g++ command -v g++
            need libsodium-dev test -f /usr/include/sodium.h
            need libgnutls28-dev test -f /usr/include/gnutls/gnutls.h # wss://, which upstream's library has by GnuTLS
            need libnorm-dev test -f /usr/include/normApi.h
            need libpgm-dev test -f /usr/include/pgm-5.3/pgm/pgm.h
            need libkrb5-dev test -f /usr/include/gssapi/gssapi.h
            ;;
        proxies)
            need microsocks command -v microsocks
            need dante-server test -x /usr/sbin/danted
            ;;
        kerberos)
            need krb5-kdc test -x /usr/sbin/krb5kdc
            need krb5-user command -v kinit
            need krb5-admin-server test -x /usr/sbin/kadmin.local
            ;;
        browser) need chromium command -v chromium ;;
        programs)
            need python3-zmq /usr/bin/python3 -c 'import zmq.tests'
            need python3-pytest /usr/bin/python3 -c 'import pytest'
            need python3-tornado /usr/bin/python3 -c 'import tornado'
            need python3-gevent /usr/bin/python3 -c 'import gevent'
            need libczmq-dev test -f /usr/include/czmq.h
            need cppzmq-dev test -f /usr/include/zmq_addon.hpp
            ;;
        vm)
            need qemu-system-x86 command -v qemu-system-x86_64
            need busybox-static command -v busybox
            ;;
        network)
            need iproute2 command -v ip
            need util-linux command -v unshare
            ;;
        peers)
            need python3-venv python3 -c "import ensurepip, venv"
            need default-jdk-headless command -v javac
            need libjeromq-java test -f /usr/share/java/jeromq.jar
            ;;
        *)
            echo "deps.sh: unknown: $what" >&2
            exit 2
            ;;
    esac
done

if ! command -v cargo > /dev/null; then
    echo "no Rust toolchain: install one (https://rustup.rs), stable 1.89 or later, and try again" >&2
    exit 1
fi
if [ ${#missing[@]} = 0 ]; then
    exit 0
fi
mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)

as_root=()
if [ "$(id -u)" != 0 ]; then
    as_root=(sudo -n)
fi
if command -v apt-get > /dev/null && { [ "$(id -u)" = 0 ] || sudo -n true 2> /dev/null; }; then
    echo "installing ${missing[*]}" >&2
    export DEBIAN_FRONTEND=noninteractive
    install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "${missing[@]}")
    log=$(mktemp)
    # A fresh machine has no package lists yet, and an old one has stale ones.
    if "${install[@]}" > "$log" 2>&1 || { "${as_root[@]}" apt-get -qq update >> "$log" 2>&1 && "${install[@]}" >> "$log" 2>&1; }; then
        rm -f "$log"
        exit 0
    fi
    cat "$log" >&2
    rm -f "$log"
fi
echo "these packages are missing and could not be installed: ${missing[*]}" >&2
echo "install them (on Debian: sudo apt-get install ${missing[*]}) and try again" >&2
exit 1
