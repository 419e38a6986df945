#include "measure.h"

#include "allocations.h"

#include <stdlib.h>
#include <time.h>

static double now_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double measure_median(double *values, size_t count)
{
    qsort(values, count, sizeof(*values), compare);
    return count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static double run_ns(const measurement_t *measurement, size_t first, size_t operations)
{
    double start_ns = now_ns(CLOCK_THREAD_CPUTIME_ID);
    for (size_t i = 0; i < operations; i++)
        measurement->operation(measurement->data, first + i);
    return now_ns(CLOCK_THREAD_CPUTIME_ID) - start_ns;
}

/* How many operations make a repetition long enough for the clock, and for what an interrupt costs. */
static size_t choose_operations(const micro_options_t *options, const measurement_t *measurement)
{
    double wanted_ns = options->is_quick ? 1e7 : 5e7;
    size_t operations = 1;
    for (;; operations *= 2) {
        double ns = run_ns(measurement, 0, operations);
        if (ns > wanted_ns / 4)
            return (size_t)((double)operations * wanted_ns / ns) + 1;
    }
}

void measure(const micro_options_t *options, measurement_t *measurements, size_t count)
{
    double *ns = calloc(count * options->repetitions, sizeof(*ns));
    size_t *operations = calloc(count, sizeof(*operations));
    if (ns == NULL || operations == NULL)
        micro_fail("no memory");
    for (size_t m = 0; m < count; m++)
        operations[m] = choose_operations(options, &measurements[m]);
    for (unsigned r = 0; r < options->repetitions; r++) {
        for (size_t m = 0; m < count; m++) {
            uint64_t before = allocations_count();
            ns[m * options->repetitions + r] =
                run_ns(&measurements[m], r * operations[m], operations[m]) / (double)operations[m];
            measurements[m].allocations = (double)(allocations_count() - before) / (double)operations[m];
        }
    }
    for (size_t m = 0; m < count; m++)
        measurements[m].ns = measure_median(ns + m * options->repetitions, options->repetitions);
    free(ns);
    free(operations);
}

void measure_and_report(const micro_options_t *options, const char *group, measurement_t *measurements,
                        size_t count)
{
    measure(options, measurements, count);
    for (size_t m = 0; m < count; m++) {
        const micro_row_t row = {.group = group,
                                 .name = measurements[m].name,
                                 .parameters = measurements[m].parameters,
                                 .ns = measurements[m].ns,
                                 .allocations = measurements[m].allocations};
        micro_report(options, &row);
    }
}
