/* ROUTER and DEALER: any number of messages in flight in both directions. The ROUTER sees each peer's routing id as the
   first frame of what it receives, and sends to the peer that the first frame names. */

#include "check.h"

static void *named_dealer (void *context, const char *name, const char *endpoint)
{
    void *socket = zmq_socket (context, ZMQ_DEALER);
    CHECK (zmq_setsockopt (socket, ZMQ_ROUTING_ID, name, strlen (name)) == 0);
    CHECK (zmq_connect (socket, endpoint) == 0);
    return socket;
}

static void expect (void *socket, const char *text, int more)
{
    char frame[64];
    int is_more, received = zmq_recv (socket, frame, sizeof frame, 0);
    size_t length = sizeof is_more;
    CHECK (received == (int) strlen (text) && memcmp (frame, text, received) == 0);
    CHECK (zmq_getsockopt (socket, ZMQ_RCVMORE, &is_more, &length) == 0 && is_more == more);
}

static void send_to (void *router, const char *name, const char *text)
{
    CHECK (zmq_send (router, name, strlen (name), ZMQ_SNDMORE) == (int) strlen (name));
    CHECK (zmq_send (router, text, strlen (text), 0) == (int) strlen (text));
}

int main (void)
{
    void *context = zmq_ctx_new ();
    void *router = zmq_socket (context, ZMQ_ROUTER);
    char endpoint[128];
    size_t length = sizeof endpoint;
    int mandatory = 1;
    void *anna, *bert;

    CHECK (zmq_setsockopt (router, ZMQ_ROUTER_MANDATORY, &mandatory, sizeof mandatory) == 0);
    CHECK (zmq_bind (router, "tcp://127.0.0.1:*") == 0);
    CHECK (zmq_getsockopt (router, ZMQ_LAST_ENDPOINT, endpoint, &length) == 0);

    anna = named_dealer (context, "anna", endpoint);
    CHECK (zmq_send (anna, "one", 3, 0) == 3);
    CHECK (zmq_send (anna, "two", 3, 0) == 3); /* no need to wait for an answer */
    expect (router, "anna", 1);
    expect (router, "one", 0);
    expect (router, "anna", 1);
    expect (router, "two", 0);

    bert = named_dealer (context, "bert", endpoint);
    CHECK (zmq_send (bert, "here", 4, 0) == 4);
    expect (router, "bert", 1);
    expect (router, "here", 0);

    send_to (router, "bert", "welcome");
    send_to (router, "anna", "answer to two"); /* in any order */
    send_to (router, "anna", "answer to one");
    expect (anna, "answer to two", 0);
    expect (anna, "answer to one", 0);
    expect (bert, "welcome", 0);

    /* With ZMQ_ROUTER_MANDATORY a peer that is not there is an error; without, the message is dropped. */
    CHECK (zmq_send (router, "carl", 4, ZMQ_SNDMORE) == -1 && zmq_errno () == EHOSTUNREACH);

    CHECK (zmq_close (anna) == 0);
    CHECK (zmq_close (bert) == 0);
    CHECK (zmq_close (router) == 0);
    CHECK (zmq_ctx_term (context) == 0);
    printf ("messages routed to two peers by name\n");
    return 0;
}
