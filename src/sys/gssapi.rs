//! GSSAPI (RFC 2743, RFC 2744), by the system's `libgssapi_krb5`: names, credentials and security contexts.
//!
//! The library is loaded when somebody asks whether it is there. Its objects are released once each, by `Drop`. A context's calls
//! take turns, since nothing says that it may be used by two threads at once.
//!
//! [`initiate`], [`accept`] and the steps of a context may ask other computers (a name server, a KDC) and wait for them as
//! long as the system's configuration says. They are not for threads that have something else to do.

use super::library::system_library;
use crate::mutex::Mutex;
use std::ffi::{c_int, c_void};
use std::ptr;

/// A status, `OM_uint32`. The upper 16 bits are errors, the others say more of a success.
type Status = u32;
type Handle = *mut c_void;

/// `gss_buffer_desc`
#[repr(C)]
struct RawBuffer {
    length: usize,
    value: *mut c_void,
}

/// `gss_OID_desc`
#[repr(C)]
struct Oid {
    length: u32,
    elements: *const c_void,
}

// SAFETY: nobody writes to what it points to.
unsafe impl Sync for Oid {}

system_library! {
    /// The functions that are used, as in `gssapi/gssapi.h`.
    struct Gssapi in ["libgssapi_krb5.so.2"];
    fn gss_import_name(minor: *mut Status, text: *const RawBuffer, kind: *const Oid, name: *mut Handle) -> Status;
    fn gss_display_name(minor: *mut Status, name: Handle, text: *mut RawBuffer, kind: *mut *const Oid) -> Status;
    fn gss_release_name(minor: *mut Status, name: *mut Handle) -> Status;
    fn gss_release_buffer(minor: *mut Status, buffer: *mut RawBuffer) -> Status;
    fn gss_acquire_cred(minor: *mut Status, name: Handle, seconds: u32, mechanisms: *const c_void, usage: c_int, credential: *mut Handle, actual: *mut *const c_void, valid: *mut u32) -> Status;
    fn gss_release_cred(minor: *mut Status, credential: *mut Handle) -> Status;
    fn gss_init_sec_context(minor: *mut Status, credential: Handle, context: *mut Handle, target: Handle, mechanism: *const Oid, flags: u32, seconds: u32, bindings: *const c_void, token: *const RawBuffer, actual: *mut *const Oid, output: *mut RawBuffer, granted: *mut u32, valid: *mut u32) -> Status;
    fn gss_accept_sec_context(minor: *mut Status, context: *mut Handle, credential: Handle, token: *const RawBuffer, bindings: *const c_void, peer: *mut Handle, mechanism: *mut *const Oid, output: *mut RawBuffer, granted: *mut u32, valid: *mut u32, delegated: *mut Handle) -> Status;
    fn gss_delete_sec_context(minor: *mut Status, context: *mut Handle, output: *mut RawBuffer) -> Status;
    fn gss_wrap(minor: *mut Status, context: Handle, confidential: c_int, qop: u32, input: *const RawBuffer, state: *mut c_int, output: *mut RawBuffer) -> Status;
    fn gss_unwrap(minor: *mut Status, context: Handle, input: *const RawBuffer, output: *mut RawBuffer, state: *mut c_int, qop: *mut u32) -> Status;
}

const COMPLETE: Status = 0;
const CONTINUE_NEEDED: Status = 1;

const MUTUAL: u32 = 2;
const REPLAY: u32 = 4;
const SEQUENCE: u32 = 8;
const CONFIDENTIAL: u32 = 16;
const INTEGRITY: u32 = 32;

/// What a kind of name is called: an object identifier.
macro_rules! oid {
    ($bytes:literal) => {
        Oid { length: $bytes.len() as u32, elements: $bytes.as_ptr().cast() }
    };
}

