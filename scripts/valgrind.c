/* A little of everything, for memcheck: each transport, mechanism and size of message, draft sockets, closing with messages left, handshakes that
   fail or are cut off, a monitor, pollers.

   Its arguments, both or none: files with a certificate and its key, PEM, for wss. */
#define ZMQ_BUILD_DRAFT_API
#undef NDEBUG
#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

/* For wss; empty without. */
static char certificate[8192], key[8192];

static void free_body (void *data, void *hint)
{
    (void) hint;
    free (data);
}

static void *send_all (void *push)
{
    for (int i = 0; i < 400; i++) {
        size_t size = (size_t) i * (size_t) i / 2;
        if (i % 3 == 0) {
            char *body = malloc (size + 1);
            memset (body, i, size + 1);
            zmq_msg_t message;
            zmq_msg_init_data (&message, body, size, free_body, NULL);
            assert (zmq_msg_send (&message, push, i % 2 ? ZMQ_SNDMORE : 0) >= 0);
        } else {
            char *body = calloc (1, size + 1);
            assert (zmq_send (push, body, size, i % 2 ? ZMQ_SNDMORE : 0) >= 0);
            free (body);
        }
    }
    return NULL;
}

static void set (void *socket, int option, int value)
{
    assert (zmq_setsockopt (socket, option, &value, sizeof value) == 0);
}

static void set_text (void *socket, int option, const char *value)
{
    assert (zmq_setsockopt (socket, option, value, strlen (value)) == 0);
}

static void close_all (void *context, void **sockets, int count)
{
    for (int i = 0; i < count; i++) {
        set (sockets[i], ZMQ_LINGER, 0);
        assert (zmq_close (sockets[i]) == 0);
    }
    assert (zmq_ctx_term (context) == 0);
}

/* Binds the one and connects the other. */
static void join_up (void *bound, void *connected, const char *endpoint)
{
    char name[256];
    size_t len = sizeof name;
    assert (zmq_bind (bound, endpoint) == 0);
    assert (zmq_getsockopt (bound, ZMQ_LAST_ENDPOINT, name, &len) == 0);
    /* That of udp has no scheme. */
    assert (zmq_connect (connected, strncmp (endpoint, "udp:", 4) ? name : endpoint) == 0);
}

static void stream (const char *endpoint)
{
    void *context = zmq_ctx_new ();
    void *pull = zmq_socket (context, ZMQ_PULL);
    void *push = zmq_socket (context, ZMQ_PUSH);
    if (!strncmp (endpoint, "wss:", 4)) {
        set_text (pull, ZMQ_WSS_CERT_PEM, certificate);
        set_text (pull, ZMQ_WSS_KEY_PEM, key);
        set_text (push, ZMQ_WSS_TRUST_PEM, certificate);
    }
    int mark = 5;
    zmq_setsockopt (push, ZMQ_SNDHWM, &mark, sizeof mark);
    zmq_setsockopt (pull, ZMQ_RCVHWM, &mark, sizeof mark);
    zmq_socket_monitor (push, "inproc://monitor", ZMQ_EVENT_ALL);
    void *monitor = zmq_socket (context, ZMQ_PAIR);
    zmq_connect (monitor, "inproc://monitor");
    assert (zmq_bind (pull, endpoint) == 0);
    char bound[256];
    size_t len = sizeof bound;
    zmq_getsockopt (pull, ZMQ_LAST_ENDPOINT, bound, &len);
    assert (zmq_connect (push, bound) == 0);
    pthread_t thread;
    pthread_create (&thread, NULL, send_all, push);
    /* The last hundred are left where they are. */
    zmq_msg_t message;
    zmq_msg_init (&message);
    for (int i = 0; i < 300; i++) {
        assert (zmq_msg_recv (&message, pull, 0) == i * i / 2);
        if (i % 7 == 0) {
            zmq_msg_t copy;
            zmq_msg_init (&copy);
            zmq_msg_copy (&copy, &message);
            zmq_msg_close (&copy);
        }
    }
    zmq_msg_close (&message);
    mark = 0;
    zmq_setsockopt (push, ZMQ_SNDHWM, &mark, sizeof mark);
    for (int i = 300; i < 390; i++)
        zmq_recv (pull, NULL, 0, 0);
    pthread_join (thread, NULL);
    int linger = 0;
    zmq_setsockopt (push, ZMQ_LINGER, &linger, sizeof linger);
    zmq_setsockopt (monitor, ZMQ_LINGER, &linger, sizeof linger);
    zmq_close (monitor);
    zmq_close (push);
    zmq_close (pull);
    assert (zmq_ctx_term (context) == 0);
}

