/* What the benchmark programs share: clocks, CPU time, endpoints, medians. */
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Every benchmark prints one line: the figure, and the CPU time (ns, both sides) that one message, round trip or delivery cost. */
static inline void report (double value, double cpu_ns)
{
    printf ("%.6g %.6g\n", value, cpu_ns);
}

static inline void fail (const char *what)
{
    fprintf (stderr, "%s: %s\n", what, strerror (errno));
    exit (1);
}

static inline double now (void) /* seconds */
{
    struct timespec t;
    clock_gettime (CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

/* CPU seconds that this process and, unless 0, process `peer` have used: all their threads, and the kernel on their behalf. */
static inline double cpu_seconds (pid_t peer)
{
    struct timespec t;
    clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &t);
    double sum = t.tv_sec + t.tv_nsec * 1e-9;
    clockid_t clock;
    if (peer && clock_getcpuclockid (peer, &clock) == 0 && clock_gettime (clock, &t) == 0)
        sum += t.tv_sec + t.tv_nsec * 1e-9;
    return sum;
}

/* Seconds to warm up and to measure; BENCH_SECONDS overrides the latter. */
static inline double measuring_time (void)
{
    const char *text = getenv ("BENCH_SECONDS");
    return text ? atof (text) : 0.6;
}
#define WARM_UP 0.1

/* A zeroed page that parent and child see alike. */
static inline void *shared_page (size_t size)
{
    void *page = mmap (NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        fail ("mmap");
    return page;
}

/* fork; the child dies with its parent, so a run that is cut short leaves nothing behind. */
static inline pid_t fork_peer (void)
{
    pid_t pid = fork ();
    if (pid < 0)
        fail ("fork");
    if (pid == 0)
        prctl (PR_SET_PDEATHSIG, SIGKILL);
    return pid;
}

static inline void wait_for_peer (pid_t pid)
{
    int status;
    if (waitpid (pid, &status, 0) != pid || !WIFEXITED (status) || WEXITSTATUS (status) != 0) {
        fprintf (stderr, "the peer process failed (status %#x)\n", status);
        exit (1);
    }
}

static inline int compare_floats (const void *a, const void *b)
{
    float x = *(const float *) a, y = *(const float *) b;
    return (x > y) - (x < y);
}

/* Times of single round trips, of which the median is reported: the mean of a noisy machine says little. */
struct samples
{
    float *at;
    size_t count, room;
};

static inline void add_sample (struct samples *s, double value)
{
    if (s->count == s->room) {
        s->room = s->room ? 2 * s->room : 1 << 16;
        s->at = realloc (s->at, s->room * sizeof *s->at);
        if (!s->at)
            fail ("realloc");
    }
    s->at[s->count++] = (float) value;
}

static inline double median (struct samples *s)
{
    if (s->count == 0) {
        fprintf (stderr, "nothing was measured\n");
        exit (1);
    }
    qsort (s->at, s->count, sizeof *s->at, compare_floats);
    return s->at[s->count / 2];
}

#endif
