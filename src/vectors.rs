//! The vectors of the processor that the library happens to run on. It is built for any processor of its architecture, so
//! what newer ones can do is looked up when it runs.

/// A piece of work whose code the compiler can vectorise.
pub trait Vectorised {
    /// Does it. To be marked `#[inline(always)]`: only then is it compiled once more for wider vectors.
    fn run(self);
}

/// Does the work with the widest vectors that pay here.
#[inline]
pub fn run(work: impl Vectorised) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2, it was just asked.
        return unsafe { run_avx2(work) };
    }
    work.run();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn run_avx2(work: impl Vectorised) {
    work.run();
}
