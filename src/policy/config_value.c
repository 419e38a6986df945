#include "config_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct unit {
    const char *name;
    uint64_t factor;
} unit_t;

/* From the largest down, so that a bound is told in the largest unit that it is a multiple of. */
static const unit_t SIZE_UNITS[] = {
    {"GiB", UINT64_C(1) << 30}, {"MiB", UINT64_C(1) << 20}, {"KiB", UINT64_C(1) << 10}, {"", 1}, {NULL, 0}};
static const unit_t DURATION_UNITS[] = {{"d", 86400}, {"h", 3600}, {"m", 60}, {"s", 1}, {NULL, 0}};

bool config_scalar(config_loader_t *loader, const config_node_t *node, slice_t *out)
{
    if (yaml_tree_kind(loader->tree, node->id) != YAML_TREE_SCALAR)
        return config_fail(loader, node, "must be a single value, not a list or a mapping");
    if (config_is_null(loader, node))
        return config_fail(loader, node, "must have a value");
    slice_t text = yaml_tree_scalar(loader->tree, node->id);
    if (!config_is_printable(text))
        return config_fail(loader, node, "must not hold control characters");
    *out = text;
    return true;
}

bool config_text(config_loader_t *loader, const config_node_t *node, slice_t *out)
{
    slice_t text;
    if (!config_scalar(loader, node, &text))
        return false;
    if (text.len == 0)
        return config_fail(loader, node, "must not be empty");
    *out = text;
    return true;
}

bool config_string(config_loader_t *loader, const config_node_t *node, char **out)
{
    slice_t text;
    if (!config_text(loader, node, &text))
        return false;
    char *copy = strndup(text.base, text.len);
    if (copy == NULL)
        return config_fail_memory(loader);
    *out = copy;
    return true;
}

bool config_strings(config_loader_t *loader, const config_node_t *node, size_t max, char ***out,
                    size_t *count)
{
    bool is_list = config_is_list(loader, node);
    size_t items = 1;
    if (is_list && !config_list(loader, node, max, &items))
        return false;
    *out = calloc(items, sizeof(**out));
    if (*out == NULL)
        return config_fail_memory(loader);
    for (size_t i = 0; i < items; i++) {
        config_node_t item = *node;
        if (is_list)
            item = config_item(loader, node, i);
        if (!config_string(loader, &item, &(*out)[i]))
            return false;
        *count = i + 1;
    }
    return true;
}

/* Reads the decimal number at the front of text, which has no other spelling. False when there is none. */
static bool parse_number(slice_t text, uint64_t *number, slice_t *rest)
{
    uint64_t value = 0;
    size_t i = 0;
    for (; i < text.len && text.base[i] >= '0' && text.base[i] <= '9'; i++) {
        if (i == 18 || (i == 1 && value == 0))
            return false;
        value = value * 10 + (uint64_t)(text.base[i] - '0');
    }
    if (i == 0)
        return false;
    *number = value;
    *rest = (slice_t){text.base + i, text.len - i};
    return true;
}

bool config_integer(config_loader_t *loader, const config_node_t *node, unsigned min, unsigned max,
                    const char *or_else, unsigned *out)
{
    slice_t text;
    if (!config_text(loader, node, &text))
        return false;
    uint64_t number;
    slice_t rest;
    if (!yaml_tree_is_plain(loader->tree, node->id) || !parse_number(text, &number, &rest) || rest.len != 0 ||
        number < min || number > max) {
        char quoted[CONFIG_QUOTE_SIZE];
        return config_fail(loader, node, "must be %s%san integer from %u to %u, not %s",
                           or_else == NULL ? "" : or_else, or_else == NULL ? "" : " or ", min, max,
                           config_quote(text, quoted));
    }
    *out = (unsigned)number;
    return true;
}

bool config_bool(config_loader_t *loader, const config_node_t *node, bool *out)
{
    slice_t text;
    if (!config_text(loader, node, &text))
        return false;
    bool is_true = config_is_word(loader, node, "true");
    if (!is_true && !config_is_word(loader, node, "false")) {
        char quoted[CONFIG_QUOTE_SIZE];
        return config_fail(loader, node, "must be true or false, without quotes, not %s",
                           config_quote(text, quoted));
    }
    *out = is_true;
    return true;
}

enum { AMOUNT_SIZE = 32 };

static const char *amount_text(uint64_t amount, const unit_t *units, char out[AMOUNT_SIZE])
{
    const unit_t *unit = units;
    while (amount % unit->factor != 0 || (amount == 0 && unit->factor != 1))
        unit++;
    snprintf(out, AMOUNT_SIZE, "%" PRIu64 "%s", amount / unit->factor, unit->name);
    return out;
}

/* A number with a unit; a bare 0 needs none. False when it is none, or too large to count. */
static bool parse_amount(slice_t text, const unit_t *units, uint64_t *amount)
{
    uint64_t number;
    slice_t rest;
    if (!parse_number(text, &number, &rest))
        return false;
    if (number == 0 && rest.len == 0) {
        *amount = 0;
        return true;
    }
    for (const unit_t *unit = units; unit->name != NULL; unit++) {
        if (slice_equal(rest, slice_of(unit->name)))
            return !__builtin_mul_overflow(number, unit->factor, amount);
    }
    return false;
}

static bool is_in_range(uint64_t amount, config_range_t range)
{
    return (amount >= range.min && amount <= range.max) || (range.may_be_zero && amount == 0);
}

static bool fail_range(config_loader_t *loader, const config_node_t *node, const char *what,
                       config_range_t range, const unit_t *units)
{
    char min[AMOUNT_SIZE];
    char max[AMOUNT_SIZE];
    char quoted[CONFIG_QUOTE_SIZE];
    return config_fail(loader, node, "must be %s%s from %s to %s, not %s", range.may_be_zero ? "0 or " : "",
                       what, amount_text(range.min, units, min), amount_text(range.max, units, max),
                       config_quote(yaml_tree_scalar(loader->tree, node->id), quoted));
}

bool config_size(config_loader_t *loader, const config_node_t *node, config_range_t range, size_t *out)
{
    slice_t text;
    uint64_t bytes;
    if (!config_text(loader, node, &text))
        return false;
    if (!parse_amount(text, SIZE_UNITS, &bytes) || !is_in_range(bytes, range) || bytes > SIZE_MAX)
        return fail_range(loader, node, "a size in bytes, KiB, MiB or GiB", range, SIZE_UNITS);
    *out = (size_t)bytes;
    return true;
}

bool config_duration(config_loader_t *loader, const config_node_t *node, config_range_t range, int64_t *out)
{
    slice_t text;
    uint64_t seconds;
    if (!config_text(loader, node, &text))
        return false;
    if (!parse_amount(text, DURATION_UNITS, &seconds) || !is_in_range(seconds, range))
        return fail_range(loader, node, "a duration in s, m, h or d", range, DURATION_UNITS);
    *out = (int64_t)seconds;
    return true;
}
