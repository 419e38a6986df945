#include "status_page.h"

#include "html_template.h"
#include "reply.h"
#include "status.h"
#include "status_page_source.h"
#include "worker.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <sys/random.h>

enum { NONCE_BYTES = 16, NONCE_SIZE = 2 * NONCE_BYTES + 1 };

static const char POLICY[] =
    "default-src 'none'; script-src 'nonce-%s'; style-src 'nonce-%s'; img-src data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

static const reply_error_t OUT_OF_MEMORY = {503, "temporarily_unavailable", "out of memory"};

/* value must live as long as the request. */
static void add_header(h2o_req_t *req, const char *name, const char *value)
{
    h2o_add_header_by_str(&req->pool, &req->res.headers, name, strlen(name), 0, NULL, value, strlen(value));
}

void status_page_add_headers(h2o_req_t *req)
{
    add_header(req, "x-content-type-options", "nosniff");
    add_header(req, "cross-origin-resource-policy", "same-origin");
    /* Without any referrer a browser sends the origin "null" with a form, which tells nobody apart. */
    add_header(req, "referrer-policy", "same-origin");
}

/* A number that is used once (W3C Content Security Policy, section 2.3.1), as hex digits. */
static bool draw_nonce(char nonce[NONCE_SIZE])
{
    unsigned char bytes[NONCE_BYTES];
    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return false;
    for (size_t i = 0; i < NONCE_BYTES; i++)
        snprintf(nonce + 2 * i, 3, "%02x", bytes[i]);
    return true;
}

static json_t *options_of(const client_set_t *clients, const char *chosen_id)
{
    json_t *options = json_array();
    bool is_complete = options != NULL;
    for (size_t i = 0; is_complete && i < clients->count; i++) {
        const char *client_id = clients->clients[i].client_id;
        bool is_chosen = chosen_id != NULL && strcmp(client_id, chosen_id) == 0;
        json_t *option = json_pack("{s:s, s:s, s:b}", "client_id", client_id, "client_profile",
                                   profile_name(clients->clients[i].profile), "is_chosen", (int)is_chosen);
        is_complete = json_array_append_new(options, option) == 0;
    }
    if (is_complete)
        return options;
    json_decref(options);
    return NULL;
}

/* What the page is filled with. */
static json_t *values_of(const observed_t *observed, const introspector_t *introspector,
                         const status_page_form_t *form, const char *nonce)
{
    json_t *values = status_json(observed, introspector);
    json_t *said = json_deep_copy(form->said);
    json_t *more = json_pack("{s:s, s:o, s:o, s:s?}", "nonce", nonce, "options",
                             options_of(&introspector_config(introspector)->clients, form->client_id), "said",
                             said == NULL ? json_null() : said, "form_problem", form->problem);
    bool is_complete = values != NULL && more != NULL && json_object_update(values, more) == 0;
    json_decref(more);
    if (is_complete)
        return values;
    json_decref(values);
    return NULL;
}

/* For free(), and to be cleansed before; NULL when memory cannot be had. */
static char *write_page(const json_t *values, size_t *len)
{
    char *text = NULL;
    FILE *out = values == NULL ? NULL : open_memstream(&text, len);
    if (out == NULL)
        return NULL;
    bool is_complete = html_template_write(status_page_source(), values, out) && ferror(out) == 0;
    if (fclose(out) == 0 && is_complete)
        return text;
    free(text);
    return NULL;
}

void status_page_answer(const observed_t *observed, h2o_req_t *req, int status,
                        const status_page_form_t *form)
{
    char nonce[NONCE_SIZE];
    char *policy = h2o_mem_alloc_pool(&req->pool, sizeof(POLICY) + sizeof(nonce) * 2);
    if (!draw_nonce(nonce)) {
        reply_error(req, &OUT_OF_MEMORY);
        return;
    }
    json_t *values = values_of(observed, worker_of(req)->setup->introspector, form, nonce);
    size_t len = 0;
    char *page = write_page(values, &len);
    json_decref(values);
    if (page == NULL) {
        reply_error(req, &OUT_OF_MEMORY);
        return;
    }
    snprintf(policy, sizeof(POLICY) + sizeof(nonce) * 2, POLICY, nonce, nonce);
    add_header(req, "content-security-policy", policy);
    reply_typed(req, status, "text/html; charset=utf-8", (slice_t){page, len});
    OPENSSL_cleanse(page, len);
    free(page);
}
