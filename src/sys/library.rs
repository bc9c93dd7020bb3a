//! Libraries of the system that are loaded when something needs them, instead of being linked: this library works where they
//! aren't installed, and does without them until it is asked for what they do.
//!
//! [`system_library`] declares the functions of one. What it declares is loaded at the first [`SystemLibrary::get`], once, and stays for as long as
//! the process lives: there is nothing to close, so references to it are `'static`. A library that isn't there, or lacks
//! a function, stays missing, and [`SystemLibrary::missing_reason`] says why.
//!
//! No lock is held while a library is loaded, since a child of `fork` would inherit it: threads that come at the same time load it each by
//! itself (to the system, that is the same library), and the first one's result counts.

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use std::error::Error;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

/// The symbols of a library that was found.
pub struct Symbols {
    library: Library,
    name: &'static str,
}

impl Symbols {
    /// The symbol of this name, or what is wrong with the library.
    ///
    /// # Safety
    /// `T` has to be the type of a pointer to what the library has under this name, and mustn't be used after the library is gone.
    pub unsafe fn get<T: Copy>(&self, name: &'static str) -> Result<T, String> {
        // SAFETY: the caller knows what it is.
        match unsafe { self.library.get::<T>(name.as_bytes()) } {
            Ok(symbol) => Ok(*symbol),
            Err(_) => Err(format!("{} has no {name}", self.name)),
        }
    }
}

/// A library that is loaded when it is needed, and the table `T` of its functions.
pub struct SystemLibrary<T: 'static> {
    names: &'static [&'static str],
    bind: fn(&Symbols) -> Result<T, String>,
    /// Null until somebody has asked.
    loaded: AtomicPtr<Loaded<T>>,
    complained: AtomicBool,
}

struct Loaded<T> {
    /// Or why there is none.
    table: Result<T, String>,
    /// Only kept: as long as it is, the functions can be called.
    _library: Option<Library>,
}

