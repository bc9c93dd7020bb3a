//! `vmci://` (man page `zmq_vmci`): VMware's sockets between virtual machines and their host.
//!
//! On Linux, VMware's driver serves the kernel's `AF_VSOCK`, so what differs from `vsock://` are the meaning of `@`, which is this machine's
//! own id, and the options.

use std::time::Duration;

use socket2::Socket;

use crate::error::{Error, Result};
use crate::options::Options;
use crate::sys::sockopt::{self, VmBuffer};

/// This machine's own id, which `/dev/vsock` tells.
///
/// Errors: `ENODEV` if there is none.
pub(super) fn local_cid() -> Result<u32> {
    match vsock::get_local_cid() {
        Ok(cid) if cid != vsock::VMADDR_CID_ANY => Ok(cid),
        _ => Err(Error::NoDevice),
    }
}

/// Sets what the options ask for. It has to be done before connecting and listening: then the buffers are agreed on, and connections that are accepted
/// take it over from their listener.
///
/// Errors: what `setsockopt`(2) says.
pub(super) fn tune(socket: &Socket, options: &Options) -> Result<()> {
    // The limits first: the kernel keeps the size within them.
    for (what, bytes) in [
        (VmBuffer::Most, options.vmci_buffer_max_size),
        (VmBuffer::Least, options.vmci_buffer_min_size),
        (VmBuffer::Size, options.vmci_buffer_size),
    ] {
        if bytes != 0 {
            sockopt::set_vm_buffer(socket, what, bytes)?;
        }
    }
    if let Ok(milliseconds @ 1..) = u64::try_from(options.vmci_connect_timeout) {
        sockopt::set_vm_connect_timeout(socket, Duration::from_millis(milliseconds))?;
    }
    Ok(())
}
