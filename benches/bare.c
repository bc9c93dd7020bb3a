/* What the machine does without a messaging library, to see how much of it a library leaves.

     bare lat tcp|ipc SIZE     blocking socket ping-pong between two processes, median round trip, microseconds
     bare lat inproc SIZE      two threads that wake each other by futex
     bare thr tcp|ipc SIZE     one process writes 256 KiB at a time, another reads; as many messages as would fit into that, framed
     bare thr inproc SIZE      a lock-free ring of 64-byte slots between two threads; larger messages are allocated and passed by pointer
     bare setup tcp SIZE       connect, one round trip, close */

#include "common.h"
#include <linux/futex.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

static size_t size;

/* A connected pair of sockets; over tcp, through a listener on the loopback interface. */
static struct sockaddr_in listener_address;
static int listener = -1;

static void no_delay (int fd)
{
    int on = 1;
    setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void listen_tcp (void)
{
    socklen_t length = sizeof listener_address;
    listener = socket (AF_INET, SOCK_STREAM, 0);
    listener_address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK)};
    if (listener < 0 || bind (listener, (struct sockaddr *) &listener_address, length) || listen (listener, 16)
        || getsockname (listener, (struct sockaddr *) &listener_address, &length))
        fail ("listen");
}

static int connect_tcp (void)
{
    int fd = socket (AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect (fd, (struct sockaddr *) &listener_address, sizeof listener_address))
        fail ("connect");
    no_delay (fd);
    return fd;
}

static void socket_pair (const char *transport, int fds[2])
{
    if (strcmp (transport, "ipc") == 0) {
        if (socketpair (AF_UNIX, SOCK_STREAM, 0, fds))
            fail ("socketpair");
        return;
    }
    listen_tcp ();
    fds[0] = connect_tcp ();
    fds[1] = accept (listener, NULL, NULL);
    if (fds[1] < 0)
        fail ("accept");
    no_delay (fds[1]);
}

/* 0 when the other side has closed. */
static int read_all (int fd, char *buffer, size_t bytes)
{
    while (bytes) {
        ssize_t n = read (fd, buffer, bytes);
        if (n <= 0)
            return 0;
        buffer += n, bytes -= n;
    }
    return 1;
}

static void write_all (int fd, const char *buffer, size_t bytes)
{
    while (bytes) {
        ssize_t n = write (fd, buffer, bytes);
        if (n < 0)
            fail ("write");
        buffer += n, bytes -= n;
    }
}

static void socket_latency (const char *transport)
{
    int fds[2];
    char *buffer = calloc (1, size);
    struct samples samples = {0};
    socket_pair (transport, fds);
    pid_t peer = fork_peer ();
    if (peer == 0) {
        close (fds[0]);
        while (read_all (fds[1], buffer, size))
            write_all (fds[1], buffer, size);
        _exit (0);
    }
    close (fds[1]);
    double warm = now () + WARM_UP, end = warm + measuring_time (), before = now (), cpu = 0;
    while (before < end) {
        write_all (fds[0], buffer, size);
        if (!read_all (fds[0], buffer, size))
            fail ("read");
        double after = now ();
        if (before >= warm) {
            if (cpu == 0)
                cpu = cpu_seconds (peer);
            else
                add_sample (&samples, after - before);
        }
        before = after;
    }
    cpu = cpu_seconds (peer) - cpu;
    report (median (&samples) * 1e6, cpu / samples.count * 1e9);
    close (fds[0]);
    wait_for_peer (peer);
}

static void socket_stream (const char *transport)
{
    enum { BATCH = 256 << 10 };
    int fds[2];
    char *buffer = calloc (1, BATCH);
    atomic_int *stop = shared_page (sizeof *stop);
    socket_pair (transport, fds);
    pid_t peer = fork_peer ();
    if (peer == 0) {
        close (fds[0]);
        while (!*stop)
            write_all (fds[1], buffer, BATCH);
        _exit (0);
    }
    close (fds[1]);
    double warm = now () + WARM_UP, begin = 0, cpu = 0, bytes = 0, t;
    ssize_t n;
    for (;;) {
        n = read (fds[0], buffer, BATCH);
        if (n <= 0)
            fail ("read");
        t = now ();
        if (begin == 0) {
            if (t >= warm)
                begin = t, cpu = cpu_seconds (peer);
            continue;
        }
        bytes += n;
        if (t >= begin + measuring_time ())
            break;
    }
    cpu = cpu_seconds (peer) - cpu;
    double messages = bytes / (size + (size > 255 ? 9 : 2)); /* ZMTP's framing: flags, and a length of one or eight bytes */
    report (messages / (t - begin), cpu / messages * 1e9);
    *stop = 1;
    while (read (fds[0], buffer, BATCH) > 0)
        ;
    wait_for_peer (peer);
}

