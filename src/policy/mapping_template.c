#include "mapping_template.h"

#include "claim_text.h"
#include "introspectd/claim_path.h"
#include "introspectd/utf8.h"

#include <stdlib.h>

/* A reference and the text before it. */
typedef struct part {
    slice_t text;
    claim_path_t *reference;
} part_t;

struct mapping_template {
    char *text; /* what the slices borrow from */
    slice_t tail;
    bool is_reserved[256]; /* the bytes of the texts, and `%` */
    size_t count;
    part_t parts[];
};

static size_t count_byte(slice_t text, char byte)
{
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++)
        count += text.base[i] == byte;
    return count;
}

static const char *reserve_text(mapping_template_t *template, slice_t text)
{
    if (memchr(text.base, '}', text.len) != NULL)
        return "a `}` that no `{` opens";
    if (utf8_has_control(text))
        return "a control character";
    for (size_t i = 0; i < text.len; i++)
        template->is_reserved[(unsigned char)text.base[i]] = true;
    return NULL;
}

static const char *check_between(slice_t text)
{
    if (text.len == 0)
        return "two references with no text between them";
    if (text.base[0] == '%')
        return "a text between two references that begins with `%`";
    return NULL;
}

/* Compiles the part that begins at *rest, where an opening brace is known to follow, and moves *rest behind
 * it. */
static const char *add_part(mapping_template_t *template, slice_t *rest)
{
    const char *end = rest->base + rest->len;
    const char *open = memchr(rest->base, '{', rest->len);
    const char *close = memchr(open, '}', (size_t)(end - open));
    slice_t text = {rest->base, (size_t)(open - rest->base)};

    const char *error = template->count == 0 ? NULL : check_between(text);
    if (error == NULL)
        error = reserve_text(template, text);
    if (error != NULL)
        return error;
    if (close == NULL)
        return "a `{` that is not closed";
    slice_t name = {open + 1, (size_t)(close - open - 1)};
    if (memchr(name.base, '{', name.len) != NULL)
        return "a `{` inside a reference";

    part_t *part = &template->parts[template->count];
    part->text = text;
    part->reference = claim_path_new(name, &error);
    if (part->reference == NULL)
        return error;
    template->count++;
    *rest = (slice_t){close + 1, (size_t)(end - close - 1)};
    return NULL;
}

static const char *compile(mapping_template_t *template, slice_t text)
{
    slice_t rest = text;

    while (memchr(rest.base, '{', rest.len) != NULL) {
        const char *error = add_part(template, &rest);
        if (error != NULL)
            return error;
    }
    template->tail = rest;
    template->is_reserved['%'] = true;
    return reserve_text(template, rest);
}

mapping_template_t *mapping_template_new(slice_t text, const char **error)
{
    if (!utf8_is_valid(text)) {
        *error = "a template that is not UTF-8";
        return NULL;
    }
    mapping_template_t *template = calloc(1, sizeof(*template) + count_byte(text, '{') * sizeof(part_t));
    char *copy = malloc(text.len + 1);
    if (template == NULL || copy == NULL) {
        free(template);
        free(copy);
        *error = "out of memory";
        return NULL;
    }
    memcpy(copy, text.base, text.len);
    template->text = copy;

    const char *mistake = compile(template, (slice_t){copy, text.len});
    if (mistake != NULL) {
        *error = mistake;
        mapping_template_free(template);
        return NULL;
    }
    return template;
}

void mapping_template_free(mapping_template_t *template)
{
    if (template == NULL)
        return;
    for (size_t i = 0; i < template->count; i++)
        claim_path_free(template->parts[i].reference);
    free(template->text);
    free(template);
}

typedef struct output {
    char *base;
    size_t len;
} output_t;

static bool append(output_t *out, slice_t text)
{
    if (text.len > MAPPING_MAX_MEMBER_BYTES - out->len)
        return false;
    if (text.len != 0)
        memcpy(out->base + out->len, text.base, text.len);
    out->len += text.len;
    return true;
}

static bool append_encoded(output_t *out, slice_t text)
{
    static const char hex[] = "0123456789ABCDEF";

    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.base[i];
        const char escape[3] = {'%', hex[byte >> 4], hex[byte & 15]};
        if (!append(out, (slice_t){escape, sizeof(escape)}))
            return false;
    }
    return true;
}

/* A character goes in whole, encoded or not: half of one would not be UTF-8. */
static bool append_value(const mapping_template_t *template, output_t *out, slice_t value)
{
    for (size_t i = 0; i < value.len;) {
        slice_t character = {value.base + i, utf8_char_len((unsigned char)value.base[i])};
        bool is_reserved = false;
        for (size_t k = 0; k < character.len; k++)
            is_reserved = is_reserved || template->is_reserved[(unsigned char)character.base[k]];
        if (!(is_reserved ? append_encoded(out, character) : append(out, character)))
            return false;
        i += character.len;
    }
    return true;
}

bool mapping_template_render(const mapping_template_t *template, const json_t *payload,
                             char out[MAPPING_MAX_MEMBER_BYTES], size_t *out_len)
{
    output_t output;
    char digits[CLAIM_TEXT_DIGITS_SIZE];

    output.base = out;
    output.len = 0;
    for (size_t i = 0; i < template->count; i++) {
        const part_t *part = &template->parts[i];
        slice_t value;
        if (!claim_text_get(claim_path_get(part->reference, payload), digits, &value))
            return false;
        if (!append(&output, part->text) || !append_value(template, &output, value))
            return false;
    }
    if (!append(&output, template->tail))
        return false;
    *out_len = output.len;
    return true;
}
