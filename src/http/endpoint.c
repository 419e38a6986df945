#include "endpoint.h"

#include "refusals.h"
#include "reply.h"
#include "request_head.h"
#include "worker.h"

#include "introspectd/clock.h"
#include "introspectd/request_body.h"

#include <openssl/crypto.h>

typedef struct endpoint {
    h2o_handler_t super;
    log_gate_t *log_gate;
    access_log_t *access_log;
    authentication_t *authentication;
} endpoint_t;

/* A token that the cache did not know, waiting to be verified. */
typedef struct undecided {
    miss_t super;
    endpoint_t *endpoint;
    introspect_worker_t *introspect; /* of the setup that the request came under */
    const client_t *client;
    request_body_t body;
    digest_t key;
    int64_t came_us;
} undecided_t;

static const reply_error_t NO_TOKEN = {400, "invalid_request", "the parameter token is missing"};
static const reply_error_t UNAVAILABLE = {503, "temporarily_unavailable",
                                          "no verdict can be given at present"};

static void answer_error(h2o_req_t *req, const reply_error_t *error)
{
    if (error->status == 405)
        reply_add_header(req, H2O_TOKEN_ALLOW, "POST");
    else if (error->status == 401)
        reply_add_header(req, H2O_TOKEN_WWW_AUTHENTICATE, "Basic realm=\"introspection\", charset=\"UTF-8\"");
    else if (error->status == 503)
        reply_add_header(req, H2O_TOKEN_RETRY_AFTER, "5");
    reply_error(req, error);
}

/* When a request came, for its line; nobody asks while the log is off. */
static int64_t time_for(endpoint_t *endpoint)
{
    return access_log_is_on(endpoint->access_log) ? clock_monotonic_us() : 0;
}

static void note_verdict(endpoint_t *endpoint, h2o_req_t *req, const client_t *client, slice_t token,
                         const introspect_verdict_t *verdict, int64_t came_us)
{
    static const outcome_t OUTCOMES[] = {[INTROSPECT_ACTIVE] = OUTCOME_ACTIVE,
                                         [INTROSPECT_INACTIVE] = OUTCOME_INACTIVE,
                                         [INTROSPECT_UNAVAILABLE] = OUTCOME_UNAVAILABLE};
    static const int NO_VERDICT = 503;
    answer_note_t note = {.outcome = OUTCOMES[verdict->outcome],
                          .status = 200,
                          .client = client,
                          .reason = verdict->reason,
                          .issuer = verdict->issuer,
                          .token = token,
                          .is_from_cache = verdict->is_from_cache,
                          .duration_us = time_for(endpoint) - came_us};
    if (verdict->outcome == INTROSPECT_INACTIVE)
        note.status = client->inactive_status;
    else if (verdict->outcome == INTROSPECT_UNAVAILABLE)
        note.status = NO_VERDICT;
    access_log_note(endpoint->access_log, req, &note);
}

static void note_error(endpoint_t *endpoint, h2o_req_t *req, const client_t *client, int status,
                       int64_t came_us)
{
    answer_note_t note = {.outcome = OUTCOME_INVALID,
                          .status = status,
                          .client = client,
                          .duration_us = time_for(endpoint) - came_us};
    if (status == 401)
        note.outcome = OUTCOME_UNAUTHORIZED;
    else if (status == 429)
        note.outcome = OUTCOME_THROTTLED;
    else if (status == 503)
        note.outcome = OUTCOME_OVERLOADED;
    access_log_note(endpoint->access_log, req, &note);
}

static void log_refusal(endpoint_t *endpoint, worker_t *worker, const client_t *client, slice_t token,
                        const introspect_verdict_t *verdict)
{
    uint64_t left_out;
    if (!log_gate_pass(endpoint->log_gate, clock_monotonic_ms(), &left_out))
        return;
    char name[DIGEST_NAME_SIZE];
    introspect_token_name(worker->setup->introspect, token, name);
    bool is_inactive = verdict->outcome == INTROSPECT_INACTIVE;
    json_t *fields = json_pack(
        "{s:s, s:s, s:s?, s:s?, s:s, s:b}", "reason", reason_name(verdict->reason), "client",
        client->client_id, "issuer", verdict->issuer == NULL ? NULL : verdict->issuer->rules.issuer, "kid",
        verdict->kid[0] == '\0' ? NULL : verdict->kid, "token", name, "cached", (int)verdict->is_from_cache);
    if (left_out > 0)
        json_object_set_new(fields, "left_out", json_integer((json_int_t)left_out));
    log_event(is_inactive ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, is_inactive ? "token_inactive" : "no_verdict",
              fields);
}

static void answer_verdict(endpoint_t *endpoint, h2o_req_t *req, const client_t *client, slice_t token,
                           const introspect_verdict_t *verdict)
{
    switch (verdict->outcome) {
    case INTROSPECT_ACTIVE:
        reply_json(req, 200, verdict->answer);
        return;
    case INTROSPECT_INACTIVE:
        log_refusal(endpoint, worker_of(req), client, token, verdict);
        /* RFC 9110 section 15.5.2: a 401 names a challenge; this one tells a dead token from a bad caller. */
        if (client->inactive_status == 401)
            reply_add_header(req, H2O_TOKEN_WWW_AUTHENTICATE, "Bearer error=\"invalid_token\"");
        reply_json(req, client->inactive_status, verdict->answer);
        return;
    case INTROSPECT_UNAVAILABLE:
        log_refusal(endpoint, worker_of(req), client, token, verdict);
        answer_error(req, &UNAVAILABLE);
        return;
    }
}

