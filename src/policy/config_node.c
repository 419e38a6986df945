#include "config_internal.h"

static config_node_t node_for(const config_node_t *parent, yaml_tree_node_t id, unsigned line)
{
    /* What an alias names stands above it: the line to tell is where it is used. */
    return (config_node_t){.parent = parent, .id = id, .line = line > parent->line ? line : parent->line};
}

config_node_t config_entry_key(const config_loader_t *loader, const config_node_t *mapping, size_t i)
{
    yaml_tree_node_t key = yaml_tree_key(loader->tree, mapping->id, i);
    config_node_t node =
        node_for(mapping, yaml_tree_value(loader->tree, mapping->id, i), yaml_tree_line(loader->tree, key));
    if (yaml_tree_kind(loader->tree, key) == YAML_TREE_SCALAR)
        node.key = yaml_tree_scalar(loader->tree, key);
    else
        node.key = slice_of("?");
    return node;
}

config_node_t config_entry(const config_loader_t *loader, const config_node_t *mapping, size_t i)
{
    config_node_t node = config_entry_key(loader, mapping, i);
    unsigned line = yaml_tree_line(loader->tree, node.id);
    if (line > node.line)
        node.line = line;
    return node;
}

/* The smaller of the edit distance between a and b and the first value that is too much to be a slip. */
static unsigned distance(slice_t a, slice_t b)
{
    enum { MAX_LEN = 32, FAR = 3 };
    if (a.len > MAX_LEN || b.len > MAX_LEN)
        return FAR;
    unsigned row[MAX_LEN + 1];
    for (unsigned j = 0; j <= b.len; j++)
        row[j] = j;
    for (unsigned i = 1; i <= a.len; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            unsigned replaced = diagonal + (a.base[i - 1] != b.base[j - 1]);
            unsigned inserted = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = replaced < inserted ? replaced : inserted;
        }
    }
    return row[b.len] < FAR ? row[b.len] : FAR;
}

static bool is_beginning(slice_t text, slice_t of)
{
    return text.len >= 4 && text.len < of.len && memcmp(text.base, of.base, text.len) == 0;
}

/* The known key that was most likely meant; NULL when none is near. */
static const char *nearest(slice_t text, const config_key_t *keys, size_t count)
{
    const char *best = NULL;
    unsigned best_distance = 3;
    for (size_t i = 0; i < count; i++) {
        slice_t name = slice_of(keys[i].name);
        unsigned d = distance(text, name);
        /* Two slips in a word of four letters would be another word. */
        if (d < best_distance && 2 * (size_t)d < name.len) {
            best = keys[i].name;
            best_distance = d;
        }
    }
    for (size_t i = 0; best == NULL && i < count; i++) {
        slice_t name = slice_of(keys[i].name);
        if (is_beginning(text, name) || is_beginning(name, text))
            best = keys[i].name;
    }
    return best;
}

static bool check_mapping(config_loader_t *loader, const config_node_t *node)
{
    if (yaml_tree_kind(loader->tree, node->id) != YAML_TREE_MAPPING)
        return config_fail(loader, node, "must be a mapping");
    return true;
}

static bool check_key(config_loader_t *loader, const config_node_t *mapping, size_t i)
{
    yaml_tree_node_t key = yaml_tree_key(loader->tree, mapping->id, i);
    if (yaml_tree_kind(loader->tree, key) == YAML_TREE_SCALAR)
        return true;
    config_node_t node = config_entry_key(loader, mapping, i);
    return config_fail(loader, &node, "a key must be a string");
}

static bool fail_unknown(config_loader_t *loader, const config_node_t *node, const config_key_t *keys,
                         size_t count)
{
    const char *meant = nearest(node->key, keys, count);
    if (meant == NULL)
        return config_fail(loader, node, "unknown key");
    return config_fail(loader, node, "unknown key; did you mean %s?", meant);
}