static void publish (void)
{
    void *context = zmq_ctx_new ();
    void *publisher = zmq_socket (context, ZMQ_XPUB);
    void *subscriber = zmq_socket (context, ZMQ_SUB);
    zmq_bind (publisher, "tcp://127.0.0.1:*");
    char bound[256];
    size_t len = sizeof bound;
    zmq_getsockopt (publisher, ZMQ_LAST_ENDPOINT, bound, &len);
    zmq_connect (subscriber, bound);
    char topic[16];
    for (int i = 0; i < 100; i++) {
        memset (topic, 'a' + i % 26, sizeof topic);
        zmq_setsockopt (subscriber, ZMQ_SUBSCRIBE, topic, (size_t) i % 16);
    }
    /* All that are new to it. */
    for (int i = 0; i < 40; i++)
        assert (zmq_recv (publisher, topic, sizeof topic, 0) > 0);
    for (int i = 0; i < 100; i++)
        zmq_send (publisher, "aaaaaaaaaaaaaaaa", 16, 0);
    zmq_pollitem_t item = {subscriber, 0, ZMQ_POLLIN, 0};
    assert (zmq_poll (&item, 1, -1) == 1);
    for (int i = 0; i < 100; i++)
        assert (zmq_recv (subscriber, topic, sizeof topic, 0) == 16);
    zmq_close (publisher);
    zmq_close (subscriber);
    assert (zmq_ctx_term (context) == 0);
}

/* The ZAP handler: lets everybody in but those whose first credential is "stranger". */
static void *authenticate (void *handler)
{
    for (;;) {
        char frames[16][64];
        int sizes[16], count = 0, more = 1;
        size_t len = sizeof more;
        while (more) {
            assert (count < 16);
            sizes[count] = zmq_recv (handler, frames[count], sizeof frames[count], 0);
            if (sizes[count++] < 0) {
                assert (zmq_errno () == ETERM);
                zmq_close (handler);
                return NULL;
            }
            assert (zmq_getsockopt (handler, ZMQ_RCVMORE, &more, &len) == 0);
        }
        int stranger = count > 6 && sizes[6] == 8 && !memcmp (frames[6], "stranger", 8);
        zmq_send (handler, frames[0], (size_t) sizes[0], ZMQ_SNDMORE);
        zmq_send (handler, frames[1], (size_t) sizes[1], ZMQ_SNDMORE);
        zmq_send (handler, stranger ? "400" : "200", 3, ZMQ_SNDMORE);
        zmq_send (handler, "text", 4, ZMQ_SNDMORE);
        zmq_send (handler, "user", 4, ZMQ_SNDMORE);
        zmq_send (handler, "\4Name\0\0\0\5value", stranger ? 0 : 14, 0);
    }
}

enum mechanism { NULL_MECHANISM, PLAIN, CURVE };