/// 1.2.840.113554.1.2.1.4, `GSS_C_NT_HOSTBASED_SERVICE` (RFC 2743, section 4.1)
static HOSTBASED: Oid = oid!(b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x01\x04");
/// 1.2.840.113554.1.2.1.1, `GSS_C_NT_USER_NAME` (section 4.2)
static USER_NAME: Oid = oid!(b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x01\x01");
/// 1.2.840.113554.1.2.2.1, `GSS_KRB5_NT_PRINCIPAL_NAME` (RFC 1964, section 2.1.1)
static PRINCIPAL: Oid = oid!(b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01");

/// How a name is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameKind {
    /// `service` or `service@host`
    Hostbased,
    /// A local user.
    User,
    /// A Kerberos principal, as it is written.
    Principal,
}

impl NameKind {
    fn oid(self) -> &'static Oid {
        match self {
            Self::Hostbased => &HOSTBASED,
            Self::User => &USER_NAME,
            Self::Principal => &PRINCIPAL,
        }
    }
}

/// What a credential is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Usage {
    Initiate = 1,
    Accept = 2,
}

/// The library refuses: no such credential, a bad token, an expired ticket ... Its own words aren't kept; `KRB5_TRACE` makes it
/// write them to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

/// Whether the system has the library. The first call loads it.
pub fn is_available() -> bool {
    Gssapi::library().get().is_some()
}

/// As [`is_available`], for who needs it: that it is missing is said on stderr, once.
pub fn require() -> bool {
    Gssapi::library().require().is_some()
}

/// Why it isn't there; `None` if it is.
pub fn missing_reason() -> Option<&'static str> {
    Gssapi::library().missing_reason()
}

fn library() -> Result<&'static Gssapi, Refused> {
    Gssapi::library().get().ok_or(Refused)
}

/// What the library writes: released by it.
struct Buffer {
    raw: RawBuffer,
    library: &'static Gssapi,
}

impl Buffer {
    fn new(library: &'static Gssapi) -> Self {
        Self { raw: RawBuffer { length: 0, value: ptr::null_mut() }, library }
    }

    fn bytes(&self) -> &[u8] {
        if self.raw.value.is_null() {
            return &[];
        }
        // SAFETY: the library has written so many bytes there, and nobody changes them before the buffer is released.
        unsafe { std::slice::from_raw_parts(self.raw.value.cast(), self.raw.length) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: the buffer is empty, or the library's, and isn't used any more.
        unsafe { (self.library.gss_release_buffer)(&mut 0, &mut self.raw) };
    }
}

/// What the library reads during one call.
fn input(bytes: &[u8]) -> RawBuffer {
    RawBuffer { length: bytes.len(), value: bytes.as_ptr().cast_mut().cast() }
}

struct Name {
    handle: Handle,
    library: &'static Gssapi,
}

impl Name {
    /// Up to the first NUL, which programs may have counted in.
    fn import(library: &'static Gssapi, text: &[u8], kind: NameKind) -> Result<Self, Refused> {
        let end = text.iter().position(|&byte| byte == 0).unwrap_or(text.len());
        let mut name = Self { handle: ptr::null_mut(), library };
        // SAFETY: the text lives for the call, and the kind for ever; the name can be written.
        let status =
            unsafe { (library.gss_import_name)(&mut 0, &input(&text[..end]), kind.oid(), &mut name.handle) };
        if status == COMPLETE { Ok(name) } else { Err(Refused) }
    }

