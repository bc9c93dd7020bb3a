/* A poll loop: one thread waits for several sockets and an ordinary file descriptor at once, and for a time-out. */

#define _POSIX_C_SOURCE 200112L
#include "check.h"
#include <unistd.h>

enum { MESSAGES = 10 };

int main (void)
{
    void *context = zmq_ctx_new ();
    void *jobs = zmq_socket (context, ZMQ_PULL);
    void *events = zmq_socket (context, ZMQ_SUB);
    void *job_source = zmq_socket (context, ZMQ_PUSH);
    void *event_source = zmq_socket (context, ZMQ_PUB);
    zmq_pollitem_t items[3];
    int pipe_ends[2], got_jobs = 0, got_events = 0, got_bytes = 0, i;
    char buffer[32];

    CHECK (pipe (pipe_ends) == 0);
    CHECK (zmq_setsockopt (events, ZMQ_SUBSCRIBE, "", 0) == 0);
    CHECK (zmq_bind (jobs, "inproc://jobs") == 0);
    CHECK (zmq_bind (events, "inproc://events") == 0);
    CHECK (zmq_connect (job_source, "inproc://jobs") == 0);
    CHECK (zmq_connect (event_source, "inproc://events") == 0);

    memset (items, 0, sizeof items);
    items[0].socket = jobs;
    items[1].socket = events;
    items[2].fd = pipe_ends[0]; /* no socket: a descriptor */
    for (i = 0; i < 3; i++)
        items[i].events = ZMQ_POLLIN;

    CHECK (zmq_poll (items, 3, 10) == 0); /* nothing within 10 ms */

    /* Nothing has been read from `event_source` yet, so it may not know of the subscription: asking for its events lets it look. */
    {
        int events_now;
        size_t length = sizeof events_now;
        CHECK (zmq_getsockopt (event_source, ZMQ_EVENTS, &events_now, &length) == 0);
    }
    for (i = 0; i < MESSAGES; i++) {
        CHECK (zmq_send (job_source, "job", 3, 0) == 3);
        CHECK (zmq_send (event_source, "event", 5, 0) == 5);
        CHECK (write (pipe_ends[1], "x", 1) == 1);
    }

    while (got_jobs < MESSAGES || got_events < MESSAGES || got_bytes < MESSAGES) {
        CHECK (zmq_poll (items, 3, 5000) > 0); /* 0 would be five seconds without any */
        if (items[0].revents & ZMQ_POLLIN) {
            CHECK (zmq_recv (jobs, buffer, sizeof buffer, ZMQ_DONTWAIT) == 3);
            got_jobs++;
        }
        if (items[1].revents & ZMQ_POLLIN) {
            CHECK (zmq_recv (events, buffer, sizeof buffer, ZMQ_DONTWAIT) == 5);
            got_events++;
        }
        if (items[2].revents & ZMQ_POLLIN) {
            CHECK (read (pipe_ends[0], buffer, 1) == 1);
            got_bytes++;
        }
    }
    CHECK (zmq_poll (items, 3, 0) == 0);

    close (pipe_ends[0]);
    close (pipe_ends[1]);
    CHECK (zmq_close (jobs) == 0);
    CHECK (zmq_close (events) == 0);
    CHECK (zmq_close (job_source) == 0);
    CHECK (zmq_close (event_source) == 0);
    CHECK (zmq_ctx_term (context) == 0);
    printf ("%d jobs, %d events and %d bytes, one loop\n", got_jobs, got_events, got_bytes);
    return 0;
}
