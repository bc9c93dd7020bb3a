//! What needs no context: errno, version, capabilities, Z85, key pairs, and the small helpers that perf programs use.

use std::sync::atomic::{AtomicI32, Ordering};

use libc::{c_char, c_int, c_uint, c_ulong, c_void, size_t};

use super::boundary::{c_string, call, call_unit};
use super::constants::{
    EFSM, EMTHREAD, ENOCOMPATPROTO, ETERM, ZMQ_VERSION_MAJOR, ZMQ_VERSION_MINOR, ZMQ_VERSION_PATCH,
};
use crate::error::{Error, Result};
use crate::runtime::features::is_loaded;
use crate::security::curve::keys::{KEY, SecretKey};
use crate::sys::time;
use crate::transport;
use crate::z85::{self, KEY_TEXT};
use zeroize::Zeroizing;

/// What `zmq_has` answers 1 to, besides the transports and [what the system helps with](is_loaded).
const CAPABILITIES: &[&[u8]] = &[b"curve", b"draft"];

/// The value of errno, as this library sees it (zmq_errno(3)).
#[unsafe(no_mangle)]
pub extern "C" fn zmq_errno() -> c_int {
    errno::errno().0
}

/// What an errno value means, in words that live as long as the process (zmq_strerror(3)).
#[unsafe(no_mangle)]
pub extern "C" fn zmq_strerror(errnum: c_int) -> *const c_char {
    // Upstream has words of its own for these, and programs compare and log them.
    let text = match errnum {
        libc::EHOSTUNREACH => c"Host unreachable",
        EFSM => c"Operation cannot be accomplished in current state",
        ENOCOMPATPROTO => c"The protocol is not compatible with the socket type",
        ETERM => c"Context was terminated",
        EMTHREAD => c"No thread available",
        // SAFETY: it takes any number. The text of a known one is constant; that of an unknown one belongs to the thread (glibc
        // since 2.32; musl has one constant text).
        _ => return unsafe { libc::strerror(errnum) },
    };
    text.as_ptr()
}

/// The version of the API that the library implements (zmq_version(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_version(major: *mut c_int, minor: *mut c_int, patch: *mut c_int) {
    for (place, value) in [(major, ZMQ_VERSION_MAJOR), (minor, ZMQ_VERSION_MINOR), (patch, ZMQ_VERSION_PATCH)]
    {
        if !place.is_null() {
            // SAFETY: not null, so the caller has an int there.
            unsafe { place.write(value) };
        }
    }
}

/// 1 if the library can do what `capability` names, else 0 (zmq_has(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_has(capability: *const c_char) -> c_int {
    // SAFETY: the caller passes a string or null.
    let name = unsafe { c_string(capability) };
    let has = |name| CAPABILITIES.contains(&name) || transport::is_capability(name) || is_loaded(name);
    name.is_ok_and(has).into()
}

/// Writes `size` bytes, a multiple of 4, as Z85 text with a terminating zero; returns `dest`, or null (zmq_z85_encode(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_z85_encode(dest: *mut c_char, data: *const u8, size: size_t) -> *mut c_char {
    call(|| {
        if !size.is_multiple_of(4) {
            return Err(Error::Invalid);
        }
        if dest.is_null() || (data.is_null() && size != 0) {
            return Err(Error::Fault);
        }
        let groups = size / 4;
        for group in 0..groups {
            // SAFETY: the caller has `size` bytes at `data` and 5/4 of that, plus one, at `dest`. Raw pointers, because `dest` may be uninitialised.
            unsafe {
                let bytes = data.cast::<[u8; 4]>().add(group).read();
                dest.cast::<[u8; 5]>().add(group).write(z85::encode_group(bytes));
            }
        }
        // SAFETY: the one byte more.
        unsafe { dest.add(groups * 5).write(0) };
        Ok(dest)
    })
}

