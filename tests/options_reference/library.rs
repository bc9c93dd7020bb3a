//! The answers of a `libzmq.so.5`, loaded from a path, in processes of their own.

use std::ffi::{CStr, CString, c_int, c_void};
use std::io::{Read, Write};
use std::mem::transmute;
use std::os::fd::FromRawFd;
use std::path::Path;
use std::process::{Command, Stdio};

use zmq::options::{SocketType, id};

use crate::probe::{self, FRAGILE, IDS, Input, Output, TOGETHER, Target};

/// The argument that makes this program the one that asks: followed by the library's path.
pub const PROBE: &str = "--probe";

/// Everything that the library at `path` answers, block by block as [`probe`] writes it.
pub fn answers(path: &Path) -> String {
    ask(path, |program| program.stderr(Stdio::inherit()))
}

/// The same where the library that it would load by itself can't be: a file that is none is found in its place.
pub fn answers_without_system_libraries(path: &Path) -> String {
    let folder = path.with_file_name("no_system_libraries");
    std::fs::create_dir_all(&folder).expect("a folder beside the library");
    for library in ["libgssapi_krb5.so.2", "libnorm.so.1"] {
        std::fs::write(folder.join(library), "").expect("a file there");
    }
    ask(path, |program| program.env("LD_LIBRARY_PATH", &folder).stderr(Stdio::null()))
}

fn ask(path: &Path, how: impl FnOnce(&mut Command) -> &mut Command) -> String {
    let program = std::env::current_exe().expect("this program has a path");
    let output = how(Command::new(program).arg(PROBE).arg(path)).output();
    let output = output.expect("this program can be started");
    assert!(output.status.success(), "asking {} failed: {}", path.display(), output.status);
    String::from_utf8(output.stdout).expect("answers are text")
}

/// Asks the library at `path`, and prints the answers.
pub fn print_answers(path: &str) {
    let library = Library::load(path);
    let mut stdout = std::io::stdout().lock();
    let context = in_child(&mut |out| {
        for id in IDS {
            let answers = probe::run(&mut Context::new(&library), id);
            write!(out, "option {id}: {}\n{answers}", probe::CONTEXT).expect("the pipe takes the answers");
            for question in probe::FRAGILE_FOR_CONTEXTS {
                let answer = probe::run_fragile(&mut Context::new(&library), id, question);
                out.write_all(answer.as_bytes()).expect("the pipe takes the answers");
            }
        }
    });
    assert!(!context.crashed, "crashed on a harmless question to a context");
    stdout.write_all(context.text.as_bytes()).expect("the answers can be printed");
    for socket_type in SocketType::ALL {
        let steady = in_child(&mut |out| {
            let context = Context::new(&library);
            if !context.has(socket_type) {
                return;
            }
            for id in IDS {
                let answers = probe::run(&mut context.socket(socket_type), id);
                write!(out, "{answers}\0").expect("the pipe takes the answers");
            }
            for (_, script) in TOGETHER {
                let answers = probe::run_together(&mut context.socket(socket_type), script);
                write!(out, "{answers}\0").expect("the pipe takes the answers");
            }
        });
        assert!(!steady.crashed, "crashed on a harmless question to {}", socket_type.name());
        if steady.text.is_empty() {
            continue;
        }
        let fragile = fragile_answers(&library, socket_type);
        let ids = IDS.chain(TOGETHER.map(|(id, _)| id));
        let mut fragile = fragile.chunks(FRAGILE.len());
        for (id, steady) in ids.zip(steady.text.split_terminator('\0')) {
            let fragile = fragile.next().unwrap_or_default().concat();
            write!(stdout, "option {id}: {}\n{steady}{fragile}", socket_type.name())
                .expect("the answers can be printed");
        }
    }
}

fn fragile_answers(library: &Library, socket_type: SocketType) -> Vec<String> {
    let questions: Vec<_> = IDS.flat_map(|id| FRAGILE.map(|question| (id, question))).collect();
    let mut answers: Vec<String> = Vec::new();
    while answers.len() < questions.len() {
        let rest = &questions[answers.len()..];
        let child = in_child(&mut |out| {
            let context = Context::new(library);
            for &(id, question) in rest {
                let answer = probe::run_fragile(&mut context.socket(socket_type), id, question);
                out.write_all(answer.as_bytes()).expect("the pipe takes the answers");
            }
        });
        answers.extend(child.text.split_inclusive('\n').map(String::from));
        match questions.get(answers.len()) {
            Some(&(_, question)) if child.crashed => answers.push(probe::fragile_line(question, "crash")),
            Some(_) => panic!("answers are missing from {}", socket_type.name()),
            None => {}
        }
    }
    answers
}

