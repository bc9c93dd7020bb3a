/* A pipeline: a PUSH socket deals tasks out to whichever worker is there, and a PULL socket collects what they made of them. */

#include "check.h"

enum { WORKERS = 3, TASKS = 300 };

struct worker
{
    void *tasks, *results, *thread;
};

static void *new_socket (void *context, int type, const char *endpoint)
{
    void *socket = zmq_socket (context, type);
    CHECK (socket != NULL);
    CHECK (zmq_connect (socket, endpoint) == 0);
    return socket;
}

static void work (void *argument)
{
    struct worker *worker = argument;
    int number;
    while (zmq_recv (worker->tasks, &number, sizeof number, 0) == (int) sizeof number) {
        number *= number;
        CHECK (zmq_send (worker->results, &number, sizeof number, 0) == (int) sizeof number);
    }
    CHECK (zmq_errno () == ETERM); /* the context was shut down */
    CHECK (zmq_close (worker->tasks) == 0);
    CHECK (zmq_close (worker->results) == 0);
}

int main (void)
{
    void *context = zmq_ctx_new ();
    void *tasks = zmq_socket (context, ZMQ_PUSH);
    void *results = zmq_socket (context, ZMQ_PULL);
    struct worker workers[WORKERS];
    long sum = 0, expected = 0;
    int i;

    CHECK (zmq_bind (tasks, "inproc://tasks") == 0);
    CHECK (zmq_bind (results, "inproc://results") == 0);
    for (i = 0; i < WORKERS; i++) {
        workers[i].tasks = new_socket (context, ZMQ_PULL, "inproc://tasks");
        workers[i].results = new_socket (context, ZMQ_PUSH, "inproc://results");
        workers[i].thread = zmq_threadstart (work, &workers[i]);
    }

    for (i = 1; i <= TASKS; i++) {
        CHECK (zmq_send (tasks, &i, sizeof i, 0) == (int) sizeof i);
        expected += i * i;
    }
    for (i = 0; i < TASKS; i++) {
        int square;
        CHECK (zmq_recv (results, &square, sizeof square, 0) == (int) sizeof square);
        sum += square;
    }
    CHECK (sum == expected);

    CHECK (zmq_ctx_shutdown (context) == 0); /* whoever waits gets ETERM */
    for (i = 0; i < WORKERS; i++)
        zmq_threadclose (workers[i].thread);
    CHECK (zmq_close (tasks) == 0);
    CHECK (zmq_close (results) == 0);
    CHECK (zmq_ctx_term (context) == 0);
    printf ("%d tasks, %d workers, sum of the squares %ld\n", TASKS, WORKERS, sum);
    return 0;
}
