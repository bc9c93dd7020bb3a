/* Request and reply: a REQ socket asks, a REP socket answers, strictly in turn.
   The server binds to a port that the system chooses; the client asks the socket which one it was. */

#include "check.h"

enum { REQUESTS = 5 };

static void serve (void *socket)
{
    char request[32], reply[64];
    int i;
    for (i = 0; i < REQUESTS; i++) {
        int length = zmq_recv (socket, request, sizeof request - 1, 0);
        CHECK (length >= 0 && length < (int) sizeof request);
        request[length] = '\0';
        sprintf (reply, "you said %s", request);
        CHECK (zmq_send (socket, reply, strlen (reply), 0) == (int) strlen (reply));
    }
}

int main (void)
{
    void *context = zmq_ctx_new ();
    void *server = zmq_socket (context, ZMQ_REP);
    void *client = zmq_socket (context, ZMQ_REQ);
    char endpoint[128], request[32], reply[64], expected[64];
    size_t length = sizeof endpoint;
    void *thread;
    int i;

    CHECK (zmq_bind (server, "tcp://127.0.0.1:*") == 0);
    CHECK (zmq_getsockopt (server, ZMQ_LAST_ENDPOINT, endpoint, &length) == 0);
    thread = zmq_threadstart (serve, server); /* from here on the socket is the thread's */

    CHECK (zmq_connect (client, endpoint) == 0);
    for (i = 0; i < REQUESTS; i++) {
        int received;
        sprintf (request, "hello %d", i);
        sprintf (expected, "you said hello %d", i);
        CHECK (zmq_send (client, request, strlen (request), 0) == (int) strlen (request));
        received = zmq_recv (client, reply, sizeof reply, 0);
        CHECK (received == (int) strlen (expected) && memcmp (reply, expected, received) == 0);
    }
    /* The protocol is strict: a REQ socket that has asked nothing has nothing to receive. */
    CHECK (zmq_recv (client, reply, sizeof reply, 0) == -1 && zmq_errno () == EFSM);

    zmq_threadclose (thread);
    CHECK (zmq_close (client) == 0);
    CHECK (zmq_close (server) == 0);
    CHECK (zmq_ctx_term (context) == 0);
    printf ("%d requests over %s, each answered\n", REQUESTS, endpoint);
    return 0;
}
