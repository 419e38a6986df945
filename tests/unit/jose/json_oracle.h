/* json_oracle: json_parse_object held against jansson's own parser. */
#ifndef INTROSPECTD_TESTS_JSON_ORACLE_H
#define INTROSPECTD_TESTS_JSON_ORACLE_H

#include "introspectd/json.h"

#include <stdlib.h>

/* Whether brackets outside strings nest deeper than JSON_MAX_DEPTH, up to the first mistake at least. */
static inline bool oracle_is_deep(slice_t text)
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
                return true;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return false;
}

/* What json_parse_object must give, by jansson; NULL when it must refuse. */
static inline json_t *oracle_parse(slice_t text)
{
    /* jansson skips a NUL behind a number or a word, and knows no such depth. */
    if (memchr(text.base, '\0', text.len) != NULL || oracle_is_deep(text))
        return NULL;
    json_t *value = json_loadb(text.base, text.len, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(value))
        return value;
    json_decref(value);
    return NULL;
}

/* The same bytes too: the members' order, integers and reals, zeros' signs. */
static inline bool oracle_is_same(const json_t *a, const json_t *b)
{
    char *a_text = json_dumps(a, JSON_COMPACT);
    char *b_text = json_dumps(b, JSON_COMPACT);
    bool is_same = a_text != NULL && b_text != NULL && strcmp(a_text, b_text) == 0 && json_equal(a, b);
    free(a_text);
    free(b_text);
    return is_same;
}

/* Whether both judge text alike. *is_accepted is what json_parse_object does. text.base is not NULL. */
static inline bool oracle_agrees(slice_t text, bool *is_accepted)
{
    json_t *expected = oracle_parse(text);
    json_t *value = json_parse_object(text);
    *is_accepted = value != NULL;
    bool agrees = value == NULL || expected == NULL ? value == expected : oracle_is_same(value, expected);
    json_decref(expected);
    json_decref(value);
    return agrees;
}

#endif
