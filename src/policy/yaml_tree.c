#include "yaml_tree.h"

#include <stdio.h>
#include <stdlib.h>

#include <yaml.h>

enum { MAX_DEPTH = 64, MAX_ANCHORS = 1000 };

struct yaml_tree {
    yaml_document_t document;
};

static const yaml_node_t *node_at(const yaml_tree_t *tree, yaml_tree_node_t node)
{
    return &tree->document.nodes.start[node - 1];
}

static void set_error(yaml_tree_error_t *error, size_t line, const char *text)
{
    error->line = (unsigned)line;
    snprintf(error->text, sizeof(error->text), "%s", text);
}

/* libyaml gives no mark for what its reader refuses, only the place in the bytes. */
static size_t line_at(slice_t text, size_t offset)
{
    size_t line = 1;
    for (size_t i = 0; i < offset && i < text.len; i++)
        line += text.base[i] == '\n';
    return line;
}

static bool start(yaml_parser_t *parser, slice_t text, yaml_tree_error_t *error)
{
    if (!yaml_parser_initialize(parser)) {
        set_error(error, 0, "out of memory");
        return false;
    }
    yaml_parser_set_input_string(parser, (const unsigned char *)text.base, text.len);
    /* Otherwise a byte order mark makes it UTF-16. */
    yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING);
    return true;
}

static void explain(const yaml_parser_t *parser, slice_t text, yaml_tree_error_t *error)
{
    const char *problem = parser->problem == NULL ? "cannot be parsed" : parser->problem;
    if (parser->error == YAML_MEMORY_ERROR) {
        set_error(error, 0, "out of memory");
    } else if (parser->error == YAML_READER_ERROR) {
        set_error(error, line_at(text, parser->problem_offset), problem);
    } else {
        error->line = (unsigned)(parser->problem_mark.line + 1);
        size_t context_line = parser->context_mark.line + 1;
        if (parser->context == NULL)
            snprintf(error->text, sizeof(error->text), "%s", problem);
        else if (strncmp(parser->context, "while ", 6) != 0)
            snprintf(error->text, sizeof(error->text), "%s on line %zu", parser->context, context_line);
        else if (context_line == error->line)
            snprintf(error->text, sizeof(error->text), "%s %s", problem, parser->context);
        else
            snprintf(error->text, sizeof(error->text), "%s %s (from line %zu)", problem, parser->context,
                     context_line);
    }
}

/* What one event does to the counts; false, with *error filled, when one is over its bound. */
static bool count_event(const yaml_event_t *event, unsigned *depth, unsigned *anchors,
                        yaml_tree_error_t *error)
{
    bool has_anchor = false;
    switch (event->type) {
    case YAML_SEQUENCE_START_EVENT:
        has_anchor = event->data.sequence_start.anchor != NULL;
        *depth += 1;
        break;
    case YAML_MAPPING_START_EVENT:
        has_anchor = event->data.mapping_start.anchor != NULL;
        *depth += 1;
        break;
    case YAML_SCALAR_EVENT:
        has_anchor = event->data.scalar.anchor != NULL;
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        *depth -= 1;
        break;
    default:
        break;
    }
    *anchors += has_anchor;
    if (*depth > MAX_DEPTH)
        set_error(error, event->start_mark.line + 1, "nested too deep");
    else if (*anchors > MAX_ANCHORS)
        set_error(error, event->start_mark.line + 1, "too many anchors");
    return *depth <= MAX_DEPTH && *anchors <= MAX_ANCHORS;
}

/* libyaml takes quadratic time over nesting and over anchors, so both are bounded before it builds a tree. */
static bool check_bounds(slice_t text, yaml_tree_error_t *error)
{
    yaml_parser_t parser;
    if (!start(&parser, text, error))
        return false;
    bool is_good = true;
    bool is_end = false;
    unsigned depth = 0;
    unsigned anchors = 0;
    while (is_good && !is_end) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event)) {
            explain(&parser, text, error);
            is_good = false;
        } else {
            is_good = count_event(&event, &depth, &anchors, error);
            is_end = event.type == YAML_STREAM_END_EVENT;
            yaml_event_delete(&event);
        }
    }
    yaml_parser_delete(&parser);
    return is_good;
}

static bool tag_is_known(const yaml_node_t *node)
{
    const char *tag = (const char *)node->tag;
    switch (node->type) {
    case YAML_SCALAR_NODE:
        return strcmp(tag, YAML_STR_TAG) == 0 || strcmp(tag, YAML_INT_TAG) == 0 ||
               strcmp(tag, YAML_BOOL_TAG) == 0;
    case YAML_SEQUENCE_NODE:
        return strcmp(tag, YAML_SEQ_TAG) == 0;
    case YAML_MAPPING_NODE:
        return strcmp(tag, YAML_MAP_TAG) == 0;
    default:
        return false;
    }
}

