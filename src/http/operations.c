#include "operations.h"

#include "metrics.h"
#include "readiness.h"
#include "reply.h"
#include "worker.h"

#include <stdlib.h>

typedef struct operations {
    h2o_handler_t super;
    const observed_t *observed;
} operations_t;

static const reply_error_t NOT_FOUND = {404, "invalid_request", "nothing is served at this path"};
static const reply_error_t METHOD_NOT_ALLOWED = {405, "invalid_request", "the method must be GET or HEAD"};
static const reply_error_t OUT_OF_MEMORY = {503, "temporarily_unavailable", "out of memory"};

static void answer_livez(const observed_t *observed, h2o_req_t *req)
{
    (void)observed;
    reply_json(req, 200, slice_of("{\"live\":true}"));
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

typedef struct route {
    const char *path;
    void (*answer)(const observed_t *observed, h2o_req_t *req);
} route_t;

static const route_t ROUTES[] = {
    {"/livez", answer_livez},
    {"/readyz", answer_readyz},
    {"/metrics", answer_metrics},
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

static int on_request(h2o_handler_t *handler, h2o_req_t *req)
{
    const operations_t *operations = (operations_t *)handler;
    const route_t *route = find_route(req);
    if (route == NULL) {
        reply_error(req, &NOT_FOUND);
    } else if (!h2o_memis(req->method.base, req->method.len, H2O_STRLIT("GET")) &&
               !h2o_memis(req->method.base, req->method.len, H2O_STRLIT("HEAD"))) {
        reply_add_header(req, H2O_TOKEN_ALLOW, "GET, HEAD");
        reply_error(req, &METHOD_NOT_ALLOWED);
    } else {
        route->answer(operations->observed, req);
    }
    return 0;
}

void operations_register(h2o_pathconf_t *path, const observed_t *observed)
{
    operations_t *operations = (operations_t *)h2o_create_handler(path, sizeof(*operations));
    operations->super.on_req = on_request;
    operations->observed = observed;
}
