#include "explain_form.h"

#include "reply.h"
#include "status_page.h"
#include "worker.h"

#include "introspectd/clock.h"
#include "introspectd/explanation.h"
#include "introspectd/request_body.h"

#include <openssl/crypto.h>
#include <stdlib.h>

/* A request, and what it asks for. */
typedef struct asked {
    const observed_t *observed;
    h2o_req_t *req;
    introspector_t *introspector;
    bool wants_page;
    const client_t *client; /* NULL: not known yet */
} asked_t;

static const reply_error_t WRONG_TYPE = {415, "invalid_request",
                                         "the content type must be application/x-www-form-urlencoded"};
static const reply_error_t TOO_LARGE = {413, "invalid_request", "the body is too large"};
static const reply_error_t NO_TOKEN = {400, "invalid_request", "the token is missing"};
static const reply_error_t NO_CLIENT = {400, "invalid_request", "the config has no such client"};
static const reply_error_t OUT_OF_MEMORY = {503, "temporarily_unavailable", "out of memory"};

static slice_t header_of(const h2o_req_t *req, const h2o_token_t *name)
{
    ssize_t place = h2o_find_header(&req->headers, name, -1);
    if (place == -1)
        return (slice_t){NULL, 0};
    return (slice_t){req->headers.entries[place].value.base, req->headers.entries[place].value.len};
}

static bool accepts_html(const h2o_req_t *req)
{
    slice_t accept = header_of(req, H2O_TOKEN_ACCEPT);
    return accept.base != NULL && memmem(accept.base, accept.len, "text/html", 9) != NULL;
}

static void refuse(const asked_t *asked, const reply_error_t *error)
{
    if (!asked->wants_page) {
        reply_error(asked->req, error);
        return;
    }
    status_page_form_t form = {.client_id = asked->client == NULL ? NULL : asked->client->client_id,
                               .problem = error->description};
    status_page_answer(asked->observed, asked->req, error->status, &form);
}

/* "expires", "2026-11-22T22:07:02Z", "in 4 minutes", for each of the dates that the token has. */
static json_t *dates_of(const explanation_t *explanation)
{
    static const struct {
        const char *claim;
        const char *label;
    } DATES[] = {{"iat", "Issued"}, {"nbf", "Not before"}, {"exp", "Expires"}};
    const introspect_story_t *story = &explanation->clients[explanation->headline].story;
    json_t *dates = json_array();
    for (size_t i = 0; i < sizeof(DATES) / sizeof(DATES[0]); i++) {
        int64_t time_s;
        char date[CLOCK_RFC3339_SIZE];
        char distance[EXPLANATION_DISTANCE_SIZE];
        if (!explanation_date(story->payload, DATES[i].claim, &time_s))
            continue;
        clock_format_rfc3339(time_s, date);
        explanation_distance(time_s, explanation->now_s, distance);
        json_t *row =
            json_pack("{s:s, s:s, s:s}", "label", DATES[i].label, "date", date, "distance", distance);
        if (json_array_append_new(dates, row) != 0) {
            json_decref(dates);
            return NULL;
        }
    }
    return dates;
}

/* explanation_to_json, and what the page shows beside it. NULL when memory cannot be had. */
static json_t *say(const explanation_t *explanation)
{
    const explained_client_t *headline = &explanation->clients[explanation->headline];
    json_t *said = explanation_to_json(explanation);
    json_t *answer = explanation_answer(headline);
    char *answer_text = answer == NULL ? NULL : json_dumps(answer, JSON_INDENT(2));
    json_t *more = answer_text == NULL
                       ? NULL
                       : json_pack("{s:s, s:s, s:o}", "reason_text", reason_text(headline->story.reason),
                                   "answer_text", answer_text, "dates", dates_of(explanation));
    bool is_complete = said != NULL && more != NULL && json_object_update(said, more) == 0;
    json_decref(more);
    json_decref(answer);
    free(answer_text);
    if (is_complete)
        return said;
    json_decref(said);
    return NULL;
}