static void decide(miss_t *miss)
{
    undecided_t *undecided = (undecided_t *)miss;
    introspect_verdict_t verdict;
    int64_t now_s = clock_now_s();
    /* Where the same token was decided meanwhile, its verdict may be there now. */
    if (!miss->is_repeated || !introspect_lookup(undecided->introspect, undecided->client,
                                                 undecided->body.token, now_s, &undecided->key, &verdict))
        introspect_decide(undecided->introspect, undecided->client, undecided->body.token, now_s,
                          &undecided->key, &verdict);
    connection_touch(miss->req);
    note_verdict(undecided->endpoint, miss->req, undecided->client, undecided->body.token, &verdict,
                 undecided->came_us);
    answer_verdict(undecided->endpoint, miss->req, undecided->client, undecided->body.token, &verdict);
}

static void dispose_undecided(miss_t *miss)
{
    request_body_deinit(&((undecided_t *)miss)->body);
}

static const miss_type_t UNDECIDED = {sizeof(undecided_t), decide, dispose_undecided};

/* Takes what body holds. */
static void answer_token(endpoint_t *endpoint, h2o_req_t *req, const client_t *client, request_body_t *body,
                         int64_t came_us)
{
    worker_t *worker = worker_of(req);
    digest_t key;
    introspect_verdict_t verdict;
    if (introspect_lookup(worker->setup->introspect, client, body->token, clock_now_s(), &key, &verdict)) {
        note_verdict(endpoint, req, client, body->token, &verdict, came_us);
        answer_verdict(endpoint, req, client, body->token, &verdict);
        request_body_deinit(body);
        return;
    }
    uint64_t work;
    memcpy(&work, key.bytes, sizeof(work));
    undecided_t *undecided =
        (undecided_t *)miss_queue_push(&worker->misses, connection_miss_flow(req), req, work, &UNDECIDED);
    if (undecided == NULL) {
        request_body_deinit(body);
        connection_report_refusal(req, REFUSAL_WAITING);
        note_error(endpoint, req, client, UNAVAILABLE.status, came_us);
        answer_error(req, &UNAVAILABLE);
        return;
    }
    worker->answered_in_turn--;
    worker_schedule_work(worker);
    undecided->endpoint = endpoint;
    undecided->introspect = worker->setup->introspect;
    undecided->client = client;
    undecided->body = *body;
    undecided->key = key;
    undecided->came_us = came_us;
}

static void handle(h2o_handler_t *handler, h2o_req_t *req)
{
    endpoint_t *endpoint = (endpoint_t *)handler;
    worker_t *worker = worker_of(req);
    request_head_t head;
    request_body_t body = {0};
    const client_t *client = NULL;
    int64_t came_us = time_for(endpoint);

    connection_count_request(req);
    worker->answered_in_turn++;
    reply_error_t refusal;
    if (!request_head_check(req, introspect_worker_config(worker->setup->introspect), &head, &refusal)) {
        note_error(endpoint, req, NULL, refusal.status, came_us);
        answer_error(req, &refusal);
        return;
    }
    const char *problem = request_body_parse(head.body_type, req->entity.base, req->entity.len, &body);
    reply_error_t malformed = {400, "invalid_request", problem};
    const reply_error_t *error = &malformed;
    /* A caller who proves who it is by a header learns what is wrong with its body; nobody else has to be
     * told more. */
    if (problem == NULL || head.authorization.base != NULL)
        client = authentication_check(endpoint->authentication, req, head.authorization, &body, &error);
    connection_note_caller(req, client != NULL);
    /* It has served its purpose; the bytes are the request's. */
    if (body.client_secret.base != NULL)
        OPENSSL_cleanse((char *)body.client_secret.base, body.client_secret.len);
    if (client != NULL && problem == NULL && body.token.base != NULL) {
        answer_token(endpoint, req, client, &body, came_us);
        return;
    }
    if (client != NULL)
        error = problem != NULL ? &malformed : &NO_TOKEN;
    request_body_deinit(&body);
    note_error(endpoint, req, client, error->status, came_us);
    answer_error(req, error);
}

static int on_request(h2o_handler_t *handler, h2o_req_t *req)
{
    if (connection_had_its_turn(req))
        deferred_push(&worker_of(req)->deferred, handle, handler, req);
    else
        handle(handler, req);
    return 0;
}

void endpoint_register(h2o_pathconf_t *path, log_gate_t *log_gate, access_log_t *access_log,
                       authentication_t *authentication)
{
    endpoint_t *endpoint = (endpoint_t *)h2o_create_handler(path, sizeof(*endpoint));
    endpoint->super.on_req = on_request;
    endpoint->log_gate = log_gate;
    endpoint->access_log = access_log;
    endpoint->authentication = authentication;
}
