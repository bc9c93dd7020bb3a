/* The benchmark's workloads, over libzmq's public API only, so that one binary runs on any libzmq.so.5.

     bench WORK TRANSPORT SIZE [COUNT]

   WORK       what is printed first
   lat        median round trip, REQ and REP, microseconds
   client     the same, CLIENT and SERVER
   peer       the same, PEER and PEER
   thr        messages per second, PUSH to PULL
   fan        deliveries per second, PUB to COUNT SUBs
   group      messages per second that a DISH receives of a RADIO; over udp, where many are lost
   cast       messages per second, PUB to SUB over epgm at a rate of CAST_RATE, between two network namespaces
   castcpu    the same, but microseconds of CPU time for each message
   mem        bytes of resident memory that each of COUNT idle connections costs the server
   setup      median time to open a socket, connect, exchange one message and close, microseconds

   Over tcp and ipc the two sides are two processes, over inproc two threads. A transport that begins with "curve-" is the same
   under CURVE; who binds is the server. */

#define ZMQ_BUILD_DRAFT_API

#include "common.h"
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <zmq.h>

/* A library without drafts runs all the rest. */
#pragma weak zmq_connect_peer
#pragma weak zmq_msg_set_routing_id
#pragma weak zmq_msg_set_group
#pragma weak zmq_join

static struct shared
{
    char endpoint[256];
    atomic_int ready; /* the binding side has bound */
    atomic_int stop;  /* the measuring side has seen enough */
    atomic_int synced;    /* subscribers that have got something */
    atomic_long received; /* deliveries; elsewhere not 0 once the other side has got what it waited for */
} *shared;

static const char *transport;
static int curve;
static size_t size;
static int count = 1;
static void *context;

static void check (int ok, const char *what)
{
    if (!ok) {
        fprintf (stderr, "%s: %s\n", what, zmq_strerror (zmq_errno ()));
        exit (1);
    }
}

static void *open_socket (int type)
{
    void *s = zmq_socket (context, type);
    check (s != NULL, "zmq_socket");
    return s;
}

static void set_int (void *s, int option, int value)
{
    check (zmq_setsockopt (s, option, &value, sizeof value) == 0, "zmq_setsockopt");
}

static void set_key (void *s, int option, const char *key)
{
    check (zmq_setsockopt (s, option, key, 40) == 0, "zmq_setsockopt of a CURVE key");
}

/* The keys of zmq_curve(7). */
static void make_server (void *s)
{
    set_int (s, ZMQ_CURVE_SERVER, 1);
    set_key (s, ZMQ_CURVE_SECRETKEY, "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6");
}

static void make_client (void *s)
{
    set_key (s, ZMQ_CURVE_SERVERKEY, "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7");
    set_key (s, ZMQ_CURVE_PUBLICKEY, "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID");
    set_key (s, ZMQ_CURVE_SECRETKEY, "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs");
}

static void bind_socket (void *s)
{
    size_t length = sizeof shared->endpoint;
    char wanted[sizeof shared->endpoint];
    if (strcmp (transport, "tcp") == 0)
        strcpy (wanted, "tcp://127.0.0.1:*");
    else if (strcmp (transport, "ws") == 0)
        strcpy (wanted, "ws://127.0.0.1:*");
    else if (strcmp (transport, "ipc") == 0)
        snprintf (wanted, sizeof wanted, "ipc:///tmp/zmq-bench-%d", (int) getpid ());
    else
        strcpy (wanted, "inproc://bench");
    if (curve)
        make_server (s);
    check (zmq_bind (s, wanted) == 0, "zmq_bind");
    check (zmq_getsockopt (s, ZMQ_LAST_ENDPOINT, shared->endpoint, &length) == 0, "ZMQ_LAST_ENDPOINT");
    shared->ready = 1;
}

static void connect_socket (void *s)
{
    while (!shared->ready)
        usleep (100);
    if (curve)
        make_client (s);
    check (zmq_connect (s, shared->endpoint) == 0, "zmq_connect");
}

static void close_all (void *s)
{
    check (zmq_close (s) == 0, "zmq_close");
    check (zmq_ctx_term (context) == 0, "zmq_ctx_term");
}

