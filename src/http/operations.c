#include "operations.h"

#include "reply.h"

#include <stdlib.h>

typedef struct operations {
    h2o_handler_t super;
    introspector_t *introspector;
    const _Atomic bool *is_draining;
} operations_t;

static const reply_error_t NOT_FOUND = {404, "invalid_request", "nothing is served at this path"};
static const reply_error_t METHOD_NOT_ALLOWED = {405, "invalid_request", "the method must be GET or HEAD"};
static const reply_error_t OUT_OF_MEMORY = {503, "temporarily_unavailable", "out of memory"};

/* The issuers that lack keys, as JSON objects. NULL out of memory. */
static json_t *list_problems(introspector_t *introspector)
{
    const config_t *config = introspector_config(introspector);
    json_t *problems = json_array();
    for (size_t i = 0; problems != NULL && i < config->issuer_count; i++) {
        if (introspector_has_keys(introspector, i))
            continue;
        json_t *problem =
            json_pack("{s:s, s:s}", "issuer", config->issuers[i].rules.issuer, "problem", "no usable key");
        if (json_array_append_new(problems, problem) != 0) {
            json_decref(problems);
            return NULL;
        }
    }
    return problems;
}

static void answer_readyz(operations_t *operations, h2o_req_t *req)
{
    bool is_draining = atomic_load(operations->is_draining);
    json_t *problems = list_problems(operations->introspector);
    bool is_ready = !is_draining && json_array_size(problems) == 0;
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

static int on_request(h2o_handler_t *handler, h2o_req_t *req)
{
    operations_t *operations = (operations_t *)handler;
    slice_t path = {req->path_normalized.base, req->path_normalized.len};
    bool is_livez = slice_equal(path, slice_of("/livez"));
    bool is_readyz = slice_equal(path, slice_of("/readyz"));
    if (!is_livez && !is_readyz) {
        reply_error(req, &NOT_FOUND);
    } else if (!h2o_memis(req->method.base, req->method.len, H2O_STRLIT("GET")) &&
               !h2o_memis(req->method.base, req->method.len, H2O_STRLIT("HEAD"))) {
        reply_add_header(req, H2O_TOKEN_ALLOW, "GET, HEAD");
        reply_error(req, &METHOD_NOT_ALLOWED);
    } else if (is_livez) {
        reply_json(req, 200, slice_of("{\"live\":true}"));
    } else {
        answer_readyz(operations, req);
    }
    return 0;
}

void operations_register(h2o_pathconf_t *path, introspector_t *introspector, const _Atomic bool *is_draining)
{
    operations_t *operations = (operations_t *)h2o_create_handler(path, sizeof(*operations));
    operations->super.on_req = on_request;
    operations->introspector = introspector;
    operations->is_draining = is_draining;
}
