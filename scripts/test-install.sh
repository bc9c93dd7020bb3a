#!/bin/bash
# What `make install` puts where, whether programs find it by pkg-config and by CMake's find_package, and that `make uninstall` takes all of it away.
# Ends with a line in the form of cargo's tests: `test result: ok. N passed; 0 failed`.
set -uo pipefail
cd "$(dirname "$0")/.."

# No `| grep -q` here: it leaves early, and pipefail then blames the program before it for its SIGPIPE.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0
check() { # NAME COMMAND...
    local name=$1
    shift
    if ("$@") > "$work/log" 2>&1; then
        echo "test install::$name ... ok"
        passed=$((passed + 1))
    else
        echo "test install::$name ... FAILED"
        cat "$work/log"
        failed=$((failed + 1))
    fi
}

cat > "$work/version.c" << 'C'
#include <zmq.h>
#include <zmq_utils.h>
#include <stdio.h>
int main (void)
{
    int major, minor, patch;
    zmq_version (&major, &minor, &patch);
    printf ("%d.%d.%d\n", major, minor, patch);
    return ZMQ_MAKE_VERSION (major, minor, patch) != ZMQ_VERSION;
}
C
prefix=$work/prefix

files_are_there() {
    make --no-print-directory install PREFIX="$prefix" DESTDIR= &&
        diff <(cd "$prefix" && find . -type f -o -type l | sort) - << 'LIST'
./include/zmq.h
./include/zmq_utils.h
./lib/cmake/ZeroMQ/ZeroMQConfig.cmake
./lib/cmake/ZeroMQ/ZeroMQConfigVersion.cmake
./lib/libzmq.a
./lib/libzmq.so
./lib/libzmq.so.5
./lib/libzmq.so.5.2.6
./lib/pkgconfig/libzmq.pc
LIST
}

links_lead_to_the_library() {
    [ "$(readlink "$prefix/lib/libzmq.so.5")" = libzmq.so.5.2.6 ] && [ "$(readlink -f "$prefix/lib/libzmq.so")" = "$(readlink -f "$prefix/lib/libzmq.so.5.2.6")" ] &&
        readelf -d "$prefix/lib/libzmq.so" | grep 'soname: \[libzmq.so.5\]' > /dev/null
}

pkg_config_shared() {
    export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
    gcc -std=c99 -Wall -Wextra -Werror "$work/version.c" $(pkg-config --cflags libzmq) -o "$work/shared" $(pkg-config --libs libzmq) &&
        LD_LIBRARY_PATH=$prefix/lib ldd "$work/shared" | grep "libzmq.so.5 => $prefix/lib/libzmq.so.5 " > /dev/null &&
        [ "$(LD_LIBRARY_PATH=$prefix/lib "$work/shared")" = "$(pkg-config --modversion libzmq)" ]
}

pkg_config_static() {
    export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
    gcc "$work/version.c" $(pkg-config --cflags libzmq) -o "$work/static" $(pkg-config --static --libs libzmq | sed 's/-lzmq/-l:libzmq.a/') &&
        ! ldd "$work/static" | grep zmq && "$work/static"
}

cmake_project() { # FOLDER PREFIX: builds a C and a C++ program with either target, and runs them
    mkdir -p "$1" && cp "$work/version.c" "$1/version.c" && cp "$work/version.c" "$1/version.cpp"
    cat > "$1/CMakeLists.txt" << 'CMAKE'
cmake_minimum_required (VERSION 3.5)
project (consumer C CXX)
find_package (ZeroMQ 4.3 REQUIRED)
if (NOT EXISTS "${ZeroMQ_INCLUDE_DIR}/zmq.h" OR NOT EXISTS "${ZeroMQ_LIBRARY}" OR NOT EXISTS "${ZeroMQ_STATIC_LIBRARY}")
  message (FATAL_ERROR "a variable leads nowhere")
endif ()
foreach (language c cpp)
  foreach (target libzmq libzmq-static)
    add_executable (${language}-${target} version.${language})
    target_link_libraries (${language}-${target} ${target})
  endforeach ()
endforeach ()
CMAKE
    cmake -S "$1" -B "$1/build" -DCMAKE_PREFIX_PATH="$2" && cmake --build "$1/build" &&
        for program in {c,cpp}-libzmq{,-static}; do "$1/build/$program" || return 1; done
    ldd "$1/build/c-libzmq" | grep "=> $2/lib/libzmq.so.5" > /dev/null && ! ldd "$1/build/c-libzmq-static" | grep zmq
}

cmake_finds_it() { cmake_project "$work/cmake" "$prefix"; }

cmake_finds_a_tree_that_moved() {
    cp -a "$prefix" "$work/moved" && cmake_project "$work/cmake-moved" "$work/moved"
}

other_folders_are_respected() {
    make --no-print-directory install DESTDIR="$work/dest" PREFIX=/usr LIBDIR=/usr/lib/x86_64-linux-gnu INCLUDEDIR=/usr/include/zeromq &&
        test -f "$work/dest/usr/lib/x86_64-linux-gnu/libzmq.so.5.2.6" -a -f "$work/dest/usr/include/zeromq/zmq.h" &&
        grep -q '^libdir=/usr/lib/x86_64-linux-gnu$' "$work/dest/usr/lib/x86_64-linux-gnu/pkgconfig/libzmq.pc" &&
        grep -q '/../../include/zeromq"' "$work/dest/usr/lib/x86_64-linux-gnu/cmake/ZeroMQ/ZeroMQConfig.cmake" &&
        ! grep -rq "$work" "$work/dest/usr/lib/x86_64-linux-gnu/pkgconfig" "$work/dest/usr/lib/x86_64-linux-gnu/cmake"
}

uninstall_leaves_nothing() {
    touch "$prefix/lib/other" &&
        make --no-print-directory uninstall PREFIX="$prefix" DESTDIR= &&
        [ "$(cd "$prefix" && find . ! -type d)" = ./lib/other ] &&
        make --no-print-directory uninstall DESTDIR="$work/dest" PREFIX=/usr LIBDIR=/usr/lib/x86_64-linux-gnu INCLUDEDIR=/usr/include/zeromq &&
        [ -z "$(find "$work/dest" ! -type d)" ]
}

for name in files_are_there links_lead_to_the_library pkg_config_shared pkg_config_static cmake_finds_it cmake_finds_a_tree_that_moved \
    other_folders_are_respected uninstall_leaves_nothing; do
    check $name $name
done

echo
if [ $failed = 0 ]; then result=ok; else result=FAILED; fi
echo "test result: $result. $passed passed; $failed failed"
[ $failed = 0 ]
