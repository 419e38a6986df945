#include "introspectd/json.h"

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
    if (text.base == NULL || !is_shallow(text))
        return NULL;
    json_error_t error;
    json_t *json = json_loadb(text.base, text.len, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(json)) {
        json_decref(json);
        return NULL;
    }
    return json;
}

slice_t json_get_string(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return (slice_t){json_string_value(value), json_string_length(value)};
}
