#include "html_template.h"

#include <inttypes.h>
#include <math.h>

/* Where names are looked up: the present item of an {{each}}, and what is around it. */
typedef struct scope {
    const struct scope *outer; /* NULL: none */
    const json_t *values;
} scope_t;

typedef struct reader {
    const char *at;
    const char *end;
    FILE *out;
} reader_t;

typedef struct mark {
    slice_t word;
    slice_t path; /* empty: none */
} mark_t;

static const char NO_NUMBER[] = "\xe2\x80\x93";

static const char *escape_of(unsigned char byte)
{
    switch (byte) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

void html_escape(slice_t text, FILE *out)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.base[i];
        const char *escape = escape_of(byte);
        bool is_white = byte == '\t' || byte == '\n' || byte == '\r';
        /* U+0080 to U+009F begin with C2 in UTF-8. */
        bool is_high_control = byte == 0xc2 && i + 1 < text.len && (unsigned char)text.base[i + 1] < 0xa0;
        if (escape != NULL)
            fputs(escape, out);
        else if ((byte < 0x20 && !is_white) || byte == 0x7f || is_high_control)
            fputs("\xef\xbf\xbd", out);
        else
            fputc(byte, out);
        i += is_high_control;
    }
}

static void write_text(const json_t *value, FILE *out)
{
    if (json_is_string(value))
        html_escape((slice_t){json_string_value(value), json_string_length(value)}, out);
    else if (json_is_integer(value))
        fprintf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
}

/* digits: a number without sign, whose part before a dot gets its commas. */
static void write_grouped(const char *digits, FILE *out)
{
    size_t whole = strcspn(digits, ".");
    for (size_t i = 0; digits[i] != '\0'; i++) {
        if (i > 0 && i < whole && (whole - i) % 3 == 0)
            fputc(',', out);
        fputc(digits[i], out);
    }
}

static void write_count(double number, FILE *out)
{
    char digits[32];
    snprintf(digits, sizeof(digits), "%.0f", number);
    write_grouped(digits, out);
}

static void write_rate(double number, FILE *out)
{
    char digits[32];
    snprintf(digits, sizeof(digits), number < 100 ? "%.1f" : "%.0f", number);
    write_grouped(digits, out);
}

