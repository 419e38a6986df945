#include "introspectd/json.h"

#include <stdio.h>

/* Counts on behind the end, so that the caller learns what the whole takes. */
typedef struct output {
    char *base;
    size_t size;
    size_t len;
} output_t;

static void write_value(output_t *out, json_t *value);

static void append(output_t *out, slice_t text)
{
    if (out->len <= out->size && text.len <= out->size - out->len)
        memcpy(out->base + out->len, text.base, text.len);
    out->len += text.len;
}

static void append_char(output_t *out, char c)
{
    append(out, (slice_t){&c, 1});
}

static bool is_escaped(char c)
{
    return (unsigned char)c < 0x20 || c == '"' || c == '\\';
}

static void write_escape(output_t *out, char c)
{
    static const char MEANINGS[] = "\"\\\b\f\n\r\t";
    static const char NAMES[] = "\"\\bfnrt";
    static const char HEX[] = "0123456789ABCDEF";
    const char *meaning = c == '\0' ? NULL : strchr(MEANINGS, c);
    if (meaning != NULL) {
        const char escape[] = {'\\', NAMES[meaning - MEANINGS]};
        append(out, (slice_t){escape, sizeof(escape)});
    } else {
        const char escape[] = {'\\', 'u', '0', '0', HEX[(unsigned char)c >> 4], HEX[c & 0xF]};
        append(out, (slice_t){escape, sizeof(escape)});
    }
}

static void write_string(output_t *out, slice_t text)
{
    const char *end = text.base + text.len;
    append_char(out, '"');
    for (const char *at = text.base;; at++) {
        const char *literal = at;
        while (at < end && !is_escaped(*at))
            at++;
        append(out, (slice_t){literal, (size_t)(at - literal)});
        if (at == end)
            break;
        write_escape(out, *at);
    }
    append_char(out, '"');
}

static void write_integer(output_t *out, json_int_t value)
{
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%" JSON_INTEGER_FORMAT, value);
    append(out, (slice_t){digits, (size_t)len});
}

/* How a real is told so that it is read as the same one, jansson knows. */
static void write_real(output_t *out, const json_t *value)
{
    char text[64];
    size_t len = json_dumpb(value, text, sizeof(text), JSON_ENCODE_ANY);
    append(out, (slice_t){text, len});
}

static void write_object(output_t *out, json_t *object)
{
    char separator = '{';
    for (void *member = json_object_iter(object); member != NULL;
         member = json_object_iter_next(object, member)) {
        append_char(out, separator);
        separator = ',';
        write_string(out, (slice_t){json_object_iter_key(member), json_object_iter_key_len(member)});
        append_char(out, ':');
        write_value(out, json_object_iter_value(member));
    }
    append(out, slice_of(separator == '{' ? "{}" : "}"));
}

static void write_array(output_t *out, json_t *array)
{
    append_char(out, '[');
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (i > 0)
            append_char(out, ',');
        write_value(out, json_array_get(array, i));
    }
    append_char(out, ']');
}

static void write_value(output_t *out, json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        write_object(out, value);
        break;
    case JSON_ARRAY:
        write_array(out, value);
        break;
    case JSON_STRING:
        write_string(out, (slice_t){json_string_value(value), json_string_length(value)});
        break;
    case JSON_INTEGER:
        write_integer(out, json_integer_value(value));
        break;
    case JSON_REAL:
        write_real(out, value);
        break;
    case JSON_TRUE:
        append(out, slice_of("true"));
        break;
    case JSON_FALSE:
        append(out, slice_of("false"));
        break;
    default:
        append(out, slice_of("null"));
        break;
    }
}

size_t json_write(json_t *value, char *out, size_t size)
{
    output_t output = {.base = out, .size = size};
    write_value(&output, value);
    return output.len;
}
