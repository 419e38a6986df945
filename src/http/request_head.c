#include "request_head.h"

static const reply_error_t NOT_FOUND = {404, "invalid_request", "nothing is served at this path"};
static const reply_error_t METHOD_NOT_ALLOWED = {405, "invalid_request", "the method must be POST"};
static const reply_error_t TOO_LARGE = {413, "invalid_request", "the body is too large"};
static const reply_error_t ENCODED = {415, "invalid_request", "the body must not have a content encoding"};
static const reply_error_t WRONG_TYPE = {
    415, "invalid_request", "the content type must be application/x-www-form-urlencoded or application/json"};
static const reply_error_t FOLDED = {400, "invalid_request", "a header is folded over several lines"};
static const reply_error_t REPEATED = {400, "invalid_request",
                                       "a header that may stand once only is repeated"};

typedef struct found {
    slice_t authorization;
    slice_t content_type;
    slice_t content_encoding;
} found_t;

/* False when the header is already there. */
static bool take_once(slice_t *place, const h2o_header_t *header)
{
    if (place->base != NULL)
        return false;
    size_t len = header->value.len;
    /* White space behind a value is none of it (RFC 9110 section 5.5); the library leaves it there. */
    while (len > 0 && (header->value.base[len - 1] == ' ' || header->value.base[len - 1] == '\t'))
        len--;
    *place = (slice_t){header->value.base, len};
    return true;
}

static const reply_error_t *walk_headers(const h2o_req_t *req, found_t *found)
{
    for (size_t i = 0; i < req->headers.size; i++) {
        const h2o_header_t *header = &req->headers.entries[i];
        bool is_first = true;
        if (header->name->len == 0)
            return &FOLDED; /* how the library shows obs-fold (RFC 9112 section 5.2) */
        if (header->name == &H2O_TOKEN_AUTHORIZATION->buf)
            is_first = take_once(&found->authorization, header);
        else if (header->name == &H2O_TOKEN_CONTENT_TYPE->buf)
            is_first = take_once(&found->content_type, header);
        else if (header->name == &H2O_TOKEN_CONTENT_ENCODING->buf)
            is_first = take_once(&found->content_encoding, header);
        if (!is_first)
            return &REPEATED;
    }
    return NULL;
}

const reply_error_t *request_head_check(const h2o_req_t *req, const config_t *config, request_head_t *out)
{
    found_t found = {0};
    const reply_error_t *error = walk_headers(req, &found);
    if (error != NULL)
        return error;
    /* The library matches a path by its beginning. */
    if (!h2o_memis(req->path_normalized.base, req->path_normalized.len, config->path, strlen(config->path)))
        return &NOT_FOUND;
    if (!h2o_memis(req->method.base, req->method.len, H2O_STRLIT("POST")))
        return &METHOD_NOT_ALLOWED;
    if (req->entity.len > config->limits.max_body_bytes)
        return &TOO_LARGE;
    if (found.content_encoding.base != NULL &&
        !h2o_lcstris(found.content_encoding.base, found.content_encoding.len, H2O_STRLIT("identity")))
        return &ENCODED;
    if (!request_body_type_from_content_type(found.content_type, &out->body_type))
        return &WRONG_TYPE;
    out->authorization = found.authorization;
    return NULL;
}
