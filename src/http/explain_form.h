/*
 * explain_form: POST /explain of the admin listener: a form with "token" and "client_id" (without it the
 * config's first client, by name), answered with what `introspectd explain --client` says: as the status page
 * where text/html is accepted by name, else as JSON.
 */
#ifndef INTROSPECTD_HTTP_EXPLAIN_FORM_H
#define INTROSPECTD_HTTP_EXPLAIN_FORM_H

#include "observed.h"

#include <h2o.h>

/*
 * One verification, on the caller's thread. Nothing is cached, counted or logged, the answer has neither the
 * token nor its signature, and the request's body is overwritten.
 */
void explain_form_answer(const observed_t *observed, h2o_req_t *req);

#endif
