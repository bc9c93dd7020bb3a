//! `ipc://` over Unix domain sockets (man page `zmq_ipc`).

use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
use nix::unistd::{Gid, Group, Uid, User};
use socket2::{Domain, SockAddr, Socket, Type};

use super::Unopened;
use crate::error::{Error, Result};
use crate::options::Options;

/// The longest path or abstract name: `sun_path` less a NUL (`unix`(7)).
const MAX_PATH: usize = 107;

/// The environment variables that may name the folder for wildcard sockets, in this order.
const TEMPORARY: [&str; 3] = ["TMPDIR", "TEMPDIR", "TMP"];

/// Parses an address: a path, or a name in the abstract namespace, which begins with `@`.
///
/// Errors: `ENAMETOOLONG`, `EINVAL` for an empty abstract name.
pub(super) fn parse(address: &str) -> Result<SockAddr> {
    if address.len() > MAX_PATH {
        return Err(Error::NameTooLong);
    }
    let mut bytes = address.as_bytes().to_vec();
    match *bytes {
        [b'@'] => return Err(Error::Invalid),
        [ref mut first @ b'@', ..] => *first = 0,
        _ => {}
    }
    Ok(SockAddr::unix(OsStr::from_bytes(&bytes))?)
}

/// A new socket.
pub(super) fn open() -> Result<Socket> {
    Ok(Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)?)
}

/// Opens a listening socket. An address that begins with `*` makes a folder of its own for it.
pub(super) fn listen(
    address: &str,
    options: &Options,
) -> Result<(Socket, Option<TemporaryDirectory>), Unopened> {
    let directory = if address.starts_with('*') { Some(TemporaryDirectory::new()?) } else { None };
    let path = directory.as_ref().map(TemporaryDirectory::socket_path);
    let address = match &path {
        Some(path) => path.to_str().ok_or(Error::Invalid)?,
        None => address,
    };
    let name = parse(address)?;
    if name.as_pathname().is_some() {
        // Left behind by an earlier run, or in use: binding a path again takes it over.
        let _ = std::fs::remove_file(address);
    }
    let socket = open()?;
    match socket.bind(&name).and_then(|()| socket.listen(options.backlog)) {
        Ok(()) => Ok((socket, directory)),
        Err(error) => Err(Unopened::closing(&socket, error)),
    }
}

/// Whether the peer of an ipc connection may stay: it must match one of the filters
/// (`ZMQ_IPC_FILTER_UID`, `_GID`, `_PID`), if there are any. A group matches its supplementary members too.
pub(super) fn peer_allowed(socket: &impl AsFd, options: &Options) -> bool {
    let (uids, gids, pids) = (&options.ipc_filter_uid, &options.ipc_filter_gid, &options.ipc_filter_pid);
    if uids.is_empty() && gids.is_empty() && pids.is_empty() {
        return true;
    }
    let Ok(peer) = getsockopt(socket, PeerCredentials) else { return false };
    if uids.contains(&peer.uid()) || gids.contains(&peer.gid()) || pids.contains(&peer.pid()) {
        return true;
    }
    let Ok(Some(user)) = User::from_uid(Uid::from_raw(peer.uid())) else { return false };
    gids.iter().any(|&gid| {
        let group = Group::from_gid(Gid::from_raw(gid));
        matches!(group, Ok(Some(group)) if group.mem.contains(&user.name))
    })
}

/// The folder of a wildcard address. It goes, with the socket in it, when it is dropped.
#[derive(Debug)]
pub(super) struct TemporaryDirectory {
    /// As it stands in the endpoint: relative when none of the environment variables names a folder.
    path: PathBuf,
    /// To remove it by, wherever the program has gone meanwhile.
    absolute: PathBuf,
}

impl TemporaryDirectory {
    fn new() -> Result<Self> {
        let folder = TEMPORARY
            .into_iter()
            .filter_map(std::env::var_os)
            .map(PathBuf::from)
            .find(|folder| folder.is_dir())
            .unwrap_or_default();
        // Only this user can enter it, so nobody else can put a socket of the same name there. mkdtemp(3) puts characters of its
        // own in the place of six X.
        let path = nix::unistd::mkdtemp(&folder.join(format!("tmp{}", "X".repeat(6))))
            .map_err(|errno| Error::from_errno(errno as i32))?;
        let absolute = std::path::absolute(&path).unwrap_or_else(|_| path.clone());
        Ok(Self { path, absolute })
    }

    fn socket_path(&self) -> PathBuf {
        self.path.join("socket")
    }

    /// Removes the folder and the socket in it.
    pub(super) fn remove(mut self) -> Result<()> {
        remove(&std::mem::take(&mut self.absolute))
    }
}

impl Drop for TemporaryDirectory {
    fn drop(&mut self) {
        if !self.absolute.as_os_str().is_empty() {
            let _ = remove(&self.absolute);
        }
    }
}

fn remove(directory: &Path) -> Result<()> {
    let file = std::fs::remove_file(directory.join("socket"));
    std::fs::remove_dir(directory)?;
    Ok(file?)
}