struct Child {
    text: String,
    crashed: bool,
}

/// Does the work in a forked process, whose death by a signal is an answer too.
fn in_child(work: &mut dyn FnMut(&mut std::fs::File)) -> Child {
    let mut fds = [0; 2];
    // SAFETY: `fds` has room for the two descriptors; this process has one thread, so the child may go on as it likes;
    // each end of the pipe gets exactly one owner in each process.
    unsafe {
        assert_eq!(libc::pipe(fds.as_mut_ptr()), 0, "no pipe");
        let pid = libc::fork();
        assert!(pid >= 0, "no process");
        if pid == 0 {
            libc::close(fds[0]);
            silence();
            work(&mut std::fs::File::from_raw_fd(fds[1]));
            libc::_exit(0);
        }
        libc::close(fds[1]);
        let mut text = String::new();
        std::fs::File::from_raw_fd(fds[0]).read_to_string(&mut text).expect("answers are text");
        let mut status = 0;
        assert_eq!(libc::waitpid(pid, &mut status, 0), pid, "the child is gone");
        let crashed = libc::WIFSIGNALED(status);
        assert!(crashed || status == 0, "the child failed");
        Child { text, crashed }
    }
}

/// Crashes are expected here: no core files, no last words of the library.
fn silence() {
    // SAFETY: plain system calls on values that outlive them.
    unsafe {
        let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        libc::setrlimit(libc::RLIMIT_CORE, &none);
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_WRONLY);
        libc::dup2(null, libc::STDERR_FILENO);
    }
}

type CtxNew = unsafe extern "C" fn() -> *mut c_void;
type Open = unsafe extern "C" fn(*mut c_void, c_int) -> *mut c_void;
type Close = unsafe extern "C" fn(*mut c_void) -> c_int;
type SetOption = unsafe extern "C" fn(*mut c_void, c_int, *const c_void, usize) -> c_int;
type GetOption = unsafe extern "C" fn(*mut c_void, c_int, *mut c_void, *mut usize) -> c_int;
type Errno = unsafe extern "C" fn() -> c_int;

struct Library {
    ctx_set_ext: SetOption,
    ctx_get_ext: GetOption,
    ctx_new: CtxNew,
    socket: Open,
    close: Close,
    setsockopt: SetOption,
    getsockopt: GetOption,
    errno: Errno,
}

impl Library {
    fn load(path: &str) -> Self {
        let path = CString::new(path).expect("a path has no zero byte");
        // SAFETY: the names are those of zmq.h, and so are the types.
        unsafe {
            // Lazily, so that a library may lack what it never calls.
            let handle = libc::dlopen(path.as_ptr(), libc::RTLD_LAZY);
            assert!(!handle.is_null(), "{path:?} cannot be loaded");
            Self {
                ctx_set_ext: transmute::<*mut c_void, SetOption>(symbol(handle, c"zmq_ctx_set_ext")),
                ctx_get_ext: transmute::<*mut c_void, GetOption>(symbol(handle, c"zmq_ctx_get_ext")),
                ctx_new: transmute::<*mut c_void, CtxNew>(symbol(handle, c"zmq_ctx_new")),
                socket: transmute::<*mut c_void, Open>(symbol(handle, c"zmq_socket")),
                close: transmute::<*mut c_void, Close>(symbol(handle, c"zmq_close")),
                setsockopt: transmute::<*mut c_void, SetOption>(symbol(handle, c"zmq_setsockopt")),
                getsockopt: transmute::<*mut c_void, GetOption>(symbol(handle, c"zmq_getsockopt")),
                errno: transmute::<*mut c_void, Errno>(symbol(handle, c"zmq_errno")),
            }
        }
    }
}

/// # Safety
/// `handle` is one of `dlopen`'s.
unsafe fn symbol(handle: *mut c_void, name: &CStr) -> *mut c_void {
    // SAFETY: the caller's promise.
    let symbol = unsafe { libc::dlsym(handle, name.as_ptr()) };
    assert!(!symbol.is_null(), "{name:?} is missing");
    symbol
}

/// A context, left to the end of the process.
struct Context<'a> {
    library: &'a Library,
    handle: *mut c_void,
}

