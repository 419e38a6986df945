#include "reply.h"

#include <stdio.h>

static const char *reason_phrase(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 413:
        return "Content Too Large";
    case 415:
        return "Unsupported Media Type";
    case 429:
        return "Too Many Requests";
    case 431:
        return "Request Header Fields Too Large";
    case 503:
        return "Service Unavailable";
    default:
        return "Error";
    }
}

void reply_add_header(h2o_req_t *req, const h2o_token_t *name, const char *value)
{
    h2o_add_header(&req->pool, &req->res.headers, name, NULL, value, strlen(value));
}

void reply_typed(h2o_req_t *req, int status, const char *content_type, slice_t body)
{
    req->res.status = status;
    req->res.reason = reason_phrase(status);
    req->res.content_length = body.len;
    /* The library sees to requests that begin in a drain; this one may have begun before. */
    if (req->conn->ctx->shutdown_requested)
        req->http1_is_persistent = 0;
    reply_add_header(req, H2O_TOKEN_CONTENT_TYPE, content_type);
    reply_add_header(req, H2O_TOKEN_CACHE_CONTROL, "no-store");
    h2o_send_inline(req, body.base, body.len);
}

void reply_json(h2o_req_t *req, int status, slice_t body)
{
    reply_typed(req, status, "application/json", body);
}

slice_t reply_error_body(h2o_mem_pool_t *pool, const reply_error_t *error)
{
    static const char FORMAT[] = "{\"error\":\"%s\",\"error_description\":\"%s\"}";
    size_t size = sizeof(FORMAT) + strlen(error->error) + strlen(error->description);
    char *body = h2o_mem_alloc_pool(pool, size);
    int len = snprintf(body, size, FORMAT, error->error, error->description);
    return (slice_t){body, len < 0 ? 0 : (size_t)len};
}

void reply_error(h2o_req_t *req, const reply_error_t *error)
{
    reply_json(req, error->status, reply_error_body(&req->pool, error));
}