static void new_context (void)
{
    context = zmq_ctx_new ();
    check (context != NULL, "zmq_ctx_new");
}

static void send_message (void *s, size_t bytes)
{
    zmq_msg_t m;
    check (zmq_msg_init_size (&m, bytes) == 0, "zmq_msg_init_size");
    check (zmq_msg_send (&m, s, 0) >= 0, "zmq_msg_send");
}

/* The other side runs in a process of its own (which gets a context of its own), or over inproc in a thread that shares the context. */
struct peer
{
    pid_t pid;
    pthread_t thread;
    void (*run) (void);
};

static void *thread_main (void *argument)
{
    ((struct peer *) argument)->run ();
    return NULL;
}

static void start_peer (struct peer *peer, void (*run) (void))
{
    peer->run = run;
    peer->pid = 0;
    if (strcmp (transport, "inproc") == 0) {
        new_context ();
        check (pthread_create (&peer->thread, NULL, thread_main, peer) == 0, "pthread_create");
        return;
    }
    peer->pid = fork_peer ();
    if (peer->pid == 0) {
        new_context ();
        run ();
        check (zmq_ctx_term (context) == 0, "zmq_ctx_term");
        _exit (0);
    }
    new_context ();
}

static void join_peer (struct peer *peer)
{
    if (peer->pid)
        wait_for_peer (peer->pid);
    else
        pthread_join (peer->thread, NULL);
}

/* Round trips. An empty message ends the echo. What is received carries the routing id to send it back by, where there is one. */

static int asking = ZMQ_REQ, answering = ZMQ_REP;

static void echo (void)
{
    void *s = open_socket (answering);
    zmq_msg_t m;
    int n;
    bind_socket (s);
    zmq_msg_init (&m);
    do {
        n = zmq_msg_recv (&m, s, 0);
        check (n >= 0, "zmq_msg_recv");
        check (zmq_msg_send (&m, s, 0) >= 0, "zmq_msg_send");
    } while (n > 0);
    check (zmq_close (s) == 0, "zmq_close");
}

static void latency (void)
{
    struct peer peer;
    struct samples samples = {0};
    zmq_msg_t m;
    uint32_t routing_id = 0;
    start_peer (&peer, echo);
    void *s = open_socket (asking);
    zmq_msg_init_size (&m, size);
    memset (zmq_msg_data (&m), 'x', size);
    if (asking == ZMQ_PEER) {
        while (!shared->ready)
            usleep (100);
        routing_id = zmq_connect_peer (s, shared->endpoint);
        check (zmq_msg_set_routing_id (&m, routing_id) == 0, "zmq_connect_peer");
    } else
        connect_socket (s);

    double begin = now (), warm = begin + WARM_UP, end = warm + measuring_time (), before = begin, cpu = 0;
    while (before < end) {
        check (zmq_msg_send (&m, s, 0) >= 0, "zmq_msg_send");
        check (zmq_msg_recv (&m, s, 0) == (int) size, "zmq_msg_recv");
        double after = now ();
        if (before >= warm) {
            if (cpu == 0)
                cpu = cpu_seconds (peer.pid);
            else
                add_sample (&samples, after - before);
        }
        before = after;
    }
    cpu = cpu_seconds (peer.pid) - cpu;
    report (median (&samples) * 1e6, cpu / samples.count * 1e9);

    check (zmq_msg_close (&m) == 0 && zmq_msg_init (&m) == 0, "zmq_msg_init");
    if (routing_id)
        zmq_msg_set_routing_id (&m, routing_id);
    check (zmq_msg_send (&m, s, 0) == 0, "zmq_msg_send");
    check (zmq_msg_recv (&m, s, 0) == 0, "zmq_msg_recv");
    check (zmq_close (s) == 0, "zmq_close");
    join_peer (&peer);
    check (zmq_ctx_term (context) == 0, "zmq_ctx_term");
}

static void draft_latency (int connects, int binds)
{
    check (zmq_connect_peer && zmq_msg_set_routing_id, "drafts");
    asking = connects, answering = binds;
    latency ();
}

static void client_latency (void)
{
    draft_latency (ZMQ_CLIENT, ZMQ_SERVER);
}