    fn display(&self) -> Result<Vec<u8>, Refused> {
        let mut text = Buffer::new(self.library);
        // SAFETY: the name is one, and the buffer can be written. Its kind isn't asked for.
        let status =
            unsafe { (self.library.gss_display_name)(&mut 0, self.handle, &mut text.raw, ptr::null_mut()) };
        if status == COMPLETE { Ok(text.bytes().to_vec()) } else { Err(Refused) }
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        if !self.handle.is_null() {
            // SAFETY: it is a name, and isn't used any more.
            unsafe { (self.library.gss_release_name)(&mut 0, &mut self.handle) };
        }
    }
}

/// Null stands for the default one.
struct Credential {
    handle: Handle,
    library: &'static Gssapi,
}

impl Credential {
    /// That of a name; without one, the default.
    fn acquire(
        library: &'static Gssapi,
        owner: Option<(&[u8], NameKind)>,
        usage: Usage,
    ) -> Result<Self, Refused> {
        let mut credential = Self { handle: ptr::null_mut(), library };
        let Some((text, kind)) = owner else { return Ok(credential) };
        let name = Name::import(library, text, kind)?;
        // SAFETY: the name is one, the credential can be written; the null pointers stand for the default mechanisms, and for what isn't
        // asked for.
        let status = unsafe {
            (library.gss_acquire_cred)(
                &mut 0,
                name.handle,
                0,
                ptr::null(),
                usage as c_int,
                &mut credential.handle,
                ptr::null_mut(),
                ptr::null_mut(),
            )
        };
        if status == COMPLETE { Ok(credential) } else { Err(Refused) }
    }
}

impl Drop for Credential {
    fn drop(&mut self) {
        if !self.handle.is_null() {
            // SAFETY: it is a credential, and isn't used any more.
            unsafe { (self.library.gss_release_cred)(&mut 0, &mut self.handle) };
        }
    }
}

/// A security context: of the library's, so only to be used by one thread at a time.
struct Context {
    handle: Handle,
    library: &'static Gssapi,
}

impl Drop for Context {
    fn drop(&mut self) {
        if !self.handle.is_null() {
            // SAFETY: it is a context, and isn't used any more; a last token isn't asked for.
            unsafe { (self.library.gss_delete_sec_context)(&mut 0, &mut self.handle, ptr::null_mut()) };
        }
    }
}

// SAFETY: the library keeps nothing about its objects in the thread that made them.
unsafe impl Send for Name {}
// SAFETY: as above.
unsafe impl Send for Credential {}
// SAFETY: as above.
unsafe impl Send for Context {}

/// One side of a context that is being established.
pub struct Establishing {
    context: Context,
    credential: Credential,
    role: Role,
    flags: u32,
}

enum Role {
    /// With the name of the service.
    Initiator(Name),
    /// With the peer's name, once it is known.
    Acceptor(Option<Name>),
}

/// What came of a step.
#[derive(Debug, PartialEq, Eq)]
pub struct Step {
    /// For the peer; may be empty.
    pub token: Vec<u8>,
    /// This side needs no further one.
    pub complete: bool,
}

/// Begins as the side that initiates: as `owner`, or whoever has the default credential, towards the service `target`.
///
/// # Errors
/// There is no such credential, or a name isn't one.
pub fn initiate(
    owner: Option<(&[u8], NameKind)>,
    (target, kind): (&[u8], NameKind),
) -> Result<Establishing, Refused> {
    let library = library()?;
    let credential = Credential::acquire(library, owner, Usage::Initiate)?;
    let target = Name::import(library, target, kind)?;
    Ok(Establishing::new(credential, Role::Initiator(target)))
}

/// Begins as the side that accepts: as `owner`, or any of the key table's.
///
/// # Errors
/// As for [`initiate`].
pub fn accept(owner: Option<(&[u8], NameKind)>) -> Result<Establishing, Refused> {
    let credential = Credential::acquire(library()?, owner, Usage::Accept)?;
    Ok(Establishing::new(credential, Role::Acceptor(None)))
}

impl Establishing {
    fn new(credential: Credential, role: Role) -> Self {
        let context = Context { handle: ptr::null_mut(), library: credential.library };
        Self { context, credential, role, flags: 0 }
    }

    /// Takes the peer's token, if it is that one's turn, and makes the next.
    ///
    /// # Errors
    /// The token isn't one that can be accepted, or the credential isn't any more.
    pub fn step(&mut self, token: &[u8]) -> Result<Step, Refused> {
        let library = self.context.library;
        let mut output = Buffer::new(library);
        let token = input(token);
        let status = match &mut self.role {
            Role::Initiator(target) => {
                let flags = MUTUAL | REPLAY | SEQUENCE | CONFIDENTIAL | INTEGRITY;
                let token = if token.length == 0 { ptr::null() } else { &raw const token };
                // SAFETY: credential and target are such or null, as is the context, which the library makes and keeps; the token lives for
                // the call. The null pointers stand for the default mechanism, no bindings, and for what isn't asked for.
                unsafe {
                    (library.gss_init_sec_context)(
                        &mut 0,
                        self.credential.handle,
                        &mut self.context.handle,
                        target.handle,
                        ptr::null(),
                        flags,
                        0,
                        ptr::null(),
                        token,
                        ptr::null_mut(),
                        &mut output.raw,
                        &mut self.flags,
                        ptr::null_mut(),
                    )
                }
            }
            Role::Acceptor(peer) => {
                let mut name = Name { handle: ptr::null_mut(), library };
                // SAFETY: likewise. The name is a new one, if there is one. Credentials that the peer delegates aren't taken.
                let status = unsafe {
                    (library.gss_accept_sec_context)(
                        &mut 0,
                        &mut self.context.handle,
                        self.credential.handle,
                        &token,
                        ptr::null(),
                        &mut name.handle,
                        ptr::null_mut(),
                        &mut output.raw,
                        &mut self.flags,
                        ptr::null_mut(),
                        ptr::null_mut(),
                    )
                };
                if !name.handle.is_null() {
                    *peer = Some(name);
                }
                status
            }
        };
        match status {
            COMPLETE | CONTINUE_NEEDED => {
                Ok(Step { token: output.bytes().to_vec(), complete: status == COMPLETE })
            }
            _ => Err(Refused),
        }
    }

