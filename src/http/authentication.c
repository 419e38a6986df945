#include "authentication.h"

#include "refusals.h"
#include "worker.h"

#include "introspectd/clock.h"

#include <stdio.h>

/* Lines about throttled attempts. */
enum { LOG_BURST = 10, LOG_PERIOD_MS = 10000 };

static const reply_error_t INVALID_CLIENT = {401, "invalid_client",
                                             "the client credentials are missing or wrong"};
static const reply_error_t TWO_METHODS = {400, "invalid_request",
                                          "client credentials are given in more than one way"};
/* The same whether the credentials were evaluated or not: a guesser does not learn which. */
static const reply_error_t THROTTLED = {429, "temporarily_unavailable",
                                        "too many authentications have failed"};

bool authentication_init(authentication_t *authentication)
{
    authentication->throttle = throttle_new();
    log_gate_init(&authentication->log_gate, LOG_BURST, LOG_PERIOD_MS);
    return authentication->throttle != NULL;
}

void authentication_deinit(authentication_t *authentication)
{
    throttle_free(authentication->throttle);
}

/* An attempt that is not remembered as proved. */
typedef struct attempt {
    h2o_req_t *req;
    introspect_worker_t *introspect;
    slice_t authorization;
    const request_body_t *body;
    /* Known once the throttle is asked. */
    const client_t *named; /* NULL: nobody of ours */
    throttle_attempt_t throttled;
} attempt_t;

static const client_t *named_by(const attempt_t *attempt)
{
    if (attempt->authorization.base != NULL)
        return introspect_named_by_basic(attempt->introspect, attempt->authorization);
    return client_set_find(&introspect_worker_config(attempt->introspect)->clients, attempt->body->client_id);
}

static void identify(attempt_t *attempt)
{
    attempt->named = named_by(attempt);
    attempt->throttled = (throttle_attempt_t){
        .peer = connection_peer(attempt->req),
        .failures_a_minute = introspect_worker_config(attempt->introspect)->limits.failed_authentications,
        .now_ms = clock_monotonic_ms(),
    };
    if (attempt->named != NULL)
        attempt->throttled.client_id = slice_of(attempt->named->client_id);
}

static const client_t *evaluate(const attempt_t *attempt)
{
    if (attempt->authorization.base != NULL)
        return introspect_authenticate_basic(attempt->introspect, attempt->authorization);
    client_credentials_t credentials = {.client_id = attempt->body->client_id,
                                        .client_secret = attempt->body->client_secret};
    return introspect_authenticate(attempt->introspect, &credentials);
}

static void log_throttled(authentication_t *authentication, const attempt_t *attempt)
{
    uint64_t left_out;
    char peer[IP_ADDRESS_TEXT_SIZE];
    if (!log_gate_pass(&authentication->log_gate, attempt->throttled.now_ms, &left_out))
        return;
    json_t *fields =
        json_pack("{s:s*, s:s}", "client", attempt->named == NULL ? NULL : attempt->named->client_id, "peer",
                  ip_address_text(attempt->throttled.peer, peer));
    if (left_out > 0)
        json_object_set_new(fields, "left_out", json_integer((json_int_t)left_out));
    log_event(LOG_LEVEL_WARN, "authentication_refused", fields);
}

/* Every answer with 429 comes by here. */
static const reply_error_t *refuse(authentication_t *authentication, const attempt_t *attempt,
                                   unsigned retry_after_s)
{
    enum { TEXT_SIZE = 16 };
    h2o_req_t *req = attempt->req;
    char *text = h2o_mem_alloc_pool(&req->pool, TEXT_SIZE);
    int len = snprintf(text, TEXT_SIZE, "%u", retry_after_s);
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_RETRY_AFTER, NULL, text, (size_t)len);
    connection_note_failed_authentication(req);
    req->http1_is_persistent = 0;
    refusals_count(REFUSAL_FAILED_AUTHENTICATIONS);
    log_throttled(authentication, attempt);
    return &THROTTLED;
}

static const client_t *try_attempt(authentication_t *authentication, attempt_t *attempt,
                                   const reply_error_t **error)
{
    unsigned retry_after_s;
    if (connection_authentication_has_failed(attempt->req)) {
        identify(attempt);
        retry_after_s = throttle_refuses(authentication->throttle, &attempt->throttled);
        if (retry_after_s > 0) {
            *error = refuse(authentication, attempt, retry_after_s);
            return NULL;
        }
    }
    const client_t *client = evaluate(attempt);
    if (client != NULL)
        return client;
    identify(attempt);
    retry_after_s = throttle_charge(authentication->throttle, &attempt->throttled);
    *error = retry_after_s > 0 ? refuse(authentication, attempt, retry_after_s) : &INVALID_CLIENT;
    return NULL;
}

const client_t *authentication_check(authentication_t *authentication, h2o_req_t *req, slice_t authorization,
                                     const request_body_t *body, const reply_error_t **error)
{
    introspect_worker_t *introspect = worker_of(req)->setup->introspect;
    if (authorization.base != NULL && body->client_secret.base != NULL) {
        *error = &TWO_METHODS;
        return NULL;
    }
    if (authorization.base == NULL && body->client_secret.base == NULL) {
        /* No guess: it costs nothing and tells nobody anything. */
        *error = &INVALID_CLIENT;
        return NULL;
    }
    if (authorization.base != NULL) {
        const client_t *client = introspect_recall_basic(introspect, authorization);
        if (client != NULL)
            return client;
    }
    attempt_t attempt = {.req = req, .introspect = introspect, .authorization = authorization, .body = body};
    return try_attempt(authentication, &attempt, error);
}