static void secure (const char *endpoint, enum mechanism mechanism, int lets_in)
{
    void *context = zmq_ctx_new ();
    void *handler = zmq_socket (context, ZMQ_REP);
    assert (zmq_bind (handler, "inproc://zeromq.zap.01") == 0);
    pthread_t thread;
    pthread_create (&thread, NULL, authenticate, handler);
    void *server = zmq_socket (context, ZMQ_ROUTER), *client = zmq_socket (context, ZMQ_DEALER);
    set_text (server, ZMQ_ZAP_DOMAIN, "domain");
    if (mechanism == PLAIN) {
        set (server, ZMQ_PLAIN_SERVER, 1);
        set_text (client, ZMQ_PLAIN_USERNAME, lets_in ? "friend" : "stranger");
        set_text (client, ZMQ_PLAIN_PASSWORD, "word");
    } else if (mechanism == CURVE) {
        char keys[4][41];
        assert (zmq_curve_keypair (keys[0], keys[1]) == 0 && zmq_curve_keypair (keys[2], keys[3]) == 0);
        set (server, ZMQ_CURVE_SERVER, 1);
        set_text (server, ZMQ_CURVE_SECRETKEY, keys[1]);
        set_text (client, ZMQ_CURVE_SERVERKEY, lets_in ? keys[0] : keys[2]);
        set_text (client, ZMQ_CURVE_PUBLICKEY, keys[2]);
        set_text (client, ZMQ_CURVE_SECRETKEY, keys[3]);
    }
    assert (zmq_socket_monitor (server, "inproc://monitor",
                                ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL
                                  | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL)
            == 0);
    void *monitor = zmq_socket (context, ZMQ_PAIR);
    assert (zmq_connect (monitor, "inproc://monitor") == 0);
    join_up (server, client, endpoint);
    /* Over ws, that of the upgrade comes first. */
    for (unsigned short number = 0; number == 0 || (number == ZMQ_EVENT_HANDSHAKE_SUCCEEDED && !lets_in);) {
        unsigned char event[256];
        assert (zmq_recv (monitor, event, sizeof event, 0) == 6);
        memcpy (&number, event, sizeof number);
        assert (number == ZMQ_EVENT_HANDSHAKE_SUCCEEDED || !lets_in);
        assert (zmq_recv (monitor, event, sizeof event, 0) > 0);
    }
    if (lets_in) {
        static char body[70000];
        for (size_t size = 0; size < sizeof body; size = size * 3 + 1) {
            char name[16];
            assert (zmq_send (client, body, size, 0) == (int) size);
            int len = zmq_recv (server, name, sizeof name, 0);
            zmq_msg_t message;
            zmq_msg_init (&message);
            assert (zmq_msg_recv (&message, server, 0) == (int) size);
            assert (mechanism == NULL_MECHANISM || !strcmp (zmq_msg_gets (&message, "User-Id"), "user"));
            zmq_send (server, name, (size_t) len, ZMQ_SNDMORE);
            assert (zmq_msg_send (&message, server, 0) == (int) size);
            assert (zmq_recv (client, body, sizeof body, 0) == (int) size);
        }
    }
    set (monitor, ZMQ_LINGER, 0);
    zmq_close (monitor);
    set (server, ZMQ_LINGER, 0);
    zmq_close (server);
    set (client, ZMQ_LINGER, 0);
    zmq_close (client);
    assert (zmq_ctx_term (context) == 0);
    pthread_join (thread, NULL);
}

/* One of the draft types to the other, and back where there is a way back. */
static void draft (const char *endpoint, int bound, int connected)
{
    void *context = zmq_ctx_new ();
    void *sockets[] = {zmq_socket (context, bound), zmq_socket (context, connected)};
    void *poller = zmq_poller_new ();
    zmq_poller_add (poller, sockets[0], NULL, ZMQ_POLLIN);
    int fd;
    assert (zmq_poller_fd (poller, &fd) == 0);
    zmq_msg_t message;
    if (connected == ZMQ_PEER) {
        char name[256];
        size_t len = sizeof name;
        assert (zmq_bind (sockets[0], endpoint) == 0);
        assert (zmq_getsockopt (sockets[0], ZMQ_LAST_ENDPOINT, name, &len) == 0);
        uint32_t id = zmq_connect_peer (sockets[1], name);
        assert (id != 0);
        zmq_msg_init_buffer (&message, "hello", 5);
        zmq_msg_set_routing_id (&message, id);
        assert (zmq_msg_send (&message, sockets[1], 0) == 5);
    } else {
        join_up (sockets[0], sockets[1], endpoint);
        for (size_t size = 0; size < 20000; size = size * 5 + 1) {
            zmq_msg_init_size (&message, size);
            memset (zmq_msg_data (&message), 'x', size);
            assert (zmq_msg_send (&message, sockets[1], 0) == (int) size);
        }
    }
    zmq_poller_event_t event;
    assert (zmq_poller_wait (poller, &event, -1) == 0);
    zmq_msg_init (&message);
    assert (zmq_msg_recv (&message, sockets[0], 0) >= 0);
    if (bound == ZMQ_SERVER || bound == ZMQ_PEER || bound == ZMQ_CHANNEL) {
        int size = (int) zmq_msg_size (&message);
        assert (zmq_msg_send (&message, sockets[0], 0) == size);
        assert (zmq_msg_recv (&message, sockets[1], 0) == size);
    }
    zmq_msg_close (&message);
    zmq_poller_destroy (&poller);
    close_all (context, sockets, 2);
}

/* RADIO and DISH. Over udp, the first ones may be lost. */
static void radiate (const char *endpoint)
{
    void *context = zmq_ctx_new ();
    void *sockets[] = {zmq_socket (context, ZMQ_DISH), zmq_socket (context, ZMQ_RADIO)};
    assert (zmq_join (sockets[0], "group") == 0);
    join_up (sockets[0], sockets[1], endpoint);
    set (sockets[0], ZMQ_RCVTIMEO, 20);
    zmq_msg_t message;
    int got = 0;
    for (int i = 0; got < 50; i++) {
        for (int one = 0; one < 20; one++) {
            zmq_msg_init_size (&message, (size_t) (i * 7 % 1500));
            memset (zmq_msg_data (&message), 'x', zmq_msg_size (&message));
            zmq_msg_set_group (&message, one % 2 ? "group" : "another");
            assert (zmq_msg_send (&message, sockets[1], 0) >= 0);
        }
        zmq_msg_init (&message);
        while (zmq_msg_recv (&message, sockets[0], 0) >= 0) {
            assert (!strcmp (zmq_msg_group (&message), "group"));
            got++;
        }
        zmq_msg_close (&message);
    }
    assert (zmq_leave (sockets[0], "group") == 0);
    close_all (context, sockets, 2);
}