static void set_up (void)
{
    struct samples samples = {0};
    char byte = 'x';
    listen_tcp ();
    pid_t peer = fork_peer ();
    if (peer == 0)
        for (;;) {
            int fd = accept (listener, NULL, NULL);
            if (read_all (fd, &byte, 1))
                write_all (fd, &byte, 1);
            close (fd);
            if (byte == 0)
                _exit (0);
        }
    double end = now () + measuring_time (), cpu = cpu_seconds (peer);
    while (byte) {
        double before = now ();
        if (before >= end)
            byte = 0;
        int fd = connect_tcp ();
        write_all (fd, &byte, 1);
        if (!read_all (fd, &byte, 1))
            fail ("read");
        close (fd);
        add_sample (&samples, now () - before);
    }
    cpu = cpu_seconds (peer) - cpu;
    report (median (&samples) * 1e6, cpu / samples.count * 1e9);
    wait_for_peer (peer);
}

/* Two threads and a word: the one whose turn it is not sleeps on it. */

static atomic_uint turn;

static void pass_turn (unsigned from, unsigned to)
{
    unsigned t;
    while ((t = turn) != from) {
        if (t == 2)
            return;
        syscall (SYS_futex, &turn, FUTEX_WAIT_PRIVATE, t, NULL, NULL, 0);
    }
    turn = to;
    syscall (SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void *futex_echo (void *unused)
{
    (void) unused;
    while (turn != 2)
        pass_turn (1, 0);
    return NULL;
}

static void futex_latency (void)
{
    pthread_t thread;
    struct samples samples = {0};
    pthread_create (&thread, NULL, futex_echo, NULL);
    double warm = now () + WARM_UP, end = warm + measuring_time (), before = now (), cpu = 0;
    pass_turn (0, 1);
    while (before < end) {
        pass_turn (0, 1); /* waits for the answer to the previous one */
        double after = now ();
        if (before >= warm) {
            if (cpu == 0)
                cpu = cpu_seconds (0);
            else
                add_sample (&samples, after - before);
        }
        before = after;
    }
    cpu = cpu_seconds (0) - cpu;
    report (median (&samples) * 1e6, cpu / samples.count * 1e9);
    while (turn != 0)
        ;
    turn = 2;
    syscall (SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    pthread_join (thread, NULL);
}

/* A single-producer single-consumer ring; each side looks at the other's position only when its own copy is used up. */

enum { SLOTS = 4096, INLINE = 33 };
static struct { _Alignas (64) char body[56]; char *large; } ring[SLOTS];
static struct { _Alignas (64) atomic_ulong at; } written, taken;
static atomic_int ring_stop;

static void *ring_writer (void *unused)
{
    unsigned long at = 0, limit = SLOTS;
    char body[56] = {0}, *large = calloc (1, size);
    (void) unused;
    while (!atomic_load_explicit (&ring_stop, memory_order_relaxed)) {
        if (at == limit) {
            limit = atomic_load_explicit (&taken.at, memory_order_acquire) + SLOTS;
            if (at == limit)
                continue;
        }
        if (size > INLINE) {
            ring[at % SLOTS].large = large;
        } else
            memcpy (ring[at % SLOTS].body, body, sizeof body);
        atomic_store_explicit (&written.at, ++at, memory_order_release);
    }
    free (large);
    return NULL;
}

static void ring_stream (void)
{
    pthread_t thread;
    volatile char sink[56];
    char body[56];
    unsigned long at = 0, limit = 0, first = 0;
    double warm = now () + WARM_UP, begin = 0, cpu = 0, t = 0;
    pthread_create (&thread, NULL, ring_writer, NULL);
    for (;;) {
        while (at == limit)
            limit = atomic_load_explicit (&written.at, memory_order_acquire);
        if (size > INLINE)
            memcpy (body, &ring[at % SLOTS].large, sizeof (char *));
        else
            memcpy (body, ring[at % SLOTS].body, sizeof body);
        sink[0] = body[0];
        atomic_store_explicit (&taken.at, ++at, memory_order_release);
        if (at % 256)
            continue;
        t = now ();
        if (begin == 0 && t >= warm)
            begin = t, cpu = cpu_seconds (0), first = at;
        else if (begin != 0 && t >= begin + measuring_time ())
            break;
    }
    (void) sink;
    cpu = cpu_seconds (0) - cpu;
    report ((at - first) / (t - begin), cpu / (at - first) * 1e9);
    ring_stop = 1;
    pthread_join (thread, NULL);
}

int main (int argc, char *argv[])
{
    if (argc < 4) {
        fprintf (stderr, "usage: bare lat|thr|setup tcp|ipc|inproc SIZE\n");
        return 2;
    }
    const char *work = argv[1], *transport = argv[2];
    size = (size_t) atol (argv[3]);
    int inproc = strcmp (transport, "inproc") == 0;
    if (strcmp (work, "lat") == 0)
        inproc ? futex_latency () : socket_latency (transport);
    else if (strcmp (work, "thr") == 0)
        inproc ? ring_stream () : socket_stream (transport);
    else if (strcmp (work, "setup") == 0)
        set_up ();
    else
        return 2;
    return 0;
}
