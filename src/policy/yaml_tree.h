/*
 * yaml_tree: one YAML document as a tree to walk, with the line of every node.
 *
 * The only file that knows libyaml. Nodes are small handles that live as long as their tree. An alias gives
 * the very node that its anchor stands at, so a tree may be a graph, and even hold itself: a walk must be
 * bounded by the caller's schema, never by the tree. Immutable once parsed: any thread may read one.
 */
#ifndef INTROSPECTD_YAML_TREE_H
#define INTROSPECTD_YAML_TREE_H

#include "introspectd/slice.h"

typedef struct yaml_tree yaml_tree_t;
typedef int yaml_tree_node_t; /* 0: no node */

typedef enum yaml_tree_kind { YAML_TREE_SCALAR, YAML_TREE_LIST, YAML_TREE_MAPPING } yaml_tree_kind_t;

typedef struct yaml_tree_error {
    unsigned line; /* from 1; 0 when no line is at fault */
    char text[200];
} yaml_tree_error_t;

/*
 * Parses text, which must be UTF-8 and hold exactly one document. Tags other than those of the node's own
 * kind (str, int, bool; seq; map) are refused. NULL with *error filled; its text holds nothing of the
 * document.
 */
yaml_tree_t *yaml_tree_parse(slice_t text, yaml_tree_error_t *error) __attribute__((warn_unused_result));
void yaml_tree_free(yaml_tree_t *tree);

yaml_tree_node_t yaml_tree_root(const yaml_tree_t *tree);
yaml_tree_kind_t yaml_tree_kind(const yaml_tree_t *tree, yaml_tree_node_t node);

/* The line, from 1, that node begins on; for an alias, the line of its anchor. */
unsigned yaml_tree_line(const yaml_tree_t *tree, yaml_tree_node_t node);

/* The text of a scalar: valid UTF-8, with a NUL behind it, but NUL may also stand inside. */
slice_t yaml_tree_scalar(const yaml_tree_t *tree, yaml_tree_node_t node);

/* Whether a scalar is written without quotes and not as a block. */
bool yaml_tree_is_plain(const yaml_tree_t *tree, yaml_tree_node_t node);

/* The items of a list or the pairs of a mapping; 0 for a scalar. */
size_t yaml_tree_count(const yaml_tree_t *tree, yaml_tree_node_t node);

/* The i-th item of a list. */
yaml_tree_node_t yaml_tree_item(const yaml_tree_t *tree, yaml_tree_node_t list, size_t i);

/* The i-th key and value of a mapping, in the order of the document. Keys may be of any kind and repeated. */
yaml_tree_node_t yaml_tree_key(const yaml_tree_t *tree, yaml_tree_node_t mapping, size_t i);
yaml_tree_node_t yaml_tree_value(const yaml_tree_t *tree, yaml_tree_node_t mapping, size_t i);

#endif
