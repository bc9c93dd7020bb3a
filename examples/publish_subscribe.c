/* Publish and subscribe: every subscriber gets the messages that begin with a topic it has asked for, and no others.
   The publisher is an XPUB socket, which also tells it who subscribes to what, so that it need not guess when to begin. */

#include "check.h"

int main (void)
{
    static const char *const news[] = {"weather.oslo rain", "sport.chess draw", "weather.rome sun"};
    void *context = zmq_ctx_new ();
    void *publisher = zmq_socket (context, ZMQ_XPUB);
    void *weather = zmq_socket (context, ZMQ_SUB);
    void *everything = zmq_socket (context, ZMQ_SUB);
    char endpoint[128], message[64];
    size_t length = sizeof endpoint;
    size_t i;

    CHECK (zmq_bind (publisher, "tcp://127.0.0.1:*") == 0);
    CHECK (zmq_getsockopt (publisher, ZMQ_LAST_ENDPOINT, endpoint, &length) == 0);

    CHECK (zmq_setsockopt (weather, ZMQ_SUBSCRIBE, "weather.", 8) == 0);
    CHECK (zmq_setsockopt (everything, ZMQ_SUBSCRIBE, "", 0) == 0);
    CHECK (zmq_connect (weather, endpoint) == 0);
    CHECK (zmq_connect (everything, endpoint) == 0);

    /* A subscription arrives as a message: 1 and the topic (0 and the topic when it is cancelled). */
    for (i = 0; i < 2; i++) {
        int received = zmq_recv (publisher, message, sizeof message, 0);
        CHECK (received >= 1 && message[0] == 1);
        CHECK (received == 1 || (received == 9 && memcmp (message + 1, "weather.", 8) == 0));
    }

    for (i = 0; i < 3; i++)
        CHECK (zmq_send (publisher, news[i], strlen (news[i]), 0) == (int) strlen (news[i]));

    for (i = 0; i < 3; i++) {
        int received = zmq_recv (everything, message, sizeof message, 0);
        CHECK (received == (int) strlen (news[i]) && memcmp (message, news[i], received) == 0);
    }
    for (i = 0; i < 3; i += 2) {
        int received = zmq_recv (weather, message, sizeof message, 0);
        CHECK (received == (int) strlen (news[i]) && memcmp (message, news[i], received) == 0);
    }
    CHECK (zmq_recv (weather, message, sizeof message, ZMQ_DONTWAIT) == -1 && zmq_errno () == EAGAIN);

    CHECK (zmq_close (everything) == 0);
    CHECK (zmq_close (weather) == 0);
    CHECK (zmq_close (publisher) == 0);
    CHECK (zmq_ctx_term (context) == 0);
    printf ("3 messages published, 3 and 2 of them received\n");
    return 0;
}
