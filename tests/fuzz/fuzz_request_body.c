/* A request: a Content-Type, a newline, a body. */
#include "fuzz.h"

#include "introspectd/request_body.h"

/* Volatile, so that the reading of every byte is not left out. */
static volatile unsigned read_sum;

static void touch(slice_t part)
{
    for (size_t i = 0; i < part.len; i++)
        read_sum += (unsigned char)part.base[i];
}

static void parse(request_body_type_t type, const char *bytes, size_t len)
{
    char *copy = malloc(len + 1); /* parsing writes into the body */
    if (copy == NULL)
        return;
    if (len > 0)
        memcpy(copy, bytes, len);
    request_body_t body;
    if (request_body_parse(type, copy, len, &body) == NULL) {
        FUZZ_CHECK(body.token.len <= len && body.client_id.len <= len && body.client_secret.len <= len);
        FUZZ_CHECK(type == REQUEST_BODY_FORM ||
                   (body.client_id.base == NULL && body.client_secret.base == NULL));
        touch(body.token);
        touch(body.client_id);
        touch(body.client_secret);
        request_body_deinit(&body);
    }
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    const char *newline = size == 0 ? NULL : memchr(text, '\n', size);
    if (newline == NULL)
        return 0;
    size_t type_len = (size_t)(newline - text);
    request_body_type_t type = REQUEST_BODY_FORM;
    if (request_body_type_from_content_type((slice_t){text, type_len}, &type))
        parse(type, newline + 1, size - type_len - 1);
    return 0;
}
