/*
 * measure: CPU time and allocations of an operation, and the same for several threads at once.
 */
#ifndef INTROSPECTD_BENCH_MEASURE_H
#define INTROSPECTD_BENCH_MEASURE_H

#include "micro.h"

#include <stdint.h>

/* One operation; i counts up from call to call, so that it can take other data each time. */
typedef void measure_operation(void *data, size_t i);

typedef struct measurement {
    const char *name;
    const char *parameters;
    measure_operation *operation;
    void *data;
    /* Filled by measure: one operation, its call included. */
    double ns;
    double allocations;
} measurement_t;

/*
 * Measures all operations, whose repetitions take turns, so that what disturbs one disturbs all of them.
 */
void measure(const micro_options_t *options, measurement_t *measurements, size_t count);

/* Measures and reports them all. */
void measure_and_report(const micro_options_t *options, const char *group, measurement_t *measurements,
                        size_t count);

/* The median; sorts values. */
double measure_median(double *values, size_t count);

/* What one thread of a team does, from 0 on. */
typedef void team_work(void *data, unsigned thread);

typedef struct team_cost {
    double cpu_ns;        /* of all threads together */
    double wall_ns;       /* from the first one's start to the last one's end */
    uint64_t allocations; /* of all threads together */
} team_cost_t;

/* Runs work in that many threads, which begin together. */
team_cost_t measure_team(unsigned threads, team_work *work, void *data);

#endif