/// Decodes Z85 text, whose length is a multiple of 5; returns `dest`, or null (zmq_z85_decode(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_z85_decode(dest: *mut u8, string: *const c_char) -> *mut u8 {
    call(|| {
        // SAFETY: the caller passes a string or null. Only its length is kept, because `dest` may be the same memory.
        let len = unsafe { c_string(string) }?.len();
        if dest.is_null() {
            return Err(Error::Fault);
        }
        if len == 0 || !len.is_multiple_of(5) {
            return Err(Error::Invalid);
        }
        for group in 0..len / 5 {
            // SAFETY: `len` characters are at `string`, and the caller has 4/5 of that at `dest`; writing stays behind reading.
            unsafe {
                let text = string.cast::<[u8; 5]>().add(group).read();
                let bytes = z85::decode_group(text).ok_or(Error::Invalid)?;
                dest.cast::<[u8; 4]>().add(group).write(bytes);
            }
        }
        Ok(dest)
    })
}

/// Makes a pair of CURVE keys, each 40 characters of Z85 and a zero (zmq_curve_keypair(3)). EFAULT for null; else what the
/// system says if it has no random bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_curve_keypair(
    z85_public_key: *mut c_char,
    z85_secret_key: *mut c_char,
) -> c_int {
    call_unit(|| {
        if z85_public_key.is_null() || z85_secret_key.is_null() {
            return Err(Error::Fault);
        }
        let secret = SecretKey::generate()?;
        // SAFETY: the caller has room for 41 characters at each.
        unsafe {
            write_key(&secret.public(), z85_public_key);
            write_key(secret.bytes(), z85_secret_key);
        }
        Ok(())
    })
}

/// The public key that goes with a secret one (zmq_curve_public(3)). EINVAL if that isn't 40 characters of Z85, EFAULT for null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_curve_public(
    z85_public_key: *mut c_char,
    z85_secret_key: *const c_char,
) -> c_int {
    call_unit(|| {
        // SAFETY: the caller passes a string or null.
        let secret = Zeroizing::new(z85::decode(unsafe { c_string(z85_secret_key) }?).ok_or(Error::Invalid)?);
        let secret = secret.as_slice().try_into().map_err(|_| Error::Invalid)?;
        if z85_public_key.is_null() {
            return Err(Error::Fault);
        }
        // SAFETY: the caller has room for 41 characters.
        unsafe { write_key(&SecretKey::new(secret).public(), z85_public_key) };
        Ok(())
    })
}

/// # Safety
/// There is room for 41 characters at `dest`.
unsafe fn write_key(key: &[u8; KEY], dest: *mut c_char) {
    let (groups, _) = key.as_chunks();
    let mut text = Zeroizing::new([0; KEY_TEXT + 1]);
    for (group, place) in groups.iter().zip(text.chunks_exact_mut(5)) {
        place.copy_from_slice(&z85::encode_group(*group));
    }
    // SAFETY: the caller says so.
    unsafe { dest.cast::<[u8; KEY_TEXT + 1]>().write(*text) };
}

/// A new counter, at 0 (zmq_atomic_counter_new(3)).
#[unsafe(no_mangle)]
pub extern "C" fn zmq_atomic_counter_new() -> *mut c_void {
    Box::into_raw(Box::new(AtomicI32::new(0))).cast()
}

/// Sets a counter (zmq_atomic_counter_set(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_atomic_counter_set(counter: *mut c_void, value: c_int) {
    // SAFETY: the caller passes a counter or null.
    call_unit(|| unsafe { self::counter(counter) }.map(|counter| counter.store(value, Ordering::SeqCst)));
}

/// Adds 1; returns the value from before (zmq_atomic_counter_inc(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_atomic_counter_inc(counter: *mut c_void) -> c_int {
    // SAFETY: the caller passes a counter or null.
    call(|| unsafe { self::counter(counter) }.map(|counter| counter.fetch_add(1, Ordering::SeqCst)))
}

/// Subtracts 1; returns 0 when the counter has reached 0, else 1 (zmq_atomic_counter_dec(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_atomic_counter_dec(counter: *mut c_void) -> c_int {
    // SAFETY: the caller passes a counter or null.
    let counter = unsafe { self::counter(counter) };
    call(|| counter.map(|counter| (counter.fetch_sub(1, Ordering::SeqCst) != 1).into()))
}

