#include "introspectd/request_body.h"

#include "introspectd/byte_lanes.h"
#include "introspectd/form.h"
#include "introspectd/json.h"

#include <strings.h>

#include <openssl/crypto.h>

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool request_body_type_from_content_type(slice_t content_type, request_body_type_t *out)
{
    static const struct {
        const char *name;
        request_body_type_t type;
    } TYPES[] = {{"application/x-www-form-urlencoded", REQUEST_BODY_FORM},
                 {"application/json", REQUEST_BODY_JSON}};

    const char *end = content_type.len == 0 ? NULL : memchr(content_type.base, ';', content_type.len);
    size_t len = end == NULL ? content_type.len : (size_t)(end - content_type.base);
    while (len > 0 && is_space(content_type.base[len - 1]))
        len--;
    for (size_t i = 0; i < sizeof(TYPES) / sizeof(TYPES[0]); i++) {
        if (len == strlen(TYPES[i].name) && strncasecmp(content_type.base, TYPES[i].name, len) == 0) {
            *out = TYPES[i].type;
            return true;
        }
    }
    return false;
}

/* Steps over one run of white space, then over expected if it comes next. */
static bool skip_to(const char **at, const char *end, const char *expected, size_t expected_len)
{
    while (*at < end && is_space(**at))
        ++*at;
    if ((size_t)(end - *at) < expected_len || memcmp(*at, expected, expected_len) != 0)
        return false;
    *at += expected_len;
    return true;
}

/* Whether a JSON string has an escape, or a byte that a parser must look at. */
static bool needs_decoding(slice_t text)
{
    byte_lanes_t found = {0};
    size_t i = 0;
    for (; i + sizeof(found) <= text.len; i += sizeof(found)) {
        byte_lanes_t bytes = byte_lanes_load(text.base + i);
        found |= (byte_lanes_t)((bytes == '\\') | (bytes < 0x20) | (bytes >= 0x7f));
    }
    bool is_found = byte_lanes_any(found);
    for (; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.base[i];
        is_found = is_found || byte == '\\' || byte < 0x20 || byte >= 0x7f;
    }
    return is_found;
}

/*
 * {"token":"..."} with nothing that needs decoding is what nearly every JSON caller sends; a general parser
 * would cost more than the whole answer from the cache.
 */
static bool find_only_token(const char *bytes, size_t len, slice_t *token)
{
    const char *at = bytes;
    const char *end = bytes + len;
    if (!skip_to(&at, end, "{", 1) || !skip_to(&at, end, "\"token\"", 7) || !skip_to(&at, end, ":", 1) ||
        !skip_to(&at, end, "\"", 1))
        return false;
    const char *close = memchr(at, '"', (size_t)(end - at));
    if (close == NULL)
        return false;
    slice_t found = {at, (size_t)(close - at)};
    if (needs_decoding(found))
        return false;
    at = close + 1;
    if (!skip_to(&at, end, "}", 1))
        return false;
    (void)skip_to(&at, end, "", 0);
    if (at != end)
        return false;
    *token = found;
    return true;
}

static const char *parse_json(const char *bytes, size_t len, request_body_t *out)
{
    request_body_t body = {0};
    if (!find_only_token(bytes, len, &body.token)) {
        body.json = json_parse_object((slice_t){bytes, len});
        if (body.json == NULL)
            return "the body is not one JSON object with members that are not repeated";
        const json_t *token = json_object_get(body.json, "token");
        if (token != NULL && !json_is_string(token)) {
            json_decref(body.json);
            return "the member token is not a string";
        }
        body.token = json_get_string(body.json, "token");
    }
    if (body.token.len == 0)
        body.token = (slice_t){NULL, 0};
    *out = body;
    return NULL;
}

/* Decodes len bytes at base in place. What is left behind the shorter result, perhaps of a secret, is
 * cleansed. */
static bool decode(char *base, size_t len, slice_t *out)
{
    *out = (slice_t){base, len};
    if (!form_is_encoded(*out))
        return true;
    if (!form_decode(*out, base, &out->len))
        return false;
    OPENSSL_cleanse(base + out->len, len - out->len);
    return true;
}

static slice_t *parameter_place(request_body_t *body, slice_t name)
{
    if (slice_equal(name, slice_of("token")))
        return &body->token;
    if (slice_equal(name, slice_of("client_id")))
        return &body->client_id;
    if (slice_equal(name, slice_of("client_secret")))
        return &body->client_secret;
    return NULL;
}

/* Takes one `name=value`; names holds the names before it. NULL, or what is wrong. */
static const char *take_parameter(char *base, size_t len, request_body_t *body, slice_t *names,
                                  size_t *name_count)
{
    char *equals = memchr(base, '=', len);
    size_t name_len = equals == NULL ? len : (size_t)(equals - base);
    slice_t name;
    slice_t value = {base + len, 0};
    if (!decode(base, name_len, &name) || (equals != NULL && !decode(equals + 1, len - name_len - 1, &value)))
        return "the form has a % that is not followed by two hex digits";
    for (size_t i = 0; i < *name_count; i++) {
        if (slice_equal(name, names[i]))
            return "a parameter is repeated";
    }
    if (*name_count == REQUEST_BODY_MAX_PARAMETERS)
        return "the form has too many parameters";
    names[(*name_count)++] = name;
    slice_t *place = parameter_place(body, name);
    if (place != NULL && value.len > 0)
        *place = value;
    return NULL;
}

static const char *parse_form(char *bytes, size_t len, request_body_t *out)
{
    request_body_t body = {0};
    slice_t names[REQUEST_BODY_MAX_PARAMETERS];
    size_t name_count = 0;
    char *at = bytes;
    char *end = bytes + len;
    while (at < end) {
        char *separator = memchr(at, '&', (size_t)(end - at));
        char *parameter_end = separator == NULL ? end : separator;
        if (parameter_end > at) {
            const char *problem = take_parameter(at, (size_t)(parameter_end - at), &body, names, &name_count);
            if (problem != NULL)
                return problem;
        }
        at = separator == NULL ? end : separator + 1;
    }
    *out = body;
    return NULL;
}

const char *request_body_parse(request_body_type_t type, char *bytes, size_t len, request_body_t *out)
{
    if (len == 0) {
        if (type == REQUEST_BODY_JSON)
            return "the body is empty";
        *out = (request_body_t){0};
        return NULL;
    }
    return type == REQUEST_BODY_JSON ? parse_json(bytes, len, out) : parse_form(bytes, len, out);
}

void request_body_deinit(request_body_t *body)
{
    json_decref(body->json);
    *body = (request_body_t){0};
}