static void answer_page(const asked_t *asked, const explanation_t *explanation)
{
    json_t *said = say(explanation);
    status_page_form_t form = {.client_id = asked->client->client_id, .said = said};
    if (said == NULL)
        reply_error(asked->req, &OUT_OF_MEMORY);
    else
        status_page_answer(asked->observed, asked->req, 200, &form);
    json_decref(said);
}

static void answer_json(const asked_t *asked, const explanation_t *explanation)
{
    json_t *json = explanation_to_json(explanation);
    char *text = json == NULL ? NULL : json_dumps(json, JSON_INDENT(2));
    json_decref(json);
    if (text == NULL) {
        reply_error(asked->req, &OUT_OF_MEMORY);
        return;
    }
    reply_json(asked->req, 200, slice_of(text));
    OPENSSL_cleanse(text, strlen(text));
    free(text);
}

static explanation_t *explain(const asked_t *asked, slice_t token)
{
    introspect_worker_t *worker = introspect_worker_new(asked->introspector);
    explanation_t *explanation =
        worker == NULL ? NULL : explanation_new(worker, token, asked->client, 1, clock_now_s());
    introspect_worker_free(worker);
    return explanation;
}

static const client_t *find_client(const client_set_t *clients, slice_t client_id)
{
    return client_id.base == NULL ? clients->clients : client_set_find(clients, client_id);
}

/* NULL with the *error to answer with. */
static explanation_t *explain_form(asked_t *asked, reply_error_t *error)
{
    request_body_t body;
    h2o_iovec_t bytes = asked->req->entity;
    const char *problem = request_body_parse(REQUEST_BODY_FORM, bytes.base, bytes.len, &body);
    if (problem != NULL) {
        *error = (reply_error_t){400, "invalid_request", problem};
        return NULL;
    }
    slice_t token = body.token.base == NULL ? body.token : explanation_trim(body.token);
    asked->client = find_client(&introspector_config(asked->introspector)->clients, body.client_id);
    explanation_t *explanation = NULL;
    if (asked->client == NULL) {
        *error = NO_CLIENT;
    } else if (token.len == 0) {
        *error = NO_TOKEN;
    } else {
        *error = OUT_OF_MEMORY;
        explanation = explain(asked, token);
    }
    request_body_deinit(&body);
    return explanation;
}

/* NULL with the *error to answer with. */
static explanation_t *explain_request(asked_t *asked, reply_error_t *error)
{
    h2o_req_t *req = asked->req;
    request_body_type_t type;
    slice_t content_type = header_of(req, H2O_TOKEN_CONTENT_TYPE);
    if (!request_body_type_from_content_type(content_type, &type) || type != REQUEST_BODY_FORM) {
        *error = WRONG_TYPE;
        return NULL;
    }
    if (req->entity.len > introspector_config(asked->introspector)->limits.max_body_bytes) {
        /* With more behind it, the library would keep the memory of the body for what comes next. */
        req->http1_is_persistent = 0;
        *error = TOO_LARGE;
        return NULL;
    }
    return explain_form(asked, error);
}

void explain_form_answer(const observed_t *observed, h2o_req_t *req)
{
    asked_t asked = {.observed = observed,
                     .req = req,
                     .introspector = worker_of(req)->setup->introspector,
                     .wants_page = accepts_html(req)};
    reply_error_t error;
    explanation_t *explanation = explain_request(&asked, &error);
    /* Before the answer is sent, which may end the request. */
    if (req->entity.len > 0)
        OPENSSL_cleanse(req->entity.base, req->entity.len);
    if (explanation == NULL)
        refuse(&asked, &error);
    else if (asked.wants_page)
        answer_page(&asked, explanation);
    else
        answer_json(&asked, explanation);
    explanation_free(explanation);
}
