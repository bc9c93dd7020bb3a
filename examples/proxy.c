/* A proxy: clients know one endpoint, workers another, and zmq_proxy passes requests and replies between them.
   Shutting the context down ends it. */

#include "check.h"

enum { WORKERS = 2, CLIENTS = 3, REQUESTS = 20 };

struct party
{
    void *front, *back; /* a client has the one, a worker the other, the proxy both */
    void *thread;
    int first;
};

static void pass_on (void *argument)
{
    struct party *proxy = argument;
    CHECK (zmq_proxy (proxy->front, proxy->back, NULL) == -1 && zmq_errno () == ETERM);
    CHECK (zmq_close (proxy->front) == 0);
    CHECK (zmq_close (proxy->back) == 0);
}

static void work (void *argument)
{
    struct party *worker = argument;
    int number;
    while (zmq_recv (worker->back, &number, sizeof number, 0) == (int) sizeof number) {
        number *= 2;
        CHECK (zmq_send (worker->back, &number, sizeof number, 0) == (int) sizeof number);
    }
    CHECK (zmq_errno () == ETERM);
    CHECK (zmq_close (worker->back) == 0);
}

static void ask (void *argument)
{
    struct party *client = argument;
    int number, reply;
    for (number = client->first; number < client->first + REQUESTS; number++) {
        CHECK (zmq_send (client->front, &number, sizeof number, 0) == (int) sizeof number);
        CHECK (zmq_recv (client->front, &reply, sizeof reply, 0) == (int) sizeof reply);
        CHECK (reply == 2 * number);
    }
    CHECK (zmq_close (client->front) == 0);
}

int main (void)
{
    void *context = zmq_ctx_new ();
    struct party proxy, workers[WORKERS], clients[CLIENTS];
    int i;

    proxy.front = zmq_socket (context, ZMQ_ROUTER);
    proxy.back = zmq_socket (context, ZMQ_DEALER);
    CHECK (zmq_bind (proxy.front, "inproc://front") == 0);
    CHECK (zmq_bind (proxy.back, "inproc://back") == 0);
    proxy.thread = zmq_threadstart (pass_on, &proxy); /* the sockets are the thread's now */

    for (i = 0; i < WORKERS; i++) {
        workers[i].back = zmq_socket (context, ZMQ_REP);
        CHECK (zmq_connect (workers[i].back, "inproc://back") == 0);
        workers[i].thread = zmq_threadstart (work, &workers[i]);
    }
    for (i = 0; i < CLIENTS; i++) {
        clients[i].front = zmq_socket (context, ZMQ_REQ);
        clients[i].first = 1000 * i;
        CHECK (zmq_connect (clients[i].front, "inproc://front") == 0);
        clients[i].thread = zmq_threadstart (ask, &clients[i]);
    }

    for (i = 0; i < CLIENTS; i++)
        zmq_threadclose (clients[i].thread);
    CHECK (zmq_ctx_shutdown (context) == 0); /* whoever waits gets ETERM */
    for (i = 0; i < WORKERS; i++)
        zmq_threadclose (workers[i].thread);
    zmq_threadclose (proxy.thread);
    CHECK (zmq_ctx_term (context) == 0);
    printf ("%d clients, %d workers, %d requests through the proxy\n", CLIENTS, WORKERS, CLIENTS * REQUESTS);
    return 0;
}