/* What the document itself must be like; what its keys mean is the caller's. */
static bool check_document(const yaml_document_t *document, yaml_tree_error_t *error)
{
    if (document->nodes.start == document->nodes.top) {
        set_error(error, 1, "the file is empty");
        return false;
    }
    for (const yaml_node_t *node = document->nodes.start; node < document->nodes.top; node++) {
        if (!tag_is_known(node)) {
            set_error(error, node->start_mark.line + 1, "a tag that is not known here");
            return false;
        }
    }
    return true;
}

static bool check_end(yaml_parser_t *parser, slice_t text, yaml_tree_error_t *error)
{
    yaml_document_t next;
    if (!yaml_parser_load(parser, &next)) {
        explain(parser, text, error);
        return false;
    }
    bool is_end = next.nodes.start == next.nodes.top;
    if (!is_end)
        set_error(error, next.start_mark.line + 1, "a second document begins; only one is legal");
    yaml_document_delete(&next);
    return is_end;
}

static bool load(yaml_parser_t *parser, slice_t text, yaml_tree_t *tree, yaml_tree_error_t *error)
{
    if (!yaml_parser_load(parser, &tree->document)) {
        explain(parser, text, error);
        return false;
    }
    /* An empty document is the stream's end, behind which libyaml forbids to load. */
    if (check_document(&tree->document, error) && check_end(parser, text, error))
        return true;
    yaml_document_delete(&tree->document);
    return false;
}

yaml_tree_t *yaml_tree_parse(slice_t text, yaml_tree_error_t *error)
{
    yaml_parser_t parser;
    if (!check_bounds(text, error) || !start(&parser, text, error))
        return NULL;
    yaml_tree_t *tree = calloc(1, sizeof(*tree));
    if (tree == NULL) {
        set_error(error, 0, "out of memory");
    } else if (!load(&parser, text, tree, error)) {
        free(tree);
        tree = NULL;
    }
    yaml_parser_delete(&parser);
    return tree;
}

void yaml_tree_free(yaml_tree_t *tree)
{
    if (tree == NULL)
        return;
    yaml_document_delete(&tree->document);
    free(tree);
}

yaml_tree_node_t yaml_tree_root(const yaml_tree_t *tree)
{
    (void)tree;
    return 1;
}

yaml_tree_kind_t yaml_tree_kind(const yaml_tree_t *tree, yaml_tree_node_t node)
{
    switch (node_at(tree, node)->type) {
    case YAML_SEQUENCE_NODE:
        return YAML_TREE_LIST;
    case YAML_MAPPING_NODE:
        return YAML_TREE_MAPPING;
    default:
        return YAML_TREE_SCALAR;
    }
}

unsigned yaml_tree_line(const yaml_tree_t *tree, yaml_tree_node_t node)
{
    return (unsigned)(node_at(tree, node)->start_mark.line + 1);
}

slice_t yaml_tree_scalar(const yaml_tree_t *tree, yaml_tree_node_t node)
{
    const yaml_node_t *scalar = node_at(tree, node);
    return (slice_t){(const char *)scalar->data.scalar.value, scalar->data.scalar.length};
}

bool yaml_tree_is_plain(const yaml_tree_t *tree, yaml_tree_node_t node)
{
    return node_at(tree, node)->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

size_t yaml_tree_count(const yaml_tree_t *tree, yaml_tree_node_t node)
{
    const yaml_node_t *parent = node_at(tree, node);
    if (parent->type == YAML_SEQUENCE_NODE)
        return (size_t)(parent->data.sequence.items.top - parent->data.sequence.items.start);
    if (parent->type == YAML_MAPPING_NODE)
        return (size_t)(parent->data.mapping.pairs.top - parent->data.mapping.pairs.start);
    return 0;
}

yaml_tree_node_t yaml_tree_item(const yaml_tree_t *tree, yaml_tree_node_t list, size_t i)
{
    return node_at(tree, list)->data.sequence.items.start[i];
}

yaml_tree_node_t yaml_tree_key(const yaml_tree_t *tree, yaml_tree_node_t mapping, size_t i)
{
    return node_at(tree, mapping)->data.mapping.pairs.start[i].key;
}

yaml_tree_node_t yaml_tree_value(const yaml_tree_t *tree, yaml_tree_node_t mapping, size_t i)
{
    return node_at(tree, mapping)->data.mapping.pairs.start[i].value;
}
