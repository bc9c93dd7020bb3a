//! Gives the shared library the soname that programs linked against libzmq look for.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libzmq.so.5");
    // Threads of ours may still run in the code after `dlclose`, so the mapping has to stay.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
}