    /// Whether this side has begun.
    pub fn is_initiator(&self) -> bool {
        matches!(self.role, Role::Initiator(_))
    }

    /// Whether both sides know who the other is.
    pub fn is_mutual(&self) -> bool {
        self.flags & MUTUAL != 0
    }

    /// Who has initiated the context, if this side has accepted it.
    ///
    /// # Errors
    /// It isn't known.
    pub fn peer(&self) -> Result<Vec<u8>, Refused> {
        match &self.role {
            Role::Acceptor(Some(name)) => name.display(),
            _ => Err(Refused),
        }
    }

    /// For messages, when the context is complete.
    pub fn into_protection(self) -> Protection {
        Protection { context: Mutex::new(self.context) }
    }
}

/// A context that is established.
pub struct Protection {
    context: Mutex<Context>,
}

impl Protection {
    /// Encrypts a message, and appends what came of it.
    ///
    /// # Errors
    /// The context has none of the keys any more, or can't encrypt.
    pub fn wrap(&self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), Refused> {
        let context = self.context.lock();
        let mut output = Buffer::new(context.library);
        let mut confidential = 0;
        // SAFETY: the context is one, or null, which is an error; the input lives for the call.
        let status = unsafe {
            (context.library.gss_wrap)(
                &mut 0,
                context.handle,
                1,
                0,
                &input(plain),
                &mut confidential,
                &mut output.raw,
            )
        };
        if status != COMPLETE || confidential == 0 {
            return Err(Refused);
        }
        out.extend_from_slice(output.bytes());
        Ok(())
    }

    /// Decrypts a message, and hands the content over.
    ///
    /// # Errors
    /// It isn't genuine, not encrypted, comes for the second time, or others before it are missing.
    pub fn unwrap<T>(&self, wrapped: &[u8], take: impl FnOnce(&[u8]) -> T) -> Result<T, Refused> {
        let context = self.context.lock();
        let mut output = Buffer::new(context.library);
        let mut confidential = 0;
        // SAFETY: as above.
        let status = unsafe {
            (context.library.gss_unwrap)(
                &mut 0,
                context.handle,
                &input(wrapped),
                &mut output.raw,
                &mut confidential,
                ptr::null_mut(),
            )
        };
        drop(context);
        if status == COMPLETE && confidential != 0 { Ok(take(output.bytes())) } else { Err(Refused) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_refused_and_not_more() {
        if !is_available() {
            assert!(missing_reason().is_some_and(|reason| reason.contains("libgssapi_krb5.so.2")));
            assert!(accept(None).is_err());
            return;
        }
        assert_eq!(missing_reason(), None);
        let mut acceptor = accept(None).unwrap();
        for token in [&b""[..], b"\0", b"garbage", &[0x60; 70_000]] {
            assert_eq!(acceptor.step(token), Err(Refused));
        }
        assert_eq!(acceptor.peer(), Err(Refused));
        let protection = acceptor.into_protection();
        assert_eq!(protection.wrap(b"content", &mut Vec::new()), Err(Refused));
        assert_eq!(protection.unwrap(b"content", <[u8]>::len), Err(Refused));
    }
}
