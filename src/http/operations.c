#include "operations.h"

#include "metrics.h"
#include "reply.h"
#include "worker.h"

#include "introspectd/clock.h"

#include <stdlib.h>

typedef struct operations {
    h2o_handler_t super;
    const _Atomic bool *is_draining;
} operations_t;

static const reply_error_t NOT_FOUND = {404, "invalid_request", "nothing is served at this path"};
static const reply_error_t METHOD_NOT_ALLOWED = {405, "invalid_request", "the method must be GET or HEAD"};
static const reply_error_t OUT_OF_MEMORY = {503, "temporarily_unavailable", "out of memory"};

/* The issuers of a config that lack keys. */
typedef struct readiness {
    json_t *problems; /* NULL: out of memory */
    bool is_ready;
} readiness_t;

/* NULL when the issuer's keys are usable. */
static json_t *problem_of(const config_issuer_t *issuer)
{
    keyset_slot_status_t status;
    keyset_slot_get_status(issuer->keys, &status);
    char since[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(status.changed_s, since);
    return json_pack("{s:s, s:s, s:s?, s:s}", "issuer", issuer->rules.issuer, "problem", "no usable key",
                     "detail", status.problem[0] == '\0' ? NULL : status.problem, "since", since);
}

static readiness_t look_at_issuers(const config_t *config)
{
    readiness_t readiness = {.problems = json_array()};
    size_t ready_count = 0;
    for (size_t i = 0; i < config->issuer_count; i++) {
        const config_issuer_t *issuer = &config->issuers[i];
        if (config_issuer_has_keys(issuer)) {
            ready_count++;
        } else if (json_array_append_new(readiness.problems, problem_of(issuer)) != 0) {
            json_decref(readiness.problems);
            return (readiness_t){NULL, false};
        }
    }
    readiness.is_ready = config->is_ready_with_any ? ready_count > 0 : ready_count == config->issuer_count;
    return readiness;
}

static void answer_readyz(const operations_t *operations, h2o_req_t *req)
{
    bool is_draining = atomic_load(operations->is_draining);
    readiness_t readiness = look_at_issuers(introspector_config(worker_of(req)->setup->introspector));
    bool is_ready = readiness.is_ready && !is_draining;
    json_t *answer = readiness.problems == NULL
                         ? NULL
                         : json_pack("{s:b, s:b, s:o}", "ready", (int)is_ready, "draining", (int)is_draining,
                                     "issuers", readiness.problems);
    char *text = answer == NULL ? NULL : json_dumps(answer, JSON_COMPACT);
    if (text == NULL)
        reply_error(req, &OUT_OF_MEMORY);
    else
        reply_json(req, is_ready ? 200 : 503, slice_of(text));
    free(text);
    json_decref(answer);
}

static int on_request(h2o_handler_t *handler, h2o_req_t *req)
{
    operations_t *operations = (operations_t *)handler;
    slice_t path = {req->path_normalized.base, req->path_normalized.len};
    bool is_livez = slice_equal(path, slice_of("/livez"));
    bool is_readyz = slice_equal(path, slice_of("/readyz"));
    bool is_metrics = slice_equal(path, slice_of("/metrics"));
    if (!is_livez && !is_readyz && !is_metrics) {
        reply_error(req, &NOT_FOUND);
    } else if (!h2o_memis(req->method.base, req->method.len, H2O_STRLIT("GET")) &&
               !h2o_memis(req->method.base, req->method.len, H2O_STRLIT("HEAD"))) {
        reply_add_header(req, H2O_TOKEN_ALLOW, "GET, HEAD");
        reply_error(req, &METHOD_NOT_ALLOWED);
    } else if (is_livez) {
        reply_json(req, 200, slice_of("{\"live\":true}"));
    } else if (is_metrics) {
        reply_typed(req, 200, METRICS_CONTENT_TYPE, metrics_write(&req->pool));
    } else {
        answer_readyz(operations, req);
    }
    return 0;
}

void operations_register(h2o_pathconf_t *path, const _Atomic bool *is_draining)
{
    operations_t *operations = (operations_t *)h2o_create_handler(path, sizeof(*operations));
    operations->super.on_req = on_request;
    operations->is_draining = is_draining;
}