/// The value of a counter (zmq_atomic_counter_value(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_atomic_counter_value(counter: *mut c_void) -> c_int {
    // SAFETY: the caller passes a counter or null.
    call(|| unsafe { self::counter(counter) }.map(|counter| counter.load(Ordering::SeqCst)))
}

/// Destroys a counter and sets the pointer to null (zmq_atomic_counter_destroy(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_atomic_counter_destroy(counter: *mut *mut c_void) {
    if counter.is_null() {
        return;
    }
    // SAFETY: not null, so the caller has a pointer there.
    let counter = unsafe { counter.replace(std::ptr::null_mut()) };
    if !counter.is_null() {
        // SAFETY: it came from `zmq_atomic_counter_new`, and whoever destroys it is the last to use it.
        drop(unsafe { Box::from_raw(counter.cast::<AtomicI32>()) });
    }
}

/// # Safety
/// `counter` is null or came from `zmq_atomic_counter_new` and isn't destroyed meanwhile.
unsafe fn counter<'a>(counter: *mut c_void) -> Result<&'a AtomicI32> {
    // SAFETY: as above.
    unsafe { counter.cast::<AtomicI32>().as_ref() }.ok_or(Error::Fault)
}

/// Starts a stopwatch.
///
/// The handle holds the time itself: nothing is allocated, so nothing can leak or be used too late.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_stopwatch_start() -> *mut c_void {
    std::ptr::without_provenance_mut(microseconds())
}

/// The microseconds since a stopwatch was started; it runs on.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_stopwatch_intermediate(watch: *mut c_void) -> c_ulong {
    microseconds().wrapping_sub(watch.addr()) as c_ulong
}

/// The microseconds since a stopwatch was started, which ends.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_stopwatch_stop(watch: *mut c_void) -> c_ulong {
    zmq_stopwatch_intermediate(watch)
}

/// Microseconds of the monotonic clock, never 0. Where pointers have 32 bits it wraps, and differences stay right, as wide as `unsigned long` is there.
fn microseconds() -> usize {
    (time::monotonic_ns() / 1000).wrapping_add(1) as usize
}

