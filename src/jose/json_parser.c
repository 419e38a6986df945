#include "json_parser.h"

#include "introspectd/hex.h"
#include "introspectd/utf8.h"

#include "json_memory.h"

#include <endian.h>
#include <stdlib.h>

typedef struct parser {
    const char *text;
    const char *at;
    const char *end;
    unsigned depth;
    char *unescaped; /* as long as the text; NULL until a string with an escape is met. Such a string lies in
                        it at the place that it has in the text, where it cannot be longer */
} parser_t;

static json_t *read_value(parser_t *parser);

static bool take(parser_t *parser, char c)
{
    if (parser->at == parser->end || *parser->at != c)
        return false;
    parser->at++;
    return true;
}

static void skip_space(parser_t *parser)
{
    while (parser->at < parser->end &&
           (*parser->at == ' ' || *parser->at == '\t' || *parser->at == '\n' || *parser->at == '\r'))
        parser->at++;
}

/* The four digits behind `\u`. */
static bool read_code_unit(parser_t *parser, uint32_t *out)
{
    enum { DIGITS = 4 };
    if (parser->end - parser->at < DIGITS)
        return false;
    uint32_t unit = 0;
    for (int i = 0; i < DIGITS; i++) {
        int digit = hex_value(*parser->at++);
        if (digit < 0)
            return false;
        unit = unit << 4 | (uint32_t)digit;
    }
    *out = unit;
    return true;
}

/* RFC 8259 section 7: what lies above U+FFFF is two surrogates. Neither may stand alone, nor may U+0000. */
static size_t read_unicode_escape(parser_t *parser, char out[UTF8_CHAR_MAX])
{
    uint32_t character;
    uint32_t low;
    if (!read_code_unit(parser, &character) || character == 0 || (character & 0xFC00) == 0xDC00)
        return 0;
    if ((character & 0xFC00) == 0xD800) {
        if (!take(parser, '\\') || !take(parser, 'u') || !read_code_unit(parser, &low) ||
            (low & 0xFC00) != 0xDC00)
            return 0;
        character = 0x10000 + ((character & 0x3FF) << 10 | (low & 0x3FF));
    }
    return utf8_encode(character, out);
}

/* The bytes that an escape, whose backslash is read, writes to out; 0 when it is none. */
static size_t read_escape(parser_t *parser, char out[UTF8_CHAR_MAX])
{
    static const char NAMES[] = "\"\\/bfnrt";
    static const char MEANINGS[] = "\"\\/\b\f\n\r\t";
    if (take(parser, 'u'))
        return read_unicode_escape(parser, out);
    if (parser->at == parser->end)
        return 0;
    const char *name = memchr(NAMES, *parser->at++, sizeof(NAMES) - 1);
    if (name == NULL)
        return 0;
    *out = MEANINGS[name - NAMES];
    return 1;
}

static bool is_plain(char c)
{
    return (unsigned char)c >= 0x20 && (unsigned char)c < 0x80 && c != '"' && c != '\\';
}

enum { WORD = sizeof(uint64_t) };

/*
 * How many of the WORD bytes at `at` are plain before one that is not. A subtraction from a byte borrows, and
 * so sets its high bit, where the byte is smaller than what is taken from it; what follows the first such
 * byte, or the first with a high bit of its own, does not matter.
 */
static size_t count_plain(const char *at)
{
    const uint64_t each = 0x0101010101010101;
    uint64_t word;
    memcpy(&word, at, WORD);
    word = le64toh(word);
    uint64_t quotes = word ^ each * '"';
    uint64_t backslashes = word ^ each * '\\';
    uint64_t marks = (word | (word - each * 0x20) | (quotes - each) | (backslashes - each)) & each * 0x80;
    return marks == 0 ? WORD : (size_t)__builtin_ctzll(marks) / 8;
}

/* Moves to the quote or the backslash that ends a run of characters that stand for themselves. */
static bool skip_literal(parser_t *parser)
{
    for (const char *at = parser->at;;) {
        for (size_t run = WORD; run == WORD && parser->end - at >= WORD; at += run)
            run = count_plain(at);
        while (at < parser->end && is_plain(*at))
            at++;
        if (at == parser->end || (unsigned char)*at < 0x20)
            return false;
        if (*at == '"' || *at == '\\') {
            parser->at = at;
            return true;
        }
        size_t len = utf8_valid_char_len((slice_t){at, (size_t)(parser->end - at)});
        if (len == 0)
            return false;
        at += len;
    }
}

static char *place_of_unescaped(parser_t *parser, const char *start)
{
    if (parser->unescaped == NULL)
        parser->unescaped = malloc((size_t)(parser->end - parser->text));
    if (parser->unescaped == NULL) {
        json_memory_ran_out = true;
        return NULL;
    }
    return parser->unescaped + (start - parser->text);
}

/* The string that begins at start, where the parser stands at its first escape. */
static bool read_escaped_string(parser_t *parser, const char *start, slice_t *out)
{
    char *base = place_of_unescaped(parser, start);
    if (base == NULL)
        return false;
    size_t len = 0;
    const char *literal = start;
    do {
        size_t literal_len = (size_t)(parser->at - literal);
        memcpy(base + len, literal, literal_len);
        len += literal_len;
        if (take(parser, '"')) {
            *out = (slice_t){base, len};
            return true;
        }
        parser->at++;
        size_t escape_len = read_escape(parser, base + len);
        if (escape_len == 0)
            return false;
        len += escape_len;
        literal = parser->at;
    } while (skip_literal(parser));
    return false;
}