static void peer_latency (void)
{
    draft_latency (ZMQ_PEER, ZMQ_PEER);
}

/* A stream of messages. The sender goes on until it is told to stop, and says so with an empty message. */

static void stream (void)
{
    void *s = open_socket (ZMQ_PUSH);
    connect_socket (s);
    while (!atomic_load_explicit (&shared->stop, memory_order_relaxed))
        send_message (s, size);
    send_message (s, 0);
    /* Closed only when all has arrived: upstream loses the end of the stream if the kernel's buffer is full at that moment. */
    while (!shared->received)
        usleep (1000);
    check (zmq_close (s) == 0, "zmq_close");
}

static void throughput (void)
{
    struct peer peer;
    zmq_msg_t m;
    long messages = 0;
    /* Looking at the clock costs as much as a small message. */
    const long stride = size < 8192 ? 256 : 4;
    start_peer (&peer, stream);
    void *s = open_socket (ZMQ_PULL);
    bind_socket (s);
    zmq_msg_init (&m);
    check (zmq_msg_recv (&m, s, 0) == (int) size, "zmq_msg_recv");

    double warm = now () + WARM_UP, begin = 0, end = 0, cpu = 0, seconds = 0;
    for (long i = 1;; i++) {
        int n = zmq_msg_recv (&m, s, 0);
        check (n == (int) size || n == 0, "zmq_msg_recv");
        if (n == 0) {
            shared->received = 1;
            break;
        }
        if (i % stride || shared->stop)
            continue;
        double t = now ();
        if (begin == 0) {
            if (t >= warm) {
                begin = now (), end = begin + measuring_time (), cpu = cpu_seconds (peer.pid);
                messages = i;
            }
        } else if (t >= end) {
            seconds = t - begin;
            messages = i - messages;
            cpu = cpu_seconds (peer.pid) - cpu;
            shared->stop = 1;
        }
    }
    report (messages / seconds, cpu / messages * 1e9);
    zmq_msg_close (&m);
    check (zmq_close (s) == 0, "zmq_close");
    join_peer (&peer);
    check (zmq_ctx_term (context) == 0, "zmq_ctx_term");
}

/* Fan-out. All subscribers live in one process (or thread), which takes from each in turn what is there, and sleeps when nothing is. */

static void subscribe_all (void)
{
    void **s = calloc (count, sizeof *s);
    zmq_pollitem_t *items = calloc (count, sizeof *items);
    char *seen = calloc (count, 1);
    zmq_msg_t m;
    int synced = 0;
    for (int i = 0; i < count; i++) {
        s[i] = open_socket (ZMQ_SUB);
        check (zmq_setsockopt (s[i], ZMQ_SUBSCRIBE, "", 0) == 0, "ZMQ_SUBSCRIBE");
        connect_socket (s[i]);
        items[i] = (zmq_pollitem_t){.socket = s[i], .events = ZMQ_POLLIN};
    }
    zmq_msg_init (&m);
    while (!shared->stop) {
        long got = 0;
        for (int i = 0; i < count; i++) {
            int n = 0;
            while (n < 256 && zmq_msg_recv (&m, s[i], ZMQ_DONTWAIT) == (int) size)
                n++;
            if (n && !seen[i])
                seen[i] = 1, synced++;
            got += n;
        }
        if (got) {
            atomic_fetch_add (&shared->received, got);
            shared->synced = synced;
        } else
            zmq_poll (items, count, 100);
    }
    zmq_msg_close (&m);
    for (int i = 0; i < count; i++) {
        set_int (s[i], ZMQ_LINGER, 0);
        check (zmq_close (s[i]) == 0, "zmq_close");
    }
    free (s), free (items), free (seen);
}

