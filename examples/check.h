/* CHECK (condition): ends the program with a message and a non-zero status unless the condition holds. */
#ifndef EXAMPLES_CHECK_H
#define EXAMPLES_CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#define CHECK(condition)                                                                      \
    do {                                                                                      \
        if (!(condition)) {                                                                   \
            fprintf (stderr, "%s:%d: not so: %s (%s)\n", __FILE__, __LINE__, #condition,      \
                     zmq_strerror (zmq_errno ()));                                            \
            exit (1);                                                                         \
        }                                                                                     \
    } while (0)

#endif
