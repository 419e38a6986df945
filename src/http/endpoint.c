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
    const endpoint_shared_t *shared;
} endpoint_t;

/* A request, and what is known of it by now. */
typedef struct asked {
    h2o_req_t *req;
    int64_t came_us;        /* when its turn of the loop began */
    const client_t *client; /* NULL: nobody proved who it is */
    client_tally_t *tally;  /* of client */
} asked_t;

/* A token that the cache did not know, waiting to be verified. */
typedef struct undecided {
    miss_t super;
    const endpoint_shared_t *shared;
    introspect_worker_t *introspect; /* of the setup that the request came under */
    asked_t asked;
    request_body_t body;
    digest_t key;
} undecided_t;

static const reply_error_t NO_TOKEN = {400, "invalid_request", "the parameter token is missing"};
static const reply_error_t UNAVAILABLE = {503, "temporarily_unavailable",
                                          "no verdict can be given at present"};

/* Before the answer is sent, which may end the request. */
static void note_answer(const asked_t *asked, answer_note_t *note)
{
    tally_t *tally = worker_of(asked->req)->tally;
    note->client = asked->client;
    note->duration_us = clock_monotonic_us() - asked->came_us;
    tally_note(tally, note, asked->req->version >= 0x200);
    if (note->outcome <= OUTCOME_UNAVAILABLE)
        tally_count(&asked->tally->outcomes[note->outcome], 1);
}

static outcome_t outcome_of_error(int status)
{
    switch (status) {
    case 401:
        return OUTCOME_UNAUTHORIZED;
    case 429:
        return OUTCOME_THROTTLED;
    case 503:
        return OUTCOME_OVERLOADED;
    default:
        return OUTCOME_INVALID;
    }
}

static void send_error(h2o_req_t *req, const reply_error_t *error)
{
    if (error->status == 405)
        reply_add_header(req, H2O_TOKEN_ALLOW, "POST");
    else if (error->status == 401)
        reply_add_header(req, H2O_TOKEN_WWW_AUTHENTICATE, "Basic realm=\"introspection\", charset=\"UTF-8\"");
    else if (error->status == 503)
        reply_add_header(req, H2O_TOKEN_RETRY_AFTER, "5");
    reply_error(req, error);
}

/* Without a verdict. */
static void answer_error(const asked_t *asked, const reply_error_t *error)
{
    answer_note_t note = {.outcome = outcome_of_error(error->status), .status = error->status};
    note_answer(asked, &note);
    send_error(asked->req, error);
}

static void log_refusal(const endpoint_shared_t *shared, const asked_t *asked, slice_t token,
                        const introspect_verdict_t *verdict)
{
    uint64_t left_out;
    if (!log_gate_pass(shared->log_gate, clock_monotonic_ms(), &left_out))
        return;
    char name[DIGEST_NAME_SIZE];
    introspect_token_name(worker_of(asked->req)->setup->introspect, token, name);
    bool is_inactive = verdict->outcome == INTROSPECT_INACTIVE;
    json_t *fields = json_pack("{s:s, s:s, s:s?, s:s?, s:s, s:b}", "reason", reason_name(verdict->reason),
                               "client", asked->client->client_id, "issuer",
                               verdict->issuer == NULL ? NULL : verdict->issuer->rules.issuer, "kid",
                               verdict->kid[0] == '\0' ? NULL : verdict->kid, "token", name, "cached",
                               (int)verdict->is_from_cache);
    if (left_out > 0)
        json_object_set_new(fields, "left_out", json_integer((json_int_t)left_out));
    recent_refusals_add(shared->recent, fields);
    log_event(is_inactive ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, is_inactive ? "token_inactive" : "no_verdict",
              fields);
}

static outcome_t outcome_of_verdict(introspect_outcome_t outcome)
{
    switch (outcome) {
    case INTROSPECT_ACTIVE:
        return OUTCOME_ACTIVE;
    case INTROSPECT_INACTIVE:
        return OUTCOME_INACTIVE;
    case INTROSPECT_UNAVAILABLE:
        break;
    }
    return OUTCOME_UNAVAILABLE;
}

static int status_of_verdict(const client_t *client, introspect_outcome_t outcome)
{
    if (outcome == INTROSPECT_ACTIVE)
        return 200;
    return outcome == INTROSPECT_INACTIVE ? client->inactive_status : UNAVAILABLE.status;
}

static void note_verdict(const asked_t *asked, slice_t token, const introspect_verdict_t *verdict)
{
    answer_note_t note = {.outcome = outcome_of_verdict(verdict->outcome),
                          .status = status_of_verdict(asked->client, verdict->outcome),
                          .reason = verdict->reason,
                          .issuer = verdict->issuer,
                          .token = token,
                          .is_from_cache = verdict->is_from_cache};
    note_answer(asked, &note);
}

