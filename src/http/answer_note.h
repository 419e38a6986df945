/*
 * answer_note: what there is to tell about an answer of the introspection endpoint, for metrics and the
 * access log.
 */
#ifndef INTROSPECTD_HTTP_ANSWER_NOTE_H
#define INTROSPECTD_HTTP_ANSWER_NOTE_H

#include "introspectd/client.h"
#include "introspectd/config.h"
#include "introspectd/reason.h"

/* How a request ended. */
typedef enum outcome {
    OUTCOME_ACTIVE,
    OUTCOME_INACTIVE,
    OUTCOME_UNAVAILABLE,  /* 503: no verdict */
    OUTCOME_OVERLOADED,   /* 503: no place to wait for one */
    OUTCOME_UNAUTHORIZED, /* 401: no caller of ours */
    OUTCOME_THROTTLED,    /* 429 */
    OUTCOME_INVALID,      /* another status of 4xx */
    OUTCOME_COUNT
} outcome_t;

/* "active". Static. */
const char *outcome_name(outcome_t outcome);

/* All of it borrowed, good until the answer is sent. */
typedef struct answer_note {
    outcome_t outcome;
    int status;
    const client_t *client;        /* NULL: nobody proved who it is */
    reason_t reason;               /* REASON_NONE, unless the token is inactive or has no verdict */
    const config_issuer_t *issuer; /* NULL: no verdict, or the token names none of ours */
    slice_t token;                 /* absent without a verdict. Never to be written anywhere */
    bool is_from_cache;
    int64_t duration_us; /* see tally_histogram_t */
} answer_note_t;

#endif
