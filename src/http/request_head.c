#include "request_head.h"

#include "connection.h"
#include "raw_head.h"
#include "refusals.h"

static const reply_error_t NOT_FOUND = {404, "invalid_request", "nothing is served at this path"};
static const reply_error_t METHOD_NOT_ALLOWED = {405, "invalid_request", "the method must be POST"};
static const reply_error_t TOO_LARGE = {413, "invalid_request", "the body is too large"};
static const reply_error_t ENCODED = {415, "invalid_request", "the body must not have a content encoding"};
static const reply_error_t WRONG_TYPE = {
    415, "invalid_request", "the content type must be application/x-www-form-urlencoded or application/json"};
static const reply_error_t HEADERS_TOO_LARGE = {431, "invalid_request",
                                                "the headers are too many or too large"};
static const reply_error_t NO_HOST = {400, "invalid_request", "the header Host is missing"};

typedef struct found {
    slice_t authorization;
    slice_t content_type;
    slice_t content_encoding;
    size_t bytes; /* of all headers' names and values */
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

/* NULL, or what makes the headers ambiguous. */
static const char *walk_headers(const h2o_req_t *req, found_t *found)
{
    for (size_t i = 0; i < req->headers.size; i++) {
        const h2o_header_t *header = &req->headers.entries[i];
        bool is_first = true;
        found->bytes += header->name->len + header->value.len;
        if (header->name->len == 0)
            return "a header is folded over several lines"; /* how the library shows obs-fold (RFC 9112
                                                               section 5.2) */
        if (header->name == &H2O_TOKEN_AUTHORIZATION->buf)
            is_first = take_once(&found->authorization, header);
        else if (header->name == &H2O_TOKEN_CONTENT_TYPE->buf)
            is_first = take_once(&found->content_type, header);
        else if (header->name == &H2O_TOKEN_CONTENT_ENCODING->buf)
            is_first = take_once(&found->content_encoding, header);
        if (!is_first)
            return "a header that may stand once only is repeated";
    }
    return NULL;
}

static bool is_endpoint(h2o_iovec_t path, const config_t *config)
{
    return h2o_memis(path.base, path.len, config->path, strlen(config->path));
}

/* RFC 9112 section 3.2.2: a target in absolute form must be served too. The library takes it for a path. */
static bool is_absolute_form_of_endpoint(const h2o_req_t *req, const config_t *config)
{
    h2o_url_t url;
    if (h2o_url_parse(req->path.base, req->path.len, &url) != 0)
        return false;
    const char *query = memchr(url.path.base, '?', url.path.len);
    if (query != NULL)
        url.path.len = (size_t)(query - url.path.base);
    return is_endpoint(url.path, config);
}

/* RFC 9112 section 3.2. The library then puts the name of its own host in. */
static bool lacks_host(const h2o_req_t *req)
{
    return req->version == 0x101 && req->authority.base == req->hostconf->authority.hostport.base;
}

/* The library works on the bytes where they arrived, so that an HTTP/1 request's head still lies there. */
static const char *raw_problem(h2o_req_t *req)
{
    if (req->version >= 0x200)
        return NULL;
    const h2o_buffer_t *input = req->conn->callbacks->get_socket(req->conn)->input;
    bool is_chunked;
    const char *problem = raw_head_problem((slice_t){input->bytes, input->size}, &is_chunked);
    if (is_chunked)
        req->http1_is_persistent = 0;
    return problem;
}

static const reply_error_t *check(h2o_req_t *req, const config_t *config, const found_t *found,
                                  request_head_t *out)
{
    if (req->headers.size > config->limits.max_headers || found->bytes > config->limits.max_header_bytes) {
        refusals_count(REFUSAL_HEADERS);
        return &HEADERS_TOO_LARGE;
    }
    if (lacks_host(req))
        return &NO_HOST;
    /* The library matches a path by its beginning. */
    if (!is_endpoint(req->path_normalized, config) && !is_absolute_form_of_endpoint(req, config))
        return &NOT_FOUND;
    if (!h2o_memis(req->method.base, req->method.len, H2O_STRLIT("POST")))
        return &METHOD_NOT_ALLOWED;
    if (req->entity.len > config->limits.max_body_bytes) {
        refusals_count(REFUSAL_BODY);
        /* With more behind it, the library would keep the memory of the body for what comes next. */
        req->http1_is_persistent = 0;
        return &TOO_LARGE;
    }
    if (found->content_encoding.base != NULL &&
        !h2o_lcstris(found->content_encoding.base, found->content_encoding.len, H2O_STRLIT("identity")))
        return &ENCODED;
    if (!request_body_type_from_content_type(found->content_type, &out->body_type))
        return &WRONG_TYPE;
    return NULL;
}

bool request_head_check(h2o_req_t *req, const config_t *config, request_head_t *out, reply_error_t *error)
{
    found_t found = {0};
    const char *ambiguity = raw_problem(req);
    if (ambiguity == NULL)
        ambiguity = walk_headers(req, &found);
    if (ambiguity == NULL && connection_has_trailers(req))
        ambiguity = "headers come behind the body";
    if (ambiguity != NULL) {
        connection_report_refusal(req, REFUSAL_AMBIGUOUS_REQUEST);
        req->http1_is_persistent = 0;
        *error = (reply_error_t){400, "invalid_request", ambiguity};
        return false;
    }
    const reply_error_t *refusal = check(req, config, &found, out);
    if (refusal != NULL) {
        *error = *refusal;
        return false;
    }
    out->authorization = found.authorization;
    return true;
}
