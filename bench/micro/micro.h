/*
 * micro: what the parts of the core cost, each by itself.
 *
 * A group is one file: it measures and reports rows. Times are CPU time of the threads that work, so that
 * what else runs on the machine disturbs little; each is the median over the repetitions.
 */
#ifndef INTROSPECTD_BENCH_MICRO_H
#define INTROSPECTD_BENCH_MICRO_H

#include <stdbool.h>
#include <stddef.h>

enum { MICRO_MAX_SIZES = 16, MICRO_MAX_REPETITIONS = 15 };

typedef struct micro_options {
    bool is_quick;
    bool is_csv;
    unsigned repetitions; /* at least 5 */
    size_t entries[MICRO_MAX_SIZES];
    size_t entries_count;
    unsigned threads[MICRO_MAX_SIZES];
    size_t threads_count;
} micro_options_t;

typedef struct micro_row {
    const char *group;
    const char *name;
    const char *parameters;
    double ns;          /* of CPU, one operation */
    double allocations; /* one operation */
    double per_second;  /* operations, all threads together, by the wall's clock; 0: one thread, not taken */
    double ratio;       /* 0: none */
    const char *ratio_of; /* what the ratio compares */
} micro_row_t;

/* Prints the row at once. Its texts have no commas. */
void micro_report(const micro_options_t *options, const micro_row_t *row);

/* Says what is wrong on standard error and ends the program: a figure of a run that went wrong is no figure.
 */
_Noreturn void micro_fail(const char *what);

typedef void micro_group(const micro_options_t *options);

micro_group cache_get_group;
micro_group cache_put_group;
micro_group cache_pool_group;
micro_group token_group;
micro_group request_group;
micro_group answer_group;
micro_group decision_group;

#endif