static void fan_out (void)
{
    struct peer peer;
    start_peer (&peer, subscribe_all);
    void *s = open_socket (ZMQ_PUB);
    set_int (s, ZMQ_XPUB_NODROP, 1); /* a full subscriber slows the publisher down: every message is delivered, and counts */
    set_int (s, ZMQ_LINGER, 0);
    bind_socket (s);
    while (shared->synced < count) {
        send_message (s, size);
        usleep (500);
    }
    double warm = now () + WARM_UP, begin = 0, end = 0, cpu = 0;
    long received = 0;
    for (long i = 1;; i++) {
        send_message (s, size);
        if (i % 64)
            continue;
        double t = now ();
        if (begin == 0 && t >= warm) {
            begin = t, end = t + measuring_time (), cpu = cpu_seconds (peer.pid), received = shared->received;
        } else if (begin != 0 && t >= end) {
            received = shared->received - received;
            cpu = cpu_seconds (peer.pid) - cpu;
            report (received / (t - begin), cpu / received * 1e9);
            break;
        }
    }
    shared->stop = 1;
    join_peer (&peer);
    close_all (s);
}

/* Groups. The RADIO goes on until it is told to stop, and waits at its mark; over udp what the DISH's side can't take is lost all the same. */

#define GROUP "group"

static void radiate (void)
{
    void *s = open_socket (ZMQ_RADIO);
    zmq_msg_t m;
    set_int (s, ZMQ_XPUB_NODROP, 1);
    set_int (s, ZMQ_LINGER, 0);
    connect_socket (s);
    while (!atomic_load_explicit (&shared->stop, memory_order_relaxed)) {
        check (zmq_msg_init_size (&m, size) == 0, "zmq_msg_init_size");
        check (zmq_msg_set_group (&m, GROUP) == 0, "zmq_msg_set_group");
        check (zmq_msg_send (&m, s, 0) >= 0, "zmq_msg_send");
    }
    check (zmq_close (s) == 0, "zmq_close");
}

/* A udp endpoint doesn't tell which port it was given. */
static void bind_udp (void *s)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK)};
    socklen_t length = sizeof name;
    int fd = socket (AF_INET, SOCK_DGRAM, 0);
    if (bind (fd, (struct sockaddr *) &name, length) != 0 || getsockname (fd, (struct sockaddr *) &name, &length) != 0)
        fail ("no port");
    close (fd);
    snprintf (shared->endpoint, sizeof shared->endpoint, "udp://127.0.0.1:%d", ntohs (name.sin_port));
    check (zmq_bind (s, shared->endpoint) == 0, "zmq_bind");
    shared->ready = 1;
}

static void groups (void)
{
    struct peer peer;
    zmq_msg_t m;
    check (zmq_msg_set_group && zmq_join, "drafts");
    start_peer (&peer, radiate);
    void *s = open_socket (ZMQ_DISH);
    set_int (s, ZMQ_RCVTIMEO, 5000);
    check (zmq_join (s, GROUP) == 0, "zmq_join");
    if (strcmp (transport, "udp") == 0)
        bind_udp (s);
    else
        bind_socket (s);
    zmq_msg_init (&m);

    double warm = now () + WARM_UP, begin = 0, end = 0, cpu = 0;
    long messages = 0;
    for (long i = 1;; i++) {
        check (zmq_msg_recv (&m, s, 0) == (int) size, "zmq_msg_recv");
        if (i % 64)
            continue;
        double t = now ();
        if (begin == 0 && t >= warm) {
            begin = t, end = t + measuring_time (), cpu = cpu_seconds (peer.pid), messages = i;
        } else if (begin != 0 && t >= end) {
            messages = i - messages;
            cpu = cpu_seconds (peer.pid) - cpu;
            report (messages / (t - begin), cpu / messages * 1e9);
            break;
        }
    }
    shared->stop = 1;
    zmq_msg_close (&m);
    join_peer (&peer);
    close_all (s);
}

/* Multicast. Sockets of one machine don't hear each other by epgm, so each process has a network of its own, and a cable leads from one to the
   other. The rate is what the publisher is told to keep to; it waits when it is ahead of it. */

#define CAST_RATE 100000 /* kbit/s */
#define CAST_RECOVERY 1000 /* ms */

static int report_cpu_time;

static void command (const char *format, int argument)
{
    char text[256];
    snprintf (text, sizeof text, format, argument);
    if (system (text) != 0) {
        fprintf (stderr, "failed: %s\n", text);
        exit (1);
    }
}

