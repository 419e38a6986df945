/*
 * key_report: the log lines about the keys of an issuer.
 *
 * Notes about single keys are collected while a set is parsed and written only if that set is taken. No body,
 * no query and no userinfo of a URL is ever logged. One thread an object.
 */
#ifndef KEYS_KEY_REPORT_H
#define KEYS_KEY_REPORT_H

#include "introspectd/keyset.h"

#include <jansson.h>
#include <stdint.h>

enum { KEY_REPORT_MAX_NOTES = 20 };

/* Zero-initialise. */
typedef struct key_report {
    json_t *notes[KEY_REPORT_MAX_NOTES]; /* the fields of one line each */
    size_t note_count;
    size_t left_out;
    const char *first_skipped; /* why the first of the keys that cannot be used was skipped; NULL: none was */
    size_t first_skipped_index;
} key_report_t;

/* The keyset_note_cb; data is the key_report_t. */
void key_report_note(void *data, const keyset_note_t *note);
void key_report_deinit(key_report_t *report);

/* The set is another one now: one line, and one for each note. url is one of url_copy_bare. */
void key_report_changed(key_report_t *report, const char *issuer, const char *url, const keyset_t *keyset);

typedef struct key_report_failure {
    const char *issuer;
    const char *url;
    const char *problem;
    unsigned failures;
    int64_t retry_in_s;
    bool has_keys;
} key_report_failure_t;

void key_report_failed(const key_report_failure_t *failure);

/* The keys are given up, stale_max_s after they were last known to be current. */
void key_report_stale(const char *issuer, const char *url, int64_t stale_max_s);

#endif
