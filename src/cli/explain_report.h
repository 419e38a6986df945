/* explain_report: what `explain` found out, as text for people and as JSON for machines. */
#ifndef INTROSPECTD_CLI_EXPLAIN_REPORT_H
#define INTROSPECTD_CLI_EXPLAIN_REPORT_H

#include "introspectd/introspect.h"

/* The decision for one client. */
typedef struct explanation {
    const client_t *client;
    introspect_story_t story;
} explanation_t;

typedef struct explain_report {
    const char *token_name; /* digest_name */
    int64_t now_s;
    const explanation_t *explanations;
    size_t count;
    size_t headline; /* the one that speaks for the token */
} explain_report_t;

/* The HTTP status that the client would get. */
int explain_status(const explanation_t *explanation);

/* Both print to standard output; false out of memory. */
bool explain_report_print_text(const explain_report_t *report) __attribute__((warn_unused_result));
bool explain_report_print_json(const explain_report_t *report) __attribute__((warn_unused_result));

#endif
