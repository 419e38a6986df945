#include "introspectd/json.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

/* Whether an allocation of jansson's failed in this thread since it was last reset. */
static _Thread_local bool ran_out;

static void *noting_malloc(size_t size)
{
    void *block = malloc(size);
    ran_out = ran_out || block == NULL;
    return block;
}

/* The parser copies each string several times, in buffers that nobody else sees. */
static void cleansing_free(void *block)
{
    if (block != NULL)
        OPENSSL_cleanse(block, malloc_usable_size(block));
    free(block);
}

void json_init(void)
{
    json_set_alloc_funcs(noting_malloc, cleansing_free);
}

/*
 * Both this scan and the parser see the same strings up to the first syntax error, so the parser never
 * descends deeper than what is counted here. jansson's own bound (2,048) is a matter of its build.
 */
static bool is_shallow(slice_t text)
{
    size_t depth = 0;
    bool is_in_string = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.base[i];
        if (is_in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                is_in_string = false;
        } else if (c == '"') {
            is_in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > JSON_MAX_DEPTH)
                return false;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return true;
}

json_t *json_parse_object(slice_t text)
{
    ran_out = false;
    if (text.base == NULL || !is_shallow(text))
        return NULL;
    /* No JSON has such a byte, but jansson skips one behind a number or a word. */
    if (memchr(text.base, '\0', text.len) != NULL)
        return NULL;
    json_error_t error;
    json_t *json = json_loadb(text.base, text.len, JSON_REJECT_DUPLICATES, &error);
    /* Out of memory, jansson may lose characters of a string and go on. */
    if (!json_is_object(json) || ran_out) {
        json_decref(json);
        return NULL;
    }
    return json;
}

bool json_ran_out_of_memory(void)
{
    return ran_out;
}

slice_t json_get_string(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return (slice_t){json_string_value(value), json_string_length(value)};
}
