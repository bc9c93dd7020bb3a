//! A number that tells the running threads apart, in one instruction.

/// Different for any two threads that live at the same time, never 0. A later thread may have the number of one that
/// has ended.
#[cfg(all(target_arch = "x86_64", target_os = "linux", not(loom)))]
#[inline(always)]
pub fn thread_token() -> usize {
    let token: usize;
    // SAFETY: the x86-64 ABI keeps the thread control block's own address in its first word, at %fs:0. It is only read.
    unsafe {
        std::arch::asm!("mov {}, qword ptr fs:[0]", out(reg) token, options(nostack, pure, readonly, preserves_flags));
    }
    token
}

/// See above.
#[cfg(all(target_arch = "aarch64", target_os = "linux", not(loom)))]
#[inline(always)]
pub fn thread_token() -> usize {
    let token: usize;
    // SAFETY: reads the thread pointer register.
    unsafe {
        std::arch::asm!("mrs {}, tpidr_el0", out(reg) token, options(nostack, nomem, pure, preserves_flags));
    }
    token
}

/// See above: the address of a thread-local variable.
#[cfg(not(any(all(any(target_arch = "x86_64", target_arch = "aarch64"), target_os = "linux"), loom)))]
pub fn thread_token() -> usize {
    thread_local! { static PLACE: u8 = const { 0 } }
    PLACE.with(|place| std::ptr::from_ref(place) as usize)
}

/// See above: loom runs all its threads in one, and numbers them from 0.
#[cfg(loom)]
pub fn thread_token() -> usize {
    let id = format!("{:?}", loom::thread::current().id());
    let digits: String = id.chars().filter(char::is_ascii_digit).collect();
    1 + digits.parse::<usize>().expect("a loom thread has a number")
}