static void write_bytes(double number, FILE *out)
{
    static const char *const UNITS[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;
    for (; number >= 1024 && unit < 4; unit++)
        number /= 1024;
    fprintf(out, unit == 0 ? "%.0f %s" : "%.1f %s", number, UNITS[unit]);
}

static void write_span(double number, FILE *out)
{
    uint64_t seconds = (uint64_t)number;
    if (seconds < 60)
        fprintf(out, "%" PRIu64 " s", seconds);
    else if (seconds < 3600)
        fprintf(out, "%" PRIu64 " min %" PRIu64 " s", seconds / 60, seconds % 60);
    else if (seconds < 86400)
        fprintf(out, "%" PRIu64 " h %" PRIu64 " min", seconds / 3600, seconds % 3600 / 60);
    else
        fprintf(out, "%" PRIu64 " d %" PRIu64 " h", seconds / 86400, seconds % 86400 / 3600);
}

static void write_micros(double number, FILE *out)
{
    static const char *const UNITS[] = {"\xc2\xb5s", "ms", "s"};
    size_t unit = 0;
    for (; number >= 1000 && unit < 2; unit++)
        number /= 1000;
    fprintf(out, "%.*f %s", number < 10 ? 2 : number < 100 ? 1 : 0, number, UNITS[unit]);
}

static void write_ratio(double number, FILE *out)
{
    fprintf(out, "%.1f %%", number * 100);
}

typedef void write_number_fn(double number, FILE *out);

/* Writes value as word says; false when there is no such word. */
static bool write_value(slice_t word, const json_t *value, FILE *out)
{
    static const struct {
        const char *word;
        write_number_fn *write;
    } NUMBERS[] = {{"count", write_count},   {"bytes", write_bytes}, {"span", write_span},
                   {"micros", write_micros}, {"ratio", write_ratio}, {"rate", write_rate}};
    if (slice_equal(word, slice_of("text"))) {
        write_text(value, out);
        return true;
    }
    for (size_t i = 0; i < sizeof(NUMBERS) / sizeof(NUMBERS[0]); i++) {
        if (!slice_equal(word, slice_of(NUMBERS[i].word)))
            continue;
        if (json_is_number(value) && json_number_value(value) >= 0)
            NUMBERS[i].write(json_number_value(value), out);
        else
            fputs(NO_NUMBER, out);
        return true;
    }
    return false;
}

static const json_t *find_member(const json_t *object, slice_t path)
{
    while (object != NULL && path.len > 0) {
        const char *dot = memchr(path.base, '.', path.len);
        size_t len = dot == NULL ? path.len : (size_t)(dot - path.base);
        object = json_object_getn(object, path.base, len);
        size_t used = dot == NULL ? len : len + 1;
        path = (slice_t){path.base + used, path.len - used};
    }
    return object;
}

/* NULL when it is nowhere. */
static const json_t *find(const scope_t *scope, slice_t path)
{
    for (; scope != NULL; scope = scope->outer) {
        const json_t *found = find_member(scope->values, path);
        if (found != NULL)
            return found;
    }
    return NULL;
}

static bool is_something(const json_t *value)
{
    if (json_is_number(value))
        return fpclassify(json_number_value(value)) != FP_ZERO;
    return json_is_true(value) || json_string_length(value) > 0 || json_array_size(value) > 0 ||
           json_object_size(value) > 0;
}

/* Writes, if it is shown, what is before the next mark, and takes that. False when there is none. */
static bool next_mark(reader_t *reader, bool is_shown, mark_t *mark)
{
    size_t left = (size_t)(reader->end - reader->at);
    const char *open = memmem(reader->at, left, "{{", 2);
    const char *close = open == NULL ? NULL : memmem(open, (size_t)(reader->end - open), "}}", 2);
    const char *end = close == NULL ? reader->end : open;
    if (is_shown)
        fwrite(reader->at, 1, (size_t)(end - reader->at), reader->out);
    reader->at = close == NULL ? reader->end : close + 2;
    if (close == NULL)
        return false;
    slice_t text = {open + 2, (size_t)(close - open - 2)};
    const char *space = memchr(text.base, ' ', text.len);
    size_t word_len = space == NULL ? text.len : (size_t)(space - text.base);
    mark->word = (slice_t){text.base, word_len};
    mark->path = space == NULL ? (slice_t){"", 0} : (slice_t){space + 1, text.len - word_len - 1};
    return true;
}

static bool write_block(reader_t *reader, const scope_t *scope, bool is_shown, bool is_outermost);

static bool write_each(reader_t *reader, const scope_t *scope, const json_t *items)
{
    const char *begin = reader->at;
    bool is_good = true;
    for (size_t i = 0; is_good && i < json_array_size(items); i++) {
        scope_t item = {scope, json_array_get(items, i)};
        reader->at = begin;
        is_good = write_block(reader, &item, true, false);
    }
    return is_good && (json_array_size(items) > 0 || write_block(reader, scope, false, false));
}

static bool write_block(reader_t *reader, const scope_t *scope, bool is_shown, bool is_outermost)
{
    mark_t mark;
    while (next_mark(reader, is_shown, &mark)) {
        bool is_good;
        if (slice_equal(mark.word, slice_of("end")))
            return !is_outermost;
        const json_t *value = find(scope, mark.path);
        if (slice_equal(mark.word, slice_of("each")))
            is_good = write_each(reader, scope, is_shown ? value : NULL);
        else if (slice_equal(mark.word, slice_of("if")))
            is_good = write_block(reader, scope, is_shown && is_something(value), false);
        else if (slice_equal(mark.word, slice_of("unless")))
            is_good = write_block(reader, scope, is_shown && !is_something(value), false);
        else
            is_good = !is_shown || write_value(mark.word, value, reader->out);
        if (!is_good)
            return false;
    }
    return is_outermost;
}

bool html_template_write(slice_t page, const json_t *values, FILE *out)
{
    reader_t reader = {page.base, page.base + page.len, out};
    scope_t scope = {NULL, values};
    return write_block(&reader, &scope, true, true);
}