/* Who isn't root becomes root of a namespace of users. The machine's own network isn't touched. */
static void own_network (void)
{
    uid_t user = geteuid ();
    if (unshare (CLONE_NEWNET | (user ? CLONE_NEWUSER : 0)) != 0)
        fail ("unshare");
    if (user) {
        FILE *map = fopen ("/proc/self/uid_map", "w");
        if (!map || fprintf (map, "0 %d 1", (int) user) < 0 || fclose (map) != 0)
            fail ("/proc/self/uid_map");
    }
}

static void *open_cast (int type, int machine)
{
    char endpoint[64];
    void *s = open_socket (type);
    set_int (s, ZMQ_RATE, CAST_RATE);
    set_int (s, ZMQ_RECOVERY_IVL, CAST_RECOVERY);
    set_int (s, ZMQ_LINGER, 0);
    snprintf (endpoint, sizeof endpoint, "epgm://10.77.0.%d;239.192.7.7:5577", machine);
    check (zmq_connect (s, endpoint) == 0, "zmq_connect");
    return s;
}

static void publish (void)
{
    if (unshare (CLONE_NEWNET) != 0)
        fail ("unshare");
    shared->ready = 1;
    while (shared->ready != 2)
        usleep (100);
    command ("ip addr add 10.77.0.%d/24 dev far && ip link set far up && ip link set lo up", 2);
    shared->ready = 3;
    while (shared->ready != 4)
        usleep (100);
    void *s = open_cast (ZMQ_PUB, 2);
    set_int (s, ZMQ_XPUB_NODROP, 1);
    while (!atomic_load_explicit (&shared->stop, memory_order_relaxed))
        send_message (s, size);
    check (zmq_close (s) == 0, "zmq_close");
}

static void multicast (void)
{
    struct peer peer;
    zmq_msg_t m;
    own_network ();
    start_peer (&peer, publish);
    while (shared->ready != 1)
        usleep (100);
    command ("ip link add near type veth peer name far netns %d", peer.pid);
    command ("ip addr add 10.77.0.%d/24 dev near && ip link set near up && ip link set lo up", 1);
    shared->ready = 2;
    while (shared->ready != 3)
        usleep (100);
    void *s = open_cast (ZMQ_SUB, 1);
    check (zmq_setsockopt (s, ZMQ_SUBSCRIBE, "", 0) == 0, "ZMQ_SUBSCRIBE");
    set_int (s, ZMQ_RCVTIMEO, 5000);
    shared->ready = 4;
    zmq_msg_init (&m);

    const long stride = size < 8192 ? 64 : 1;
    /* The publisher may begin with what a second's rate allows. */
    double warm = 0, begin = 0, end = 0, cpu = 0;
    long messages = 0;
    for (long i = 1;; i++) {
        check (zmq_msg_recv (&m, s, 0) == (int) size, "zmq_msg_recv");
        if (i % stride)
            continue;
        double t = now ();
        if (warm == 0)
            warm = t + 2;
        else if (begin == 0 && t >= warm) {
            begin = t, end = t + 2 * measuring_time (), cpu = cpu_seconds (peer.pid), messages = i;
        } else if (begin != 0 && t >= end) {
            messages = i - messages;
            cpu = (cpu_seconds (peer.pid) - cpu) / messages;
            report (report_cpu_time ? cpu * 1e6 : messages / (t - begin), cpu * 1e9);
            break;
        }
    }
    shared->stop = 1;
    zmq_msg_close (&m);
    check (zmq_close (s) == 0, "zmq_close");
    join_peer (&peer);
    check (zmq_ctx_term (context) == 0, "zmq_ctx_term");
}

static void multicast_cpu (void)
{
    report_cpu_time = 1;
    multicast ();
}

/* Idle connections: each client has said one message, and then nothing happens. */

