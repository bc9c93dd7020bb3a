#!/bin/bash
# `make test-vm`: boots a kernel of Debian's, which has TIPC and AF_VSOCK's loopback as modules, in an emulated machine, and runs in it what needs them:
# upstream's own programs for tipc and vmci, and tests/vm. Nothing is installed, and nothing of it is of another machine: the kernel comes out of its package, into target/vm.
#
# VM_LIMIT=seconds: how long the machine may run (540).
set -euo pipefail
cd "$(dirname "$0")/.."

cargo=${CARGO:-cargo}
judge=(env -u CARGO_TARGET_DIR "$cargo" run --quiet --manifest-path compat-tests/Cargo.toml --)
work=$PWD/target/vm
root=$work/root
log=$work/console.log
mkdir -p "$work"

# The kernel's package, by the name of the package that stands for the newest.
if ! ls "$work"/kernel/boot/vmlinuz-* > /dev/null 2>&1; then
    newest() { apt-cache depends linux-image-amd64 2> /dev/null | awk '$1 == "Depends:" && $2 ~ /^linux-image-/ { print $2; exit }'; }
    package=$(newest)
    if [ -z "$package" ]; then
        apt-get -qq update
        package=$(newest)
    fi
    (cd "$work" && rm -f linux-image-*.deb && { apt-get -qq download "$package" 2> /dev/null || { apt-get -qq update && apt-get -qq download "$package"; }; })
    rm -rf "$work/fresh"
    mkdir "$work/fresh"
    dpkg --fsys-tarfile "$work"/linux-image-*.deb | tar -x -C "$work/fresh" ./boot ./lib/modules
    rm -rf "$work/kernel"
    mv "$work/fresh" "$work/kernel"
    rm "$work"/linux-image-*.deb
fi
kernel=$(ls "$work"/kernel/boot/vmlinuz-*)

rm -rf "$root"
mkdir -p "$root"/{bin,dev,proc,sys,tmp,modules,programs,lib/ours,lib/reference}
cp "$(command -v busybox)" "$root/bin/busybox"
ln -s busybox "$root/bin/sh"

# In the order in which they need each other. vhost_vsock makes this machine a host, so that it has an id of its own, 2.
modules="udp_tunnel ip6_udp_tunnel tipc vsock vmw_vsock_virtio_transport_common vsock_loopback vhost_iotlb vhost vhost_vsock"
for module in $modules; do
    find "$work/kernel/lib/modules" -name "$module.ko" -exec cp {} "$root/modules/" \;
    [ -f "$root/modules/$module.ko" ] || { echo "the kernel's package has no module $module" >&2; exit 1; }
done

# A program, and the libraries that it is linked with, where the loader looks for them.
take() { # FILE TO
    cp "$1" "$root/$2"
    { ldd "$1" || true; } | awk '/=> \// { print $3 } $1 ~ /^\/.*ld-linux/ { print $1 }' | while read -r library; do
        case $library in */libzmq.so*) continue ;; esac
        mkdir -p "$root$(dirname "$library")"
        cp -n "$library" "$root$library"
    done
}

test=$("$cargo" test --quiet --no-run --test vm --message-format json | sed -n 's/.*"executable":"\([^"]*\/vm-[^"]*\)".*/\1/p' | tail -1)
[ -x "$test" ] || { echo "tests/vm was not built" >&2; exit 1; }
take "$test" programs/vm
take "$(env -u CARGO_TARGET_DIR "$cargo" build --quiet --manifest-path compat-tests/Cargo.toml --message-format json | sed -n 's/.*"executable":"\([^"]*\/compat-tests\)".*/\1/p' | tail -1)" programs/judge
reference=$("${judge[@]}" build-reference)
take "$reference/libzmq.so.5" lib/reference/libzmq.so.5

# VM_LIBRARY=file: that one in the place of a fresh build.
"${judge[@]}" vm-programs ${VM_LIBRARY:+--library "$VM_LIBRARY" --include include} > "$work/programs"
{
    cat << 'END'
#!/bin/sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox --install -s /bin
export PATH=/bin HOME=/tmp TMPDIR=/tmp RUST_BACKTRACE=0 LD_LIBRARY_PATH=/lib/ours
ip link set lo up
echo "=== kernel $(uname -r)"
run() { # NAME SECONDS COMMAND...
    name=$1 limit=$2
    shift 2
    cd /tmp
    echo "=== begin $name"
    timeout -k 5 "$limit" "$@" 2>&1
    code=$?
    echo
    echo "=== end $name $code"
}
answer() { # ROLE KIND NAME
    echo "=== answer $1 $2 $3 $(timeout -k 5 60 /programs/judge probe "$2" "$3" --library "/lib/$1/libzmq.so.5" 2>&1 | tail -1)"
}
END
    for module in $modules; do
        echo "insmod /modules/$module.ko"
    done
    for role in ours reference; do
        for transport in tipc vsock vmci; do
            echo "answer $role transport $transport"
        done
    done
    while read -r name program part; do
        if [ "$name" = library ]; then
            take "$program" lib/ours/libzmq.so.5
        else
            take "$program" "programs/$name"
            echo "UNITY_INCLUDE='$part' run $name 90 /programs/$name"
        fi
    done < "$work/programs"
    echo "run vm 300 /programs/vm --include-ignored --test-threads 1"
    echo 'echo "=== done"'
    echo 'poweroff -f'
} > "$root/init"
chmod +x "$root/init"
(cd "$root" && find . | busybox cpio -o -H newc 2> /dev/null | gzip -1) > "$work/initramfs.gz"

# This machine's kernel has no part in it: the processor is emulated.
echo "booting $(basename "$kernel"), emulated"
started=$SECONDS
timeout -k 10 "${VM_LIMIT:-540}" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m 1024 -nodefaults -nographic -no-reboot -serial stdio \
    -kernel "$kernel" -initrd "$work/initramfs.gz" -append "console=ttyS0 quiet loglevel=1 panic=-1" < /dev/null > "$log" || echo "the machine was ended after $((SECONDS - started)) s"
echo "it ran for $((SECONDS - started)) s: $log"
if [ ! -e /dev/vhost-vsock ]; then
    echo "host and guest were not tested: this machine has no /dev/vhost-vsock"
fi
"${judge[@]}" vm-judge "$log"
