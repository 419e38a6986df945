#include "introspectd/compact.h"

#include "introspectd/base64url.h"
#include "introspectd/json.h"

#include <stdlib.h>

enum { PARTS_SIGNED = 3, PARTS_ENCRYPTED = 5 };

reason_t compact_split(slice_t token, compact_t *out)
{
    if (token.base == NULL)
        return REASON_MALFORMED;
    slice_t parts[PARTS_ENCRYPTED];
    size_t count = 0;
    const char *end = token.base + token.len;
    for (const char *start = token.base;;) {
        if (count == PARTS_ENCRYPTED)
            return REASON_MALFORMED;
        const char *dot = memchr(start, '.', (size_t)(end - start));
        const char *part_end = dot == NULL ? end : dot;
        parts[count++] = (slice_t){start, (size_t)(part_end - start)};
        if (dot == NULL)
            break;
        start = dot + 1;
    }
    if (count == PARTS_ENCRYPTED)
        return REASON_ENCRYPTED;
    if (count != PARTS_SIGNED || parts[0].len == 0)
        return REASON_MALFORMED;
    for (size_t i = 0; i < PARTS_SIGNED; i++) {
        if (!base64url_is_strict(parts[i]))
            return REASON_MALFORMED;
    }
    *out = (compact_t){
        .header = parts[0],
        .payload = parts[1],
        .signature = parts[2],
        .signing_input = {token.base, parts[0].len + 1 + parts[1].len},
    };
    return REASON_NONE;
}

static reason_t parse_part(slice_t part, json_t **out)
{
    unsigned char *text = malloc(base64url_decoded_max(part.len));
    if (text == NULL)
        return REASON_INTERNAL_ERROR;
    size_t text_len = 0;
    json_t *json = NULL;
    reason_t reason = REASON_MALFORMED;
    if (base64url_decode(part, text, &text_len)) {
        json = json_parse_object((slice_t){(const char *)text, text_len});
        if (json_ran_out_of_memory())
            reason = REASON_INTERNAL_ERROR;
    }
    free(text);
    if (json == NULL)
        return reason;
    *out = json;
    return REASON_NONE;
}

static bool is_string_or_absent(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return value == NULL || json_is_string(value);
}

static reason_t check_header(const json_t *json)
{
    if (!json_is_string(json_object_get(json, "alg")) || !is_string_or_absent(json, "kid") ||
        !is_string_or_absent(json, "typ"))
        return REASON_MALFORMED;
    /* No extension is understood here, so every `crit` is refused; `b64` without `crit` would be ignored by
     * the letter of RFC 7797, but changes what was signed. */
    if (json_object_get(json, "crit") != NULL || json_object_get(json, "b64") != NULL)
        return REASON_CRITICAL_HEADER;
    return REASON_NONE;
}

reason_t compact_parse_header(const compact_t *compact, compact_header_t *out)
{
    json_t *json = NULL;
    reason_t reason = parse_part(compact->header, &json);
    if (reason != REASON_NONE)
        return reason;
    reason = check_header(json);
    if (reason != REASON_NONE) {
        json_decref(json);
        return reason;
    }
    compact_header_t header = {
        .json = json,
        .algorithm_name = json_get_string(json, "alg"),
        .kid = json_get_string(json, "kid"),
        .typ = json_get_string(json, "typ"),
    };
    header.has_algorithm = algorithm_from_name(header.algorithm_name, &header.algorithm);
    *out = header;
    return REASON_NONE;
}

void compact_header_deinit(compact_header_t *header)
{
    json_decref(header->json);
    *header = (compact_header_t){0};
}

reason_t compact_parse_payload(const compact_t *compact, json_t **out)
{
    return parse_part(compact->payload, out);
}