/* The string whose opening quote is read. It lives as long as the text and the parser. */
static bool read_string(parser_t *parser, slice_t *out)
{
    const char *start = parser->at;
    if (!skip_literal(parser))
        return false;
    if (*parser->at != '"')
        return read_escaped_string(parser, start, out);
    *out = (slice_t){start, (size_t)(parser->at - start)};
    parser->at++;
    return true;
}

static bool is_digit(const parser_t *parser)
{
    return parser->at < parser->end && *parser->at >= '0' && *parser->at <= '9';
}

static bool skip_digits(parser_t *parser)
{
    const char *start = parser->at;
    while (is_digit(parser))
        parser->at++;
    return parser->at > start;
}

/* NULL when it does not fit into 64 bits. */
static json_t *integer_of(slice_t digits, bool is_negative)
{
    const uint64_t limit = (uint64_t)INT64_MAX + (is_negative ? 1 : 0);
    uint64_t value = 0;
    for (size_t i = 0; i < digits.len; i++) {
        uint64_t digit = (uint64_t)(digits.base[i] - '0');
        if (value > (limit - digit) / 10)
            return NULL;
        value = value * 10 + digit;
    }
    /* The most negative number has no positive counterpart. */
    json_int_t integer = is_negative && value > 0 ? -(json_int_t)(value - 1) - 1 : (json_int_t)value;
    return json_integer(integer);
}

static bool skip_exponent(parser_t *parser)
{
    if (!take(parser, '+'))
        (void)take(parser, '-');
    return skip_digits(parser);
}

static json_t *read_number(parser_t *parser)
{
    const char *start = parser->at;
    bool is_negative = take(parser, '-');
    const char *digits = parser->at;
    if (!take(parser, '0') && !skip_digits(parser))
        return NULL;
    const slice_t whole = {digits, (size_t)(parser->at - digits)};
    bool has_fraction = take(parser, '.');
    if (has_fraction && !skip_digits(parser))
        return NULL;
    bool has_exponent = take(parser, 'e') || take(parser, 'E');
    if (has_exponent && !skip_exponent(parser))
        return NULL;
    if (!has_fraction && !has_exponent)
        return integer_of(whole, is_negative);
    /* The byte behind it, which no number could go on with, ends it for strtod too. */
    if (parser->at == parser->end)
        return NULL;
    /* There is no value for one that is too large. */
    return json_real(strtod(start, NULL));
}

static json_t *read_word(parser_t *parser, const char *word, json_t *value)
{
    size_t len = strlen(word);
    if ((size_t)(parser->end - parser->at) < len || memcmp(parser->at, word, len) != 0)
        return NULL;
    parser->at += len;
    return value;
}

/* Whether there is a member, of a name that was not there. */
static bool read_member(parser_t *parser, json_t *object)
{
    slice_t name;
    if (!take(parser, '"') || !read_string(parser, &name))
        return false;
    skip_space(parser);
    if (!take(parser, ':'))
        return false;
    json_t *value = read_value(parser);
    if (value == NULL)
        return false;
    size_t before = json_object_size(object);
    /* One of that name would be replaced. */
    return json_object_setn_new_nocheck(object, name.base, name.len, value) == 0 &&
           json_object_size(object) > before;
}

static bool read_element(parser_t *parser, json_t *array)
{
    json_t *value = read_value(parser);
    return value != NULL && json_array_append_new(array, value) == 0;
}

/* Reads what stands between the brackets, of which the opening one is read, into container. */
static bool read_list(parser_t *parser, json_t *container, char close,
                      bool (*read_one)(parser_t *parser, json_t *container))
{
    skip_space(parser);
    if (take(parser, close))
        return true;
    do {
        skip_space(parser);
        if (!read_one(parser, container))
            return false;
        skip_space(parser);
    } while (take(parser, ','));
    return take(parser, close);
}

static json_t *read_container(parser_t *parser, json_t *take_container, char close,
                              bool (*read_one)(parser_t *parser, json_t *container))
{
    if (take_container == NULL)
        return NULL;
    if (parser->depth == JSON_MAX_DEPTH) {
        json_decref(take_container);
        return NULL;
    }
    parser->depth++;
    bool is_read = read_list(parser, take_container, close, read_one);
    parser->depth--;
    if (is_read)
        return take_container;
    json_decref(take_container);
    return NULL;
}

static json_t *read_object(parser_t *parser)
{
    return read_container(parser, json_object(), '}', read_member);
}

static json_t *read_value(parser_t *parser)
{
    slice_t string;
    skip_space(parser);
    if (take(parser, '"'))
        return read_string(parser, &string) ? json_stringn_nocheck(string.base, string.len) : NULL;
    if (take(parser, '{'))
        return read_object(parser);
    if (take(parser, '['))
        return read_container(parser, json_array(), ']', read_element);
    if (parser->at == parser->end)
        return NULL;
    switch (*parser->at) {
    case 't':
        return read_word(parser, "true", json_true());
    case 'f':
        return read_word(parser, "false", json_false());
    case 'n':
        return read_word(parser, "null", json_null());
    default:
        return read_number(parser);
    }
}

json_t *json_parser_read(slice_t text)
{
    parser_t parser = {.text = text.base, .at = text.base, .end = text.base + text.len};
    skip_space(&parser);
    json_t *object = take(&parser, '{') ? read_object(&parser) : NULL;
    skip_space(&parser);
    if (parser.unescaped != NULL)
        explicit_bzero(parser.unescaped, text.len);
    free(parser.unescaped);
    if (object != NULL && parser.at != parser.end) {
        json_decref(object);
        return NULL;
    }
    return object;
}