static void answer_verdict(const endpoint_shared_t *shared, const asked_t *asked, slice_t token,
                           const introspect_verdict_t *verdict)
{
    h2o_req_t *req = asked->req;
    const client_t *client = asked->client;
    note_verdict(asked, token, verdict);
    switch (verdict->outcome) {
    case INTROSPECT_ACTIVE:
        reply_json(req, 200, verdict->answer);
        return;
    case INTROSPECT_INACTIVE:
        log_refusal(shared, asked, token, verdict);
        /* RFC 9110 section 15.5.2: a 401 names a challenge; this one tells a dead token from a bad caller. */
        if (client->inactive_status == 401)
            reply_add_header(req, H2O_TOKEN_WWW_AUTHENTICATE, "Bearer error=\"invalid_token\"");
        reply_json(req, client->inactive_status, verdict->answer);
        return;
    case INTROSPECT_UNAVAILABLE:
        log_refusal(shared, asked, token, verdict);
        send_error(req, &UNAVAILABLE);
        return;
    }
}

static void decide(miss_t *miss)
{
    undecided_t *undecided = (undecided_t *)miss;
    introspect_verdict_t verdict;
    const client_t *client = undecided->asked.client;
    int64_t now_s = clock_now_s();
    /* Where the same token was decided meanwhile, its verdict may be there now. */
    if (!miss->is_repeated || !introspect_lookup(undecided->introspect, client, undecided->body.token, now_s,
                                                 &undecided->key, &verdict))
        introspect_decide(undecided->introspect, client, undecided->body.token, now_s, &undecided->key,
                          &verdict);
    connection_touch(miss->req);
    answer_verdict(undecided->shared, &undecided->asked, undecided->body.token, &verdict);
}

static void dispose_undecided(miss_t *miss)
{
    request_body_deinit(&((undecided_t *)miss)->body);
}

static const miss_type_t UNDECIDED = {sizeof(undecided_t), decide, dispose_undecided};

/* Takes what body holds. */
static void answer_token(const endpoint_shared_t *shared, const asked_t *asked, request_body_t *body)
{
    h2o_req_t *req = asked->req;
    worker_t *worker = worker_of(req);
    digest_t key;
    introspect_verdict_t verdict;
    if (introspect_lookup(worker->setup->introspect, asked->client, body->token, clock_now_s(), &key,
                          &verdict)) {
        answer_verdict(shared, asked, body->token, &verdict);
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
        answer_error(asked, &UNAVAILABLE);
        return;
    }
    worker->answered_in_turn--;
    worker_schedule_work(worker);
    undecided->shared = shared;
    undecided->introspect = worker->setup->introspect;
    undecided->asked = *asked;
    undecided->body = *body;
    undecided->key = key;
}

static void handle(h2o_handler_t *handler, h2o_req_t *req, int64_t came_us)
{
    const endpoint_shared_t *shared = ((endpoint_t *)handler)->shared;
    worker_t *worker = worker_of(req);
    asked_t asked = {.req = req, .came_us = came_us};
    request_head_t head;
    request_body_t body = {0};

    connection_count_request(req);
    worker->answered_in_turn++;
    reply_error_t refusal;
    if (!request_head_check(req, introspect_worker_config(worker->setup->introspect), &head, &refusal)) {
        answer_error(&asked, &refusal);
        return;
    }
    const char *problem = request_body_parse(head.body_type, req->entity.base, req->entity.len, &body);
    reply_error_t malformed = {400, "invalid_request", problem};
    const reply_error_t *error = &malformed;
    /* A caller who proves who it is by a header learns what is wrong with its body; nobody else has to be
     * told more. */
    if (problem == NULL || head.authorization.base != NULL)
        asked.client = authentication_check(shared->authentication, req, head.authorization, &body, &error);
    connection_note_caller(req, asked.client != NULL);
    /* It has served its purpose; the bytes are the request's. */
    if (body.client_secret.base != NULL)
        OPENSSL_cleanse((char *)body.client_secret.base, body.client_secret.len);
    if (asked.client != NULL)
        asked.tally = worker->setup->client_tallies[asked.client->index];
    if (asked.client != NULL && problem == NULL && body.token.base != NULL) {
        answer_token(shared, &asked, &body);
        return;
    }
    if (asked.client != NULL)
        error = problem != NULL ? &malformed : &NO_TOKEN;
    request_body_deinit(&body);
    answer_error(&asked, error);
}

static int on_request(h2o_handler_t *handler, h2o_req_t *req)
{
    worker_t *worker = worker_of(req);
    int64_t came_us = worker_turn_began_us(worker);
    if (connection_had_its_turn(req))
        deferred_push(&worker->deferred, handle, handler, req, came_us);
    else
        handle(handler, req, came_us);
    return 0;
}

void endpoint_register(h2o_pathconf_t *path, const endpoint_shared_t *shared)
{
    endpoint_t *endpoint = (endpoint_t *)h2o_create_handler(path, sizeof(*endpoint));
    endpoint->super.on_req = on_request;
    endpoint->shared = shared;
}