bool config_keys(config_loader_t *loader, const config_node_t *mapping, const config_key_t *keys,
                 size_t count, config_node_t *values)
{
    if (!check_mapping(loader, mapping))
        return false;
    for (size_t k = 0; k < count; k++)
        values[k] = (config_node_t){.parent = mapping, .key = slice_of(keys[k].name), .line = mapping->line};
    unsigned first_lines[CONFIG_MAX_KEYS] = {0};
    for (size_t i = 0; i < yaml_tree_count(loader->tree, mapping->id); i++) {
        if (!check_key(loader, mapping, i))
            return false;
        config_node_t node = config_entry_key(loader, mapping, i);
        size_t k = 0;
        while (k < count && !slice_equal(node.key, slice_of(keys[k].name)))
            k++;
        if (k == count)
            return fail_unknown(loader, &node, keys, count);
        if (values[k].id != 0)
            return config_fail(loader, &node, "given twice (first on line %u)", first_lines[k]);
        first_lines[k] = node.line;
        values[k] = config_entry(loader, mapping, i);
    }
    for (size_t k = 0; k < count; k++) {
        if (keys[k].is_required && values[k].id == 0)
            return config_fail(loader, &values[k], "missing");
    }
    return true;
}

bool config_find(config_loader_t *loader, const config_node_t *mapping, const char *name,
                 config_node_t *value)
{
    if (!check_mapping(loader, mapping))
        return false;
    unsigned first_line = 0;
    *value = (config_node_t){.parent = mapping, .key = slice_of(name), .line = mapping->line};
    for (size_t i = 0; i < yaml_tree_count(loader->tree, mapping->id); i++) {
        config_node_t node = config_entry_key(loader, mapping, i);
        if (!slice_equal(node.key, slice_of(name)))
            continue;
        if (value->id != 0)
            return config_fail(loader, &node, "given twice (first on line %u)", first_line);
        first_line = node.line;
        *value = config_entry(loader, mapping, i);
    }
    return true;
}

/* Quadratic, which max bounds. */
static bool check_new(config_loader_t *loader, const config_node_t *mapping, size_t i)
{
    config_node_t node = config_entry_key(loader, mapping, i);
    for (size_t j = 0; j < i; j++) {
        config_node_t other = config_entry_key(loader, mapping, j);
        if (slice_equal(node.key, other.key))
            return config_fail(loader, &node, "given twice (first on line %u)", other.line);
    }
    return true;
}

bool config_entries(config_loader_t *loader, const config_node_t *mapping, size_t max, size_t *count)
{
    if (!check_mapping(loader, mapping))
        return false;
    size_t entries = yaml_tree_count(loader->tree, mapping->id);
    if (entries > max)
        return config_fail(loader, mapping, "must have at most %zu entries, not %zu", max, entries);
    for (size_t i = 0; i < entries; i++) {
        if (!check_key(loader, mapping, i))
            return false;
        config_node_t node = config_entry_key(loader, mapping, i);
        if (node.key.len == 0)
            return config_fail(loader, &node, "a key must not be empty");
        if (memchr(node.key.base, '\0', node.key.len) != NULL)
            return config_fail(loader, &node, "a key must not hold U+0000");
        if (!check_new(loader, mapping, i))
            return false;
    }
    *count = entries;
    return true;
}

bool config_list(config_loader_t *loader, const config_node_t *list, size_t max, size_t *count)
{
    if (!config_is_list(loader, list))
        return config_fail(loader, list, "must be a list");
    size_t items = yaml_tree_count(loader->tree, list->id);
    if (items == 0)
        return config_fail(loader, list, "must not be empty");
    if (items > max)
        return config_fail(loader, list, "must have at most %zu items, not %zu", max, items);
    *count = items;
    return true;
}

config_node_t config_item(const config_loader_t *loader, const config_node_t *list, size_t i)
{
    yaml_tree_node_t id = yaml_tree_item(loader->tree, list->id, i);
    config_node_t node = node_for(list, id, yaml_tree_line(loader->tree, id));
    node.index = i;
    return node;
}

bool config_is_list(const config_loader_t *loader, const config_node_t *node)
{
    return yaml_tree_kind(loader->tree, node->id) == YAML_TREE_LIST;
}

bool config_is_word(const config_loader_t *loader, const config_node_t *node, const char *word)
{
    return yaml_tree_kind(loader->tree, node->id) == YAML_TREE_SCALAR &&
           yaml_tree_is_plain(loader->tree, node->id) &&
           slice_equal(yaml_tree_scalar(loader->tree, node->id), slice_of(word));
}

bool config_is_null(const config_loader_t *loader, const config_node_t *node)
{
    static const char *const NULLS[] = {"", "~", "null", "Null", "NULL"};
    for (size_t i = 0; i < sizeof(NULLS) / sizeof(NULLS[0]); i++) {
        if (config_is_word(loader, node, NULLS[i]))
            return true;
    }
    return false;
}
