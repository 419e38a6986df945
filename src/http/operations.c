#include "operations.h"

#include "explain_form.h"
#include "metrics.h"
#include "readiness.h"
#include "reply.h"
#include "same_origin.h"
#include "status.h"
#include "status_page.h"
#include "worker.h"

#include "introspectd/server.h"

#include <openssl/crypto.h>
#include <stdlib.h>

typedef struct operations {
    h2o_handler_t super;
    const observed_t *observed;
} operations_t;

static const reply_error_t NOT_FOUND = {404, "invalid_request", "nothing is served at this path"};
static const reply_error_t MUST_GET = {405, "invalid_request", "the method must be GET or HEAD"};
static const reply_error_t MUST_POST = {405, "invalid_request", "the method must be POST"};
static const reply_error_t UNSAFE_HOST = {403, "invalid_request",
                                          "the host must be an IP address or localhost"};
static const reply_error_t OTHER_SITE = {403, "invalid_request",
                                         "the request comes from a page of another site"};
static const reply_error_t OUT_OF_MEMORY = {503, "temporarily_unavailable", "out of memory"};

/* A loop that has not begun a turn for so long is stuck: no work takes a thousandth of it. */
enum { STUCK_MS = 20000 };

static void answer_livez(const observed_t *observed, h2o_req_t *req)
{
    if (server_ms_since_turn(observed->server) < STUCK_MS)
        reply_json(req, 200, slice_of("{\"live\":true}"));
    else
        reply_json(req, 503, slice_of("{\"live\":false,\"problem\":\"an event loop does not turn\"}"));
}

static void answer_readyz(const observed_t *observed, h2o_req_t *req)
{
    const config_t *config = introspector_config(worker_of(req)->setup->introspector);
    bool is_draining = atomic_load(observed->is_draining);
    json_t *problems = readiness_problems(config);
    bool is_ready = readiness_of(config, json_array_size(problems)) && !is_draining;
    json_t *answer = problems == NULL ? NULL
                                      : json_pack("{s:b, s:b, s:o}", "ready", (int)is_ready, "draining",
                                                  (int)is_draining, "issuers", problems);
    char *text = answer == NULL ? NULL : json_dumps(answer, JSON_COMPACT);
    if (text == NULL)
        reply_error(req, &OUT_OF_MEMORY);
    else
        reply_json(req, is_ready ? 200 : 503, slice_of(text));
    free(text);
    json_decref(answer);
}

static void answer_metrics(const observed_t *observed, h2o_req_t *req)
{
    char *text = metrics_text(observed, worker_of(req)->setup->introspector);
    if (text == NULL)
        reply_error(req, &OUT_OF_MEMORY);
    else
        reply_typed(req, 200, METRICS_CONTENT_TYPE, slice_of(text));
    free(text);
}

static void answer_status_page(const observed_t *observed, h2o_req_t *req)
{
    status_page_answer(observed, req, 200, &(status_page_form_t){0});
}

static void answer_status(const observed_t *observed, h2o_req_t *req)
{
    json_t *status = status_json(observed, worker_of(req)->setup->introspector);
    char *text = status == NULL ? NULL : json_dumps(status, JSON_COMPACT);
    if (text == NULL)
        reply_error(req, &OUT_OF_MEMORY);
    else
        reply_json(req, 200, slice_of(text));
    free(text);
    json_decref(status);
}

typedef struct route {
    const char *path;
    bool is_for_people; /* used with a browser */
    bool is_posted;     /* else it is for GET and HEAD */
    void (*answer)(const observed_t *observed, h2o_req_t *req);
} route_t;

static const route_t ROUTES[] = {
    {"/livez", false, false, answer_livez},       {"/readyz", false, false, answer_readyz},
    {"/metrics", false, false, answer_metrics},   {"/", true, false, answer_status_page},
    {"/status.json", true, false, answer_status}, {"/explain", true, true, explain_form_answer},
};

/* NULL when nothing is served there. */
static const route_t *find_route(const h2o_req_t *req)
{
    slice_t path = {req->path_normalized.base, req->path_normalized.len};
    for (size_t i = 0; i < sizeof(ROUTES) / sizeof(ROUTES[0]); i++) {
        if (slice_equal(path, slice_of(ROUTES[i].path)))
            return &ROUTES[i];
    }
    return NULL;
}

static bool has_method_of(const route_t *route, const h2o_req_t *req)
{
    slice_t method = {req->method.base, req->method.len};
    if (route->is_posted)
        return slice_equal(method, slice_of("POST"));
    return slice_equal(method, slice_of("GET")) || slice_equal(method, slice_of("HEAD"));
}

/* By each of the headers that say so, should one be repeated. */
static bool sender_is_own(const h2o_req_t *req, slice_t host)
{
    static const slice_t ABSENT = {NULL, 0};
    bool is_own = true;
    for (size_t i = 0; i < req->headers.size; i++) {
        const h2o_header_t *header = &req->headers.entries[i];
        slice_t value = {header->value.base, header->value.len};
        if (h2o_memis(header->name->base, header->name->len, H2O_STRLIT("origin")))
            is_own = same_origin_sender_is_own(host, value, ABSENT) && is_own;
        else if (h2o_memis(header->name->base, header->name->len, H2O_STRLIT("sec-fetch-site")))
            is_own = same_origin_sender_is_own(host, ABSENT, value) && is_own;
    }
    return is_own;
}

/* NULL, or why a browser must not be answered. */
static const reply_error_t *check_sender(const route_t *route, const h2o_req_t *req)
{
    slice_t host = {req->authority.base, req->authority.len};
    if (!same_origin_host_is_safe(host))
        return &UNSAFE_HOST;
    return route->is_posted && !sender_is_own(req, host) ? &OTHER_SITE : NULL;
}

static void answer_route(const route_t *route, const observed_t *observed, h2o_req_t *req)
{
    const reply_error_t *refusal = NULL;
    if (route->is_for_people) {
        status_page_add_headers(req);
        refusal = check_sender(route, req);
    }
    if (refusal == NULL) {
        route->answer(observed, req);
        return;
    }
    /* What was posted may be a token. */
    if (req->entity.base != NULL)
        OPENSSL_cleanse(req->entity.base, req->entity.len);
    reply_error(req, refusal);
}

static int on_request(h2o_handler_t *handler, h2o_req_t *req)
{
    const operations_t *operations = (operations_t *)handler;
    const route_t *route = find_route(req);
    if (route == NULL) {
        reply_error(req, &NOT_FOUND);
    } else if (!has_method_of(route, req)) {
        reply_add_header(req, H2O_TOKEN_ALLOW, route->is_posted ? "POST" : "GET, HEAD");
        reply_error(req, route->is_posted ? &MUST_POST : &MUST_GET);
    } else {
        answer_route(route, operations->observed, req);
    }
    return 0;
}

void operations_register(h2o_pathconf_t *path, const observed_t *observed)
{
    operations_t *operations = (operations_t *)h2o_create_handler(path, sizeof(*operations));
    operations->super.on_req = on_request;
    operations->observed = observed;
}
