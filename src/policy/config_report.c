#include "config_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* No path is longer: the schema is not deeper. */
enum { MAX_PATH_NODES = 8 };

typedef struct line {
    char text[CONFIG_ERROR_SIZE];
    size_t len;
} line_t;

static void append_v(line_t *line, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

static void append_v(line_t *line, const char *format, va_list arguments)
{
    size_t room = sizeof(line->text) - line->len;
    int len = vsnprintf(line->text + line->len, room, format, arguments);
    if (len > 0)
        line->len += (size_t)len < room ? (size_t)len : room - 1;
}

__attribute__((format(printf, 2, 3))) static void append(line_t *line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    append_v(line, format, arguments);
    va_end(arguments);
}

/* The length of text when it is cut to at most len bytes without splitting a character. */
static size_t cut(const char *text, size_t len)
{
    while (len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80)
        len--;
    return len;
}

static bool is_control(unsigned char byte)
{
    return byte < 0x20 || byte == 0x7F;
}

bool config_is_printable(slice_t text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.base[i];
        if (is_control(byte))
            return false;
        if (byte == 0xC2 && i + 1 < text.len && (unsigned char)text.base[i + 1] < 0xA0)
            return false;
    }
    return true;
}

/* One line, whole characters: file names and keys may hold anything. */
static void clean(line_t *line)
{
    if (line->len == sizeof(line->text) - 1) {
        size_t last = cut(line->text, line->len - 1);
        line->len = last;
        line->text[last] = '\0';
    }
    for (size_t i = 0; i < line->len; i++) {
        if (is_control((unsigned char)line->text[i]))
            line->text[i] = '?';
    }
}

const char *config_quote(slice_t text, char out[CONFIG_QUOTE_SIZE])
{
    enum { ROOM = CONFIG_QUOTE_SIZE - sizeof("\"...\"") };
    bool is_cut = text.len > ROOM;
    size_t len = is_cut ? cut(text.base, ROOM) : text.len;
    size_t n = 0;
    out[n++] = '"';
    for (size_t i = 0; i < len; i++)
        out[n++] = text.base[i];
    for (size_t i = 1; i < n; i++) {
        if (is_control((unsigned char)out[i]))
            out[i] = '?';
    }
    memcpy(out + n, is_cut ? "...\"" : "\"", is_cut ? sizeof("...\"") : sizeof("\""));
    return out;
}

static bool is_word(slice_t key)
{
    for (size_t i = 0; i < key.len; i++) {
        char c = key.base[i];
        bool is_legal = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                        c == '_' || c == '-';
        if (!is_legal)
            return false;
    }
    return key.len > 0 && key.len <= 64;
}

static void append_path(line_t *line, const config_node_t *node)
{
    const config_node_t *way[MAX_PATH_NODES];
    size_t count = 0;
    for (; node->parent != NULL && count < MAX_PATH_NODES; node = node->parent)
        way[count++] = node;
    for (size_t i = count; i-- > 0;) {
        char quoted[CONFIG_QUOTE_SIZE];
        if (way[i]->key.base == NULL)
            append(line, "[%zu]", way[i]->index);
        else if (is_word(way[i]->key))
            append(line, "%s%.*s", i + 1 == count ? "" : ".", (int)way[i]->key.len, way[i]->key.base);
        else
            append(line, "[%s]", config_quote(way[i]->key, quoted));
    }
    if (count > 0)
        append(line, ": ");
}

static void begin(line_t *line, const config_loader_t *loader, const config_node_t *node)
{
    line->len = 0;
    append(line, "%s:%u: ", loader->file, node->line);
    append_path(line, node);
}

static void put_error(config_loader_t *loader, line_t *line)
{
    clean(line);
    memcpy(loader->error->text, line->text, line->len + 1);
}

void config_set_error(config_loader_t *loader, const config_node_t *node, const char *format, ...)
{
    line_t line;
    begin(&line, loader, node);
    va_list arguments;
    va_start(arguments, format);
    append_v(&line, format, arguments);
    va_end(arguments);
    put_error(loader, &line);
}

void config_set_file_error(config_loader_t *loader, unsigned line_number, const char *text)
{
    line_t line = {.len = 0};
    if (line_number == 0)
        append(&line, "%s: %s", loader->file, text);
    else
        append(&line, "%s:%u: %s", loader->file, line_number, text);
    put_error(loader, &line);
}

bool config_note(config_loader_t *loader, const config_node_t *node, const char *format, ...)
{
    line_t line;
    begin(&line, loader, node);
    va_list arguments;
    va_start(arguments, format);
    append_v(&line, format, arguments);
    va_end(arguments);
    clean(&line);

    config_t *config = loader->config;
    char **notes = realloc(config->notes, (config->note_count + 1) * sizeof(*notes));
    if (notes == NULL)
        return config_fail_memory(loader);
    config->notes = notes;
    notes[config->note_count] = strdup(line.text);
    if (notes[config->note_count] == NULL)
        return config_fail_memory(loader);
    config->note_count++;
    return true;
}
