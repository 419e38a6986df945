/*
 * status_page: the page for operators at "/" of the admin listener, in one piece, as the server's numbers of
 * the moment make it; and the headers that keep a browser from doing anything else with it.
 */
#ifndef INTROSPECTD_HTTP_STATUS_PAGE_H
#define INTROSPECTD_HTTP_STATUS_PAGE_H

#include "observed.h"

#include <h2o.h>

/* What the page's form was sent with, and what came of it. */
typedef struct status_page_form {
    const char *client_id; /* the one that is chosen; NULL: the first */
    const json_t *said;    /* what is said of a token (see the page's source); NULL: nothing */
    const char *problem;   /* why nothing is; NULL: no reason */
} status_page_form_t;

/* The headers of what a browser may get from the admin listener: no guessing of types, no use by other sites.
 */
void status_page_add_headers(h2o_req_t *req);

/* Answers with the page; 503 when memory cannot be had. */
void status_page_answer(const observed_t *observed, h2o_req_t *req, int status,
                        const status_page_form_t *form);

#endif