impl<'a> Context<'a> {
    fn new(library: &'a Library) -> Self {
        // SAFETY: it takes nothing.
        let handle = unsafe { (library.ctx_new)() };
        assert!(!handle.is_null(), "no context");
        Self { library, handle }
    }

    fn has(&self, socket_type: SocketType) -> bool {
        // SAFETY: the context lives on.
        let handle = unsafe { (self.library.socket)(self.handle, socket_type.raw()) };
        if handle.is_null() {
            return false;
        }
        // SAFETY: the socket is open.
        unsafe { (self.library.close)(handle) };
        true
    }

    fn socket(&self, socket_type: SocketType) -> Socket<'a> {
        for _ in 0..1000 {
            // SAFETY: the context lives on.
            let handle = unsafe { (self.library.socket)(self.handle, socket_type.raw()) };
            if !handle.is_null() {
                return Socket { library: self.library, handle };
            }
            // Closed sockets are given back in the background.
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        panic!("no socket of type {}", socket_type.name());
    }
}

struct Socket<'a> {
    library: &'a Library,
    handle: *mut c_void,
}

impl Drop for Socket<'_> {
    fn drop(&mut self) {
        // SAFETY: the socket is open.
        unsafe { (self.library.close)(self.handle) };
    }
}

impl Library {
    fn result(&self, code: c_int) -> i32 {
        // SAFETY: it takes nothing.
        if code == 0 { 0 } else { unsafe { (self.errno)() } }
    }
}

/// Calls a function that sets an option.
///
/// # Safety
/// `handle` suits `set`. For null and huge values there is none: whether the library survives is the question, in a
/// process of its own.
unsafe fn set(set: SetOption, handle: *mut c_void, id: i32, value: Input) -> c_int {
    // Room behind the value, since upstream reads an int from some that are shorter.
    let mut room = [0_u8; 64].to_vec();
    let (pointer, size) = match value {
        Input::Bytes(bytes) => {
            room.splice(..0, bytes.iter().copied());
            (room.as_ptr(), bytes.len())
        }
        Input::Null(size) => (std::ptr::null(), size),
        Input::Huge => (room.as_ptr(), usize::MAX),
    };
    // SAFETY: the caller's promise.
    unsafe { set(handle, id, pointer.cast(), size) }
}

/// Calls a function that reads an option; what it returns, and the length it leaves.
///
/// # Safety
/// As for [`set`].
unsafe fn get(get: GetOption, handle: *mut c_void, id: i32, buffer: &mut Output) -> (c_int, usize) {
    let mut room = [0_u8; 64];
    let mut no_length = false;
    let (pointer, mut size) = match buffer {
        Output::Buffer(bytes) => (bytes.as_mut_ptr(), bytes.len()),
        Output::Null(size) => (std::ptr::null_mut(), *size),
        Output::Huge => (room.as_mut_ptr(), usize::MAX),
        Output::NoLength => {
            no_length = true;
            (room.as_mut_ptr(), 0)
        }
    };
    let length = if no_length { std::ptr::null_mut() } else { &raw mut size };
    // SAFETY: the caller's promise.
    let code = unsafe { get(handle, id, pointer.cast(), length) };
    (code, size)
}

impl Target for Socket<'_> {
    fn set(&mut self, id: i32, value: Input) -> i32 {
        // SAFETY: the socket is open.
        self.library.result(unsafe { set(self.library.setsockopt, self.handle, id, value) })
    }

    fn get(&mut self, id: i32, mut buffer: Output) -> (i32, usize) {
        // SAFETY: the socket is open.
        let (code, size) = unsafe { get(self.library.getsockopt, self.handle, id, &mut buffer) };
        if let (id::FD, 0, Output::Buffer(bytes)) = (id, code, buffer) {
            // Descriptors differ from run to run.
            bytes[..size_of::<c_int>()].fill(0);
        }
        (self.library.result(code), size)
    }
}

impl Target for Context<'_> {
    fn set(&mut self, id: i32, value: Input) -> i32 {
        // SAFETY: the context is there.
        self.library.result(unsafe { set(self.library.ctx_set_ext, self.handle, id, value) })
    }

    fn get(&mut self, id: i32, mut buffer: Output) -> (i32, usize) {
        // SAFETY: the context is there.
        let (code, size) = unsafe { get(self.library.ctx_get_ext, self.handle, id, &mut buffer) };
        (self.library.result(code), size)
    }
}
