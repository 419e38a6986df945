#include "introspectd/claim_path.h"

#include "introspectd/utf8.h"

#include <stdlib.h>

enum {
    MAX_TOKENS = 16,
    MAX_INDEX_DIGITS = 9 /* fits size_t everywhere, and no token that is small enough has a longer array */
};

typedef struct token {
    slice_t name;
    bool is_index; /* an array index, RFC 6901 section 4 */
    size_t index;
} token_t;

struct claim_path {
    size_t count;
    token_t tokens[MAX_TOKENS];
    char text[]; /* the tokens' names, unescaped */
};

static void read_index(token_t *token)
{
    size_t index = 0;

    if (token->name.len == 0 || token->name.len > MAX_INDEX_DIGITS)
        return;
    if (token->name.len > 1 && token->name.base[0] == '0')
        return;
    for (size_t i = 0; i < token->name.len; i++) {
        char digit = token->name.base[i];
        if (digit < '0' || digit > '9')
            return;
        index = index * 10 + (size_t)(digit - '0');
    }
    token->is_index = true;
    token->index = index;
}

/* Unescapes one reference token into out; false when a `~` has neither 0 nor 1 behind it. */
static bool unescape(slice_t escaped, char *out, size_t *out_len)
{
    size_t len = 0;

    for (size_t i = 0; i < escaped.len; i++) {
        char c = escaped.base[i];
        if (c == '~') {
            i++;
            if (i == escaped.len || (escaped.base[i] != '0' && escaped.base[i] != '1'))
                return false;
            c = escaped.base[i] == '0' ? '~' : '/';
        }
        out[len++] = c;
    }
    *out_len = len;
    return true;
}

static const char *parse_pointer(claim_path_t *path, slice_t text)
{
    const char *end = text.base + text.len;
    const char *at = text.base; /* on the `/` that opens a token */
    char *out = path->text;

    while (at < end) {
        if (path->count == MAX_TOKENS)
            return "a JSON Pointer of more than 16 parts";
        at++;
        const char *slash = memchr(at, '/', (size_t)(end - at));
        const char *stop = slash == NULL ? end : slash;
        token_t *token = &path->tokens[path->count++];
        token->name.base = out;
        if (!unescape((slice_t){at, (size_t)(stop - at)}, out, &token->name.len))
            return "in a JSON Pointer `~` must be followed by 0 or 1";
        read_index(token);
        out += token->name.len;
        at = stop;
    }
    return NULL;
}

claim_path_t *claim_path_new(slice_t text, const char **error)
{
    if (text.len == 0) {
        *error = "an empty claim name";
        return NULL;
    }
    if (!utf8_is_valid(text)) {
        *error = "a claim name that is not UTF-8";
        return NULL;
    }
    claim_path_t *path = calloc(1, sizeof(*path) + text.len);
    if (path == NULL) {
        *error = "out of memory";
        return NULL;
    }
    if (text.base[0] != '/') {
        memcpy(path->text, text.base, text.len);
        path->tokens[0].name = (slice_t){path->text, text.len};
        path->count = 1;
        return path;
    }
    const char *mistake = parse_pointer(path, text);
    if (mistake != NULL) {
        *error = mistake;
        free(path);
        return NULL;
    }
    return path;
}

void claim_path_free(claim_path_t *path)
{
    free(path);
}

json_t *claim_path_get(const claim_path_t *path, const json_t *payload)
{
    json_t *value = json_object_getn(payload, path->tokens[0].name.base, path->tokens[0].name.len);

    for (size_t i = 1; i < path->count && value != NULL; i++) {
        const token_t *token = &path->tokens[i];
        if (json_is_object(value))
            value = json_object_getn(value, token->name.base, token->name.len);
        else if (json_is_array(value) && token->is_index)
            value = json_array_get(value, token->index);
        else
            value = NULL;
    }
    return value;
}