impl<T: Send + Sync> SystemLibrary<T> {
    /// The first library of these file names that can be loaded. `bind` looks up its functions.
    pub const fn new(names: &'static [&'static str], bind: fn(&Symbols) -> Result<T, String>) -> Self {
        let (loaded, complained) = (AtomicPtr::new(ptr::null_mut()), AtomicBool::new(false));
        Self { names, bind, loaded, complained }
    }

    /// Its functions, if it is there. The first call loads it, and may take as long as reading a file does.
    pub fn get(&'static self) -> Option<&'static T> {
        self.loaded().table.as_ref().ok()
    }

    /// As [`Self::get`], for who can't do without it: the first time that it is missing, that is said on stderr.
    pub fn require(&'static self) -> Option<&'static T> {
        let table = self.get();
        if let Some(reason) = self.missing_reason()
            && !self.complained.swap(true, Ordering::Relaxed)
        {
            eprintln!("libzmq: {reason}");
        }
        table
    }

    /// Why it isn't there; `None` if it is.
    pub fn missing_reason(&'static self) -> Option<&'static str> {
        self.loaded().table.as_ref().err().map(String::as_str)
    }

    fn loaded(&'static self) -> &'static Loaded<T> {
        let mut loaded = self.loaded.load(Ordering::Acquire);
        if loaded.is_null() {
            let ours = Box::into_raw(Box::new(self.load()));
            match self.loaded.compare_exchange(ptr::null_mut(), ours, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => loaded = ours,
                Err(theirs) => {
                    // SAFETY: it was just made, and nobody else has seen it. Its library is closed once; the other's remains.
                    drop(unsafe { Box::from_raw(ours) });
                    loaded = theirs;
                }
            }
        }
        // SAFETY: it isn't null, so it is a box that was published above, and is never changed or freed.
        unsafe { &*loaded }
    }

    #[cold]
    fn load(&self) -> Loaded<T> {
        let mut reasons = Vec::new();
        for name in self.names {
            // SAFETY: this runs the library's initialisers. It is one that the system's package manager has put there for programs to
            // link with, which would run them as well.
            match unsafe { Library::open(Some(*name), RTLD_NOW | RTLD_LOCAL) } {
                Ok(library) => {
                    let symbols = Symbols { library, name };
                    match (self.bind)(&symbols) {
                        Ok(table) => return Loaded { table: Ok(table), _library: Some(symbols.library) },
                        Err(reason) => reasons.push(reason),
                    }
                }
                // The system's words, which name the file.
                Err(error) => {
                    reasons.push(error.source().map_or_else(|| error.to_string(), |words| words.to_string()))
                }
            }
        }
        Loaded { table: Err(reasons.join("; ")), _library: None }
    }
}

/// Declares a library of the system's by the functions of it that are used, as they stand in its header.
///
/// ```ignore
/// system_library! {
///     /// The mathematical functions.
///     pub struct Mathematics in ["libm.so.6"];
///     fn cbrt(x: f64) -> f64;
/// }
/// ```
///
/// This makes a struct with a field for each function, and `Mathematics::library()`.
macro_rules! system_library {
    ($(#[$meta:meta])* $visibility:vis struct $table:ident in [$($file:literal),+];
        $(fn $function:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)?;)+) => {
        $(#[$meta])*
        #[allow(missing_docs)]
        $visibility struct $table {
            $(pub $function: unsafe extern "C" fn($($argument: $type),*) $(-> $result)?,)+
        }

        impl $table {
            /// The library, loaded or not.
            $visibility fn library() -> &'static $crate::sys::library::SystemLibrary<Self> {
                static LIBRARY: $crate::sys::library::SystemLibrary<$table> =
                    $crate::sys::library::SystemLibrary::new(&[$($file),+], |symbols| {
                        Ok($table {
                            // SAFETY: the declaration is the one of the library's header, and the table is kept together with the library.
                            $($function: unsafe { symbols.get(stringify!($function)) }?,)+
                        })
                    });
                &LIBRARY
            }
        }
    };
}
pub(crate) use system_library;

#[cfg(test)]
mod tests {
    use super::*;

    system_library! {
        #[allow(dead_code)]
        struct Mathematics in ["libnowhere.so.7", "libm.so.6"];
        fn fabs(x: f64) -> f64;
        fn fmax(x: f64, y: f64) -> f64;
    }

    system_library! {
        #[allow(dead_code)]
        struct Nowhere in ["libnowhere.so.7", "libnowhere.so.6"];
        fn nothing();
    }

    system_library! {
        #[allow(dead_code)]
        struct Lacking in ["libm.so.6"];
        fn cbrt(x: f64) -> f64;
        fn cube_of_a_root(x: f64) -> f64;
    }

    #[test]
    fn its_functions_can_be_called() {
        let mathematics = Mathematics::library().get().expect("every system has it");
        // SAFETY: they take any numbers.
        assert_eq!(unsafe { ((mathematics.fabs)(-3.0), (mathematics.fmax)(1.0, 2.0)) }, (3.0, 2.0));
        assert_eq!(Mathematics::library().missing_reason(), None);
    }

    #[test]
    fn what_is_missing_has_a_reason() {
        assert!(Nowhere::library().get().is_none());
        let reason = Nowhere::library().missing_reason().unwrap();
        assert!(reason.contains("libnowhere.so.7: ") && reason.contains("libnowhere.so.6: "), "{reason}");
        assert!(Lacking::library().require().is_none());
        assert_eq!(Lacking::library().missing_reason(), Some("libm.so.6 has no cube_of_a_root"));
    }

    #[test]
    fn threads_that_come_together_get_the_same() {
        system_library! {
            #[allow(dead_code)]
            struct Fresh in ["libm.so.6"];
            fn cbrt(x: f64) -> f64;
        }
        let start = std::sync::Barrier::new(4);
        std::thread::scope(|scope| {
            let get = || {
                start.wait();
                Fresh::library().get().map(ptr::from_ref).unwrap() as usize
            };
            let tables = [(); 4].map(|()| scope.spawn(get)).map(|thread| thread.join().unwrap());
            assert_eq!(tables, [tables[0]; 4]);
        });
    }

    #[test]
    fn a_child_can_load_what_its_parent_has_not() {
        system_library! {
            #[allow(dead_code)]
            struct Late in ["libm.so.6"];
            fn cbrt(x: f64) -> f64;
        }
        // SAFETY: the child loads a library that the process has, and ends. If it got stuck, SIGALRM would end it.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: both are async-signal-safe.
            unsafe {
                libc::alarm(20);
                libc::_exit(Late::library().get().is_some().into());
            }
        }
        let mut status = 0;
        // SAFETY: the child was just made, and `status` can be written.
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 1);
    }
}
