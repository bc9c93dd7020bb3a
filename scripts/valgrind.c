/* A little of everything, for memcheck: each transport, each size of message, closing with messages left, a monitor, a poller. */
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

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

static void stream (const char *endpoint)
{
    void *context = zmq_ctx_new ();
    void *pull = zmq_socket (context, ZMQ_PULL);
    void *push = zmq_socket (context, ZMQ_PUSH);
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

int main (void)
{
    stream ("inproc://stream");
    stream ("tcp://127.0.0.1:*");
    stream ("ipc://@ferrozmq-valgrind");
    publish ();
    return 0;
}
