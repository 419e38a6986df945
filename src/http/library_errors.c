#include "library_errors.h"

#include "refusals.h"
#include "reply.h"
#include "worker.h"

typedef struct rewriter {
    h2o_ostream_t super;
    h2o_iovec_t body;
} rewriter_t;

/* The library's text comes in one piece, so ours can take its place whole. */
static void send_rewritten(h2o_ostream_t *self, h2o_req_t *req, h2o_iovec_t *bufs, size_t buf_count,
                           h2o_send_state_t state)
{
    rewriter_t *rewriter = (rewriter_t *)self;
    (void)bufs;
    /* An answer to HEAD has no body. */
    h2o_ostream_send_next(self, req, &rewriter->body, buf_count == 0 ? 0 : 1, state);
}

/* Nothing of ours is text/plain: what is, the library wrote. */
static bool is_library_error(const h2o_req_t *req)
{
    if (req->res.status < 400)
        return false;
    ssize_t place = h2o_find_header(&req->res.headers, H2O_TOKEN_CONTENT_TYPE, -1);
    return place != -1 &&
           h2o_memis(req->res.headers.entries[place].value.base, req->res.headers.entries[place].value.len,
                     H2O_STRLIT("text/plain; charset=utf-8"));
}

static void count(h2o_req_t *req)
{
    tally_t *tally = worker_of(req)->tally;
    /* What operators send is none of the callers' limits. */
    if (tally == NULL)
        return;
    refusals_count(req->res.status == 413 ? REFUSAL_BODY : REFUSAL_MALFORMED_REQUEST);
    tally_count(&tally->requests[TALLY_PROFILE_NONE][req->version >= 0x200][OUTCOME_INVALID], 1);
}

static void on_setup_ostream(h2o_filter_t *self, h2o_req_t *req, h2o_ostream_t **slot)
{
    (void)self;
    if (is_library_error(req)) {
        reply_error_t error = {req->res.status, "invalid_request",
                               req->res.status == 413 ? "the body is too large" : "the request is malformed"};
        slice_t body = reply_error_body(&req->pool, &error);
        count(req);
        req->res.headers = (h2o_headers_t){NULL, 0, 0};
        reply_add_header(req, H2O_TOKEN_CONTENT_TYPE, "application/json");
        reply_add_header(req, H2O_TOKEN_CACHE_CONTROL, "no-store");
        req->res.content_length = body.len;
        rewriter_t *rewriter = (rewriter_t *)h2o_add_ostream(req, sizeof(*rewriter), slot);
        rewriter->super.do_send = send_rewritten;
        rewriter->body = h2o_iovec_init(body.base, body.len);
        slot = &rewriter->super.next;
    }
    h2o_setup_next_ostream(req, slot);
}

void library_errors_register(h2o_hostconf_t *host, h2o_pathconf_t *path)
{
    h2o_create_filter(path, sizeof(h2o_filter_t))->on_setup_ostream = on_setup_ostream;
    h2o_create_filter(&host->fallback_path, sizeof(h2o_filter_t))->on_setup_ostream = on_setup_ostream;
}