/// Sleeps that many seconds, or until a signal.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_sleep(seconds: c_int) {
    // SAFETY: it takes any number.
    unsafe { libc::sleep(seconds as c_uint) };
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use super::*;

    fn text(errnum: c_int) -> String {
        // SAFETY: it returns a string for any number.
        unsafe { CStr::from_ptr(zmq_strerror(errnum)) }.to_str().unwrap().to_owned()
    }

    #[test]
    fn errors_have_their_texts() {
        assert_eq!(text(ETERM), "Context was terminated");
        assert_eq!(text(libc::EHOSTUNREACH), "Host unreachable");
        // SAFETY: it takes any number.
        let system = unsafe { CStr::from_ptr(libc::strerror(libc::ENOTSUP)) };
        assert_eq!(text(libc::ENOTSUP), system.to_str().unwrap());
        assert!(text(-7).contains("-7"));
    }

    #[test]
    fn z85_through_c() {
        let mut coded = [1 as c_char; 11];
        let bytes = [0x86, 0x4F, 0xD2, 0x6F, 0xB5, 0x59, 0xF7, 0x5B];
        // SAFETY: the buffers are as large as the functions ask, or null.
        unsafe {
            assert_eq!(zmq_z85_encode(coded.as_mut_ptr(), bytes.as_ptr(), 8), coded.as_mut_ptr());
            assert_eq!(CStr::from_ptr(coded.as_ptr()), c"HelloWorld");
            // In place, which the reference allows.
            let dest = coded.as_mut_ptr().cast::<u8>();
            assert_eq!(zmq_z85_decode(dest, coded.as_ptr()), dest);
            assert_eq!(std::slice::from_raw_parts(dest, 8), bytes);

            assert_eq!(zmq_z85_encode(coded.as_mut_ptr(), std::ptr::null(), 0), coded.as_mut_ptr());
            assert_eq!(coded[0], 0);
            for (size, error) in [(3, libc::EINVAL), (4, libc::EFAULT)] {
                assert!(zmq_z85_encode(coded.as_mut_ptr(), std::ptr::null(), size).is_null());
                assert_eq!(zmq_errno(), error);
            }
            for string in [c"", c"Hello Worl", c"HelloWor", c"#####"] {
                assert!(zmq_z85_decode(dest, string.as_ptr()).is_null());
                assert_eq!(zmq_errno(), libc::EINVAL);
            }
            assert!(zmq_z85_decode(std::ptr::null_mut(), c"HelloWorld".as_ptr()).is_null());
            assert_eq!(zmq_errno(), libc::EFAULT);
        }
    }

    #[test]
    fn a_counter_counts_and_null_is_no_counter() {
        // SAFETY: a counter that lives until it is destroyed, then null.
        unsafe {
            let mut counter = zmq_atomic_counter_new();
            assert_eq!(zmq_atomic_counter_inc(counter), 0);
            assert_eq!(zmq_atomic_counter_inc(counter), 1);
            assert_eq!(zmq_atomic_counter_dec(counter), 1);
            assert_eq!(zmq_atomic_counter_dec(counter), 0);
            zmq_atomic_counter_set(counter, 7);
            assert_eq!(zmq_atomic_counter_value(counter), 7);
            zmq_atomic_counter_destroy(&mut counter);
            assert!(counter.is_null());
            zmq_atomic_counter_destroy(&mut counter);
            assert_eq!(zmq_atomic_counter_inc(counter), -1);
            assert_eq!(zmq_errno(), libc::EFAULT);
        }
    }

    #[test]
    fn a_stopwatch_runs_on() {
        let watch = zmq_stopwatch_start();
        assert!(!watch.is_null());
        let first = zmq_stopwatch_intermediate(watch);
        assert!(zmq_stopwatch_stop(watch) >= first);
    }

    #[test]
    fn keys_go_in_pairs() {
        let (mut public, mut secret, mut again) = ([1 as c_char; 41], [1 as c_char; 41], [1 as c_char; 41]);
        // SAFETY: the buffers are as large as the functions ask, or null.
        unsafe {
            assert_eq!(zmq_curve_keypair(public.as_mut_ptr(), secret.as_mut_ptr()), 0);
            assert_eq!(CStr::from_ptr(secret.as_ptr()).count_bytes(), 40);
            assert_eq!(zmq_curve_public(again.as_mut_ptr(), secret.as_ptr()), 0);
            assert_eq!(public, again);
            // The example of zmq_curve(7).
            let known = c"D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs";
            assert_eq!(zmq_curve_public(again.as_mut_ptr(), known.as_ptr()), 0);
            assert_eq!(CStr::from_ptr(again.as_ptr()), c"Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID");

            for wrong in [
                c"",
                c"Yne@$",
                c"D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs00000",
                c"Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hI\"",
                c"#####################################000",
            ] {
                assert_eq!(zmq_curve_public(again.as_mut_ptr(), wrong.as_ptr()), -1);
                assert_eq!(zmq_errno(), libc::EINVAL);
            }
            let null = std::ptr::null_mut();
            assert_eq!(zmq_curve_public(null, secret.as_ptr()), -1);
            assert_eq!(zmq_errno(), libc::EFAULT);
            assert_eq!(zmq_curve_public(again.as_mut_ptr(), null), -1);
            assert_eq!(zmq_errno(), libc::EFAULT);
            assert_eq!(zmq_curve_keypair(null, secret.as_mut_ptr()), -1);
            assert_eq!(zmq_errno(), libc::EFAULT);
        }
    }

    #[test]
    fn capabilities_and_version() {
        let mut version = [0; 2];
        // SAFETY: strings, null, and places for ints.
        unsafe {
            assert_eq!(zmq_has(c"ipc".as_ptr()), 1);
            assert_eq!(zmq_has(c"ip".as_ptr()), 0);
            assert_eq!(zmq_has(std::ptr::null()), 0);
            zmq_version(&mut version[0], std::ptr::null_mut(), &mut version[1]);
        }
        assert_eq!(version, [4, 6]);
    }
}
