/*  In the place of VMware's header of this name, which no package has: what upstream's library and tests take from it, from the kernel's AF_VSOCK, which
    VMware's driver serves on Linux. */

#ifndef VMCI_SOCKETS_H
#define VMCI_SOCKETS_H

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/vm_sockets.h>

/*  This machine's own id, or VMADDR_CID_ANY: there is none, or what is sent to it doesn't come back but goes to whoever runs this machine. */
static inline unsigned int VMCISock_GetLocalCID (void)
{
    unsigned int cid = VMADDR_CID_ANY;
    struct sockaddr_vm local = {0};
    int fd = socket (AF_VSOCK, SOCK_STREAM, 0);

    if (fd == -1)
        return cid;
    local.svm_family = AF_VSOCK;
    local.svm_cid = VMADDR_CID_LOCAL;
    local.svm_port = VMADDR_PORT_ANY;
    int returns = bind (fd, (struct sockaddr *) &local, sizeof local) == 0;
    close (fd);
    fd = returns ? open ("/dev/vsock", O_RDONLY | O_CLOEXEC) : -1;
    if (fd == -1)
        return cid;
    if (ioctl (fd, IOCTL_VM_SOCKETS_GET_LOCAL_CID, &cid) == -1)
        cid = VMADDR_CID_ANY;
    close (fd);
    return cid;
}

/*  The family, and a descriptor that keeps it: -1 where the kernel hasn't got it. */
static inline int VMCISock_GetAFValueFd (int *fd)
{
    int family = socket (AF_VSOCK, SOCK_STREAM, 0);

    if (family != -1) {
        close (family);
        family = AF_VSOCK;
    }
    *fd = open ("/dev/vsock", O_RDONLY | O_CLOEXEC);
    return family;
}

static inline void VMCISock_ReleaseAFValueFd (int fd)
{
    if (fd != -1)
        close (fd);
}

#define SO_VMCI_BUFFER_SIZE SO_VM_SOCKETS_BUFFER_SIZE
#define SO_VMCI_CONNECT_TIMEOUT SO_VM_SOCKETS_CONNECT_TIMEOUT

#endif