static void connect_many (void)
{
    void **s = calloc (count + 1, sizeof *s);
    check (zmq_ctx_set (context, ZMQ_MAX_SOCKETS, count + 8) == 0, "ZMQ_MAX_SOCKETS");
    for (int i = 0; i <= count; i++) {
        s[i] = open_socket (ZMQ_DEALER);
        set_int (s[i], ZMQ_LINGER, 0);
        connect_socket (s[i]);
        check (zmq_send (s[i], "x", 1, 0) == 1, "zmq_send");
        while (shared->received == 0) /* the server measures from its first connection on */
            usleep (1000);
    }
    while (!shared->stop)
        usleep (1000);
    for (int i = 0; i <= count; i++)
        check (zmq_close (s[i]) == 0, "zmq_close");
    free (s);
}

static long resident_bytes (void)
{
    long total, resident;
    FILE *f = fopen ("/proc/self/statm", "r");
    if (!f || fscanf (f, "%ld %ld", &total, &resident) != 2)
        fail ("/proc/self/statm");
    fclose (f);
    return resident * sysconf (_SC_PAGESIZE);
}

static void take_one (void *s)
{
    char buffer[16];
    check (zmq_recv (s, buffer, sizeof buffer, 0) >= 0, "zmq_recv"); /* the routing id */
    check (zmq_recv (s, buffer, sizeof buffer, 0) == 1, "zmq_recv");
}

static void memory (void)
{
    struct peer peer;
    start_peer (&peer, connect_many);
    void *s = open_socket (ZMQ_ROUTER);
    bind_socket (s);
    take_one (s);
    long before = resident_bytes ();
    double cpu = cpu_seconds (0);
    shared->received = 1;
    for (int i = 0; i < count; i++)
        take_one (s);
    usleep (200000);
    cpu = cpu_seconds (0) - cpu;
    report ((double) (resident_bytes () - before) / count, cpu / count * 1e9);
    shared->stop = 1;
    join_peer (&peer);
    close_all (s);
}

/* Setting a session up. */

static void set_up (void)
{
    struct peer peer;
    struct samples samples = {0};
    char buffer[16];
    start_peer (&peer, echo);
    double end = now () + measuring_time (), cpu = cpu_seconds (peer.pid);
    while (now () < end) {
        double before = now ();
        void *s = open_socket (ZMQ_REQ);
        connect_socket (s);
        check (zmq_send (s, "x", 1, 0) == 1, "zmq_send");
        check (zmq_recv (s, buffer, sizeof buffer, 0) == 1, "zmq_recv");
        check (zmq_close (s) == 0, "zmq_close");
        add_sample (&samples, now () - before);
    }
    cpu = cpu_seconds (peer.pid) - cpu;
    report (median (&samples) * 1e6, cpu / samples.count * 1e9);
    void *s = open_socket (ZMQ_REQ);
    connect_socket (s);
    check (zmq_send (s, "", 0, 0) == 0, "zmq_send");
    check (zmq_recv (s, buffer, sizeof buffer, 0) == 0, "zmq_recv");
    check (zmq_close (s) == 0, "zmq_close");
    join_peer (&peer);
    check (zmq_ctx_term (context) == 0, "zmq_ctx_term");
}

int main (int argc, char *argv[])
{
    static const struct
    {
        const char *name;
        void (*run) (void);
    } works[] = {{"lat", latency}, {"client", client_latency}, {"peer", peer_latency}, {"thr", throughput}, {"fan", fan_out}, {"group", groups}, {"cast", multicast}, {"castcpu", multicast_cpu}, {"mem", memory}, {"setup", set_up}};

    if (argc < 4) {
        fprintf (stderr, "usage: bench lat|client|peer|thr|fan|group|cast|castcpu|mem|setup tcp|ipc|ws|inproc|udp|epgm SIZE [COUNT]\n");
        return 2;
    }
    curve = strncmp (argv[2], "curve-", 6) == 0;
    transport = curve ? argv[2] + 6 : argv[2];
    size = (size_t) atol (argv[3]);
    if (argc > 4)
        count = atoi (argv[4]);
    shared = shared_page (sizeof *shared);
    for (size_t i = 0; i < sizeof works / sizeof works[0]; i++)
        if (strcmp (argv[1], works[i].name) == 0) {
            works[i].run ();
            if (strcmp (transport, "ipc") == 0)
                unlink (shared->endpoint + strlen ("ipc://"));
            return 0;
        }
    fprintf (stderr, "bench: no workload %s\n", argv[1]);
    return 2;
}
