/*
 * metrics_writer: the grammar of Prometheus' text format, version 0.0.4. One thread an object. What the
 * stream cannot take shows in its error, which the caller looks at when all is written.
 */
#ifndef INTROSPECTD_HTTP_METRICS_WRITER_H
#define INTROSPECTD_HTTP_METRICS_WRITER_H

#include <stdint.h>
#include <stdio.h>

typedef struct metrics_writer {
    FILE *out;
    const char *family; /* that is being written */
} metrics_writer_t;

/* type: "counter", "gauge", "histogram". help: one line without a backslash. Both and name static. */
void metrics_family(metrics_writer_t *writer, const char *name, const char *type, const char *help);

typedef struct metrics_label {
    const char *name;
    const char *value; /* escaped here; UTF-8 */
} metrics_label_t;

/* One line of the family: its name, suffix ("", "_bucket"), labels up to one without a name, and the value.
 */
void metrics_sample(const metrics_writer_t *writer, const char *suffix, const metrics_label_t *labels,
                    uint64_t value);
void metrics_sample_real(const metrics_writer_t *writer, const char *suffix, const metrics_label_t *labels,
                         double value);

/* A family of one line without labels. */
void metrics_single(metrics_writer_t *writer, const char *name, const char *type, const char *help,
                    uint64_t value);
void metrics_single_real(metrics_writer_t *writer, const char *name, const char *type, const char *help,
                         double value);

/* The labels of one line. */
#define METRICS_LABELS(...) ((const metrics_label_t[]){__VA_ARGS__, {NULL, NULL}})
#define METRICS_NO_LABELS ((const metrics_label_t[]){{NULL, NULL}})

#endif