static void datagrams (const char *host)
{
    void *context = zmq_ctx_new ();
    void *sockets[] = {zmq_socket (context, ZMQ_DGRAM), zmq_socket (context, ZMQ_DGRAM)};
    char names[2][128];
    for (int i = 0; i < 2; i++) {
        char endpoint[256];
        snprintf (names[i], sizeof names[i], "%s:%d", host, 5572 + i);
        snprintf (endpoint, sizeof endpoint, "udp://%s", names[i]);
        assert (zmq_bind (sockets[i], endpoint) == 0);
        set (sockets[i], ZMQ_RCVTIMEO, 20);
    }
    for (int got = 0; got < 20;) {
        char from[256], body[1500];
        for (int size = 0; size < 1400; size += 100) {
            memset (body, 'x', sizeof body);
            assert (zmq_send (sockets[0], names[1], strlen (names[1]), ZMQ_SNDMORE) > 0);
            assert (zmq_send (sockets[0], body, (size_t) size, 0) == size);
        }
        while (zmq_recv (sockets[1], from, sizeof from, 0) >= 0) {
            assert (zmq_recv (sockets[1], body, sizeof body, 0) >= 0);
            got++;
        }
    }
    close_all (context, sockets, 2);
}

/* Ends a context in the middle of handshakes. */
static void cut_off (const char *endpoint)
{
    for (int i = 0; i < 20; i++) {
        void *context = zmq_ctx_new ();
        void *sockets[] = {zmq_socket (context, ZMQ_ROUTER), zmq_socket (context, ZMQ_DEALER)};
        join_up (sockets[0], sockets[1], endpoint);
        zmq_send (sockets[1], "hello", 5, 0);
        if (i % 4 == 3)
            usleep ((useconds_t) i * 100);
        close_all (context, sockets, 2);
    }
}

static void read_file (const char *name, char *text, size_t size)
{
    FILE *file = fopen (name, "r");
    assert (file);
    size_t len = fread (text, 1, size - 1, file);
    assert (len > 0 && len < size - 1);
    text[len] = 0;
    fclose (file);
}

int main (int argc, char **argv)
{
    stream ("inproc://stream");
    stream ("tcp://127.0.0.1:*");
    stream ("ipc://@ferrozmq-valgrind");
    stream ("ws://127.0.0.1:*/path");
    if (argc == 3) {
        read_file (argv[1], certificate, sizeof certificate);
        read_file (argv[2], key, sizeof key);
        stream ("wss://127.0.0.1:*");
    }
    publish ();
    const char *endpoints[] = {"tcp://127.0.0.1:*", "ipc://@ferrozmq-valgrind", "ws://127.0.0.1:*"};
    for (int i = 0; i < 3; i++) {
        secure (endpoints[i], NULL_MECHANISM, 1);
        secure (endpoints[i], PLAIN, 1);
        secure (endpoints[i], PLAIN, 0);
        secure (endpoints[i], CURVE, 1);
        secure (endpoints[i], CURVE, 0);
        cut_off (endpoints[i]);
    }
    const char *places[] = {"inproc://draft", "tcp://127.0.0.1:*", "ws://127.0.0.1:*"};
    for (int i = 0; i < 3; i++) {
        draft (places[i], ZMQ_SERVER, ZMQ_CLIENT);
        draft (places[i], ZMQ_GATHER, ZMQ_SCATTER);
        draft (places[i], ZMQ_CHANNEL, ZMQ_CHANNEL);
        draft (places[i], ZMQ_PEER, ZMQ_PEER);
        radiate (places[i]);
    }
    /* Each process has a loopback address of its own here. */
    char place[64];
    int id = getpid ();
    snprintf (place, sizeof place, "127.%d.%d.%d", 128 | (id >> 16 & 127), id >> 8 & 255, id & 255);
    datagrams (place);
    snprintf (place, sizeof place, "udp://127.%d.%d.%d:5571", 128 | (id >> 16 & 127), id >> 8 & 255, id & 255);
    radiate (place);
    return 0;
}
