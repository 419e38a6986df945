#include "config_internal.h"
#include "introspectd/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum {
    MAX_ISSUERS = 1024,
    MAX_AUDIENCES = 256,
    MAX_TOKEN_TYPES = 16,
    MAX_REQUIREMENTS = 32,
    MAX_JWKS_BYTES = 4 << 20,
    DEFAULT_LEEWAY_S = 30
};

static const config_range_t LEEWAY_RANGE = {0, 600, false};

enum { ISSUER, JWKS_FILE, ALGORITHMS, AUDIENCE, AUDIENCE_CLAIM, TOKEN_TYPES, REQUIRE, LEEWAY, KEY_COUNT };

static const config_key_t KEYS[KEY_COUNT] = {[ISSUER] = {"issuer", true},
                                             [JWKS_FILE] = {"jwks_file", true},
                                             [ALGORITHMS] = {"algorithms", true},
                                             [AUDIENCE] = {"audience", true},
                                             [AUDIENCE_CLAIM] = {"audience_claim", false},
                                             [TOKEN_TYPES] = {"token_types", false},
                                             [REQUIRE] = {"require", false},
                                             [LEEWAY] = {"leeway", false}};

static bool read_identifier(config_loader_t *loader, const config_node_t *node, size_t index,
                            claims_rules_t *rules)
{
    if (!config_string(loader, node, &rules->issuer))
        return false;
    for (size_t i = 0; i < index; i++) {
        if (strcmp(loader->config->issuers[i].rules.issuer, rules->issuer) == 0)
            return config_fail(loader, node, "the same issuer as issuers[%zu]", i);
    }
    return true;
}

static bool fail_algorithm(config_loader_t *loader, const config_node_t *node, slice_t name)
{
    char names[ALGORITHM_COUNT * 8];
    size_t len = 0;
    for (unsigned a = 0; a < ALGORITHM_COUNT && len < sizeof(names); a++)
        len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s", a == 0 ? "" : ", ",
                                algorithm_name((algorithm_t)a));
    char quoted[CONFIG_QUOTE_SIZE];
    return config_fail(loader, node, "must be one of %s, not %s", names, config_quote(name, quoted));
}

static bool read_algorithms(config_loader_t *loader, const config_node_t *list, config_issuer_t *issuer)
{
    size_t count;
    if (!config_list(loader, list, ALGORITHM_COUNT, &count))
        return false;
    for (size_t i = 0; i < count; i++) {
        config_node_t item = config_item(loader, list, i);
        slice_t name;
        if (!config_text(loader, &item, &name))
            return false;
        algorithm_t algorithm;
        if (!algorithm_from_name(name, &algorithm))
            return fail_algorithm(loader, &item, name);
        if (algorithm_set_has(issuer->algorithms, algorithm))
            return config_fail(loader, &item, "%s is given twice", algorithm_name(algorithm));
        issuer->algorithms |= 1u << algorithm;
    }
    return true;
}

static bool read_audience(config_loader_t *loader, const config_node_t *node, claims_rules_t *rules)
{
    if (config_is_word(loader, node, "any")) {
        rules->audience_is_any = true;
        return true;
    }
    return config_strings(loader, node, MAX_AUDIENCES, &rules->audiences, &rules->audience_count);
}

static bool read_audience_claim(config_loader_t *loader, const config_node_t *node, claims_rules_t *rules)
{
    slice_t text;
    if (!config_text(loader, node, &text))
        return false;
    const char *error;
    rules->audience_claim = claim_path_new(text, &error);
    if (rules->audience_claim == NULL)
        return config_fail(loader, node, "%s", error);
    if (rules->audience_is_any)
        return config_note(loader, node, "warning: has no effect while audience is any");
    return true;
}

/* Media types lose the "application/" that RFC 7515 section 4.1.9 lets a header leave out. */
static bool read_token_types(config_loader_t *loader, const config_node_t *list, claims_rules_t *rules)
{
    static const char PREFIX[] = "application/";
    size_t prefix = sizeof(PREFIX) - 1;
    size_t count;
    if (!config_list(loader, list, MAX_TOKEN_TYPES, &count) ||
        !config_strings(loader, list, MAX_TOKEN_TYPES, &rules->token_types, &rules->token_type_count))
        return false;
    for (size_t i = 0; i < count; i++) {
        char *type = rules->token_types[i];
        if (strncasecmp(type, PREFIX, prefix) != 0)
            continue;
        memmove(type, type + prefix, strlen(type) - prefix + 1);
        if (type[0] == '\0') {
            config_node_t item = config_item(loader, list, i);
            return config_fail(loader, &item, "must have a type behind application/");
        }
    }
    return true;
}

static bool read_requirement(config_loader_t *loader, const config_node_t *require, size_t i,
                             claims_requirement_t *requirement)
{
    config_node_t key = config_entry_key(loader, require, i);
    config_node_t value = config_entry(loader, require, i);
    const char *error;
    requirement->claim = claim_path_new(key.key, &error);
    if (requirement->claim == NULL)
        return config_fail(loader, &key, "%s", error);
    slice_t text;
    if (!config_scalar(loader, &value, &text))
        return false;
    requirement->matches_scalars = yaml_tree_is_plain(loader->tree, value.id);
    requirement->value = strndup(text.base, text.len);
    return requirement->value != NULL || config_fail_memory(loader);
}

static bool read_require(config_loader_t *loader, const config_node_t *require, claims_rules_t *rules)
{
    size_t count;
    if (!config_entries(loader, require, MAX_REQUIREMENTS, &count))
        return false;
    if (count == 0)
        return true;
    rules->requirements = calloc(count, sizeof(*rules->requirements));
    if (rules->requirements == NULL)
        return config_fail_memory(loader);
    rules->requirement_count = count;
    for (size_t i = 0; i < count; i++) {
        if (!read_requirement(loader, require, i, &rules->requirements[i]))
            return false;
    }
    return true;
}

typedef struct note_target {
    config_loader_t *loader;
    const config_node_t *node;
    bool is_failed;
} note_target_t;

static void take_note(void *data, const keyset_note_t *note)
{
    note_target_t *target = data;
    if (target->is_failed)
        return;
    const char *verb = note->is_skipped ? " skipped" : "";
    const char *kind = note->is_skipped ? "" : "warning: ";
    char quoted[CONFIG_QUOTE_SIZE];
    bool is_added = note->kid.base == NULL
                        ? config_note(target->loader, target->node, "key %zu%s: %s%s", note->index, verb,
                                      kind, note->text)
                        : config_note(target->loader, target->node, "key %zu (kid %s)%s: %s%s", note->index,
                                      config_quote(note->kid, quoted), verb, kind, note->text);
    target->is_failed = !is_added;
}

static bool some_key_fits(const config_issuer_t *issuer)
{
    for (unsigned a = 0; a < ALGORITHM_COUNT; a++) {
        if (algorithm_set_has(issuer->algorithms, (algorithm_t)a) &&
            keyset_find(issuer->keys, (slice_t){NULL, 0}, (algorithm_t)a, NULL) != NULL)
            return true;
    }
    return false;
}

static bool read_keys(config_loader_t *loader, const config_node_t *node, config_issuer_t *issuer)
{
    if (!config_path(loader, node, &issuer->jwks_file))
        return false;
    char quoted[CONFIG_QUOTE_SIZE];
    config_quote(slice_of(issuer->jwks_file), quoted);
    char *text;
    size_t len;
    int error_number = file_read(issuer->jwks_file, MAX_JWKS_BYTES, &text, &len);
    if (error_number != 0)
        return config_fail(loader, node, "cannot read %s: %s", quoted,
                           error_number == EFBIG ? "over 4 MiB" : strerror(error_number));
    note_target_t target = {loader, node, false};
    const char *error;
    issuer->keys = keyset_parse((slice_t){text, len}, take_note, &target, &error);
    /* A set may hold private or symmetric keys. */
    file_free_secret(text, len);
    if (target.is_failed)
        return false;
    if (issuer->keys == NULL)
        return config_fail(loader, node, "%s: %s", quoted, error);
    if (keyset_size(issuer->keys) == 0)
        return config_note(loader, node, "warning: no usable key; no token of this issuer can be verified");
    if (!some_key_fits(issuer))
        return config_note(loader, node,
                           "warning: no key fits the algorithms; no token of this issuer can be verified");
    return true;
}

static bool read_issuer(config_loader_t *loader, const config_node_t *node, config_issuer_t *issuer)
{
    claims_rules_t *rules = &issuer->rules;
    config_node_t values[KEY_COUNT];
    rules->leeway_s = DEFAULT_LEEWAY_S;
    /* The keys come last: what is said about them depends on the algorithms. */
    return config_keys(loader, node, KEYS, KEY_COUNT, values) &&
           read_identifier(loader, &values[ISSUER], node->index, rules) &&
           read_algorithms(loader, &values[ALGORITHMS], issuer) &&
           read_audience(loader, &values[AUDIENCE], rules) &&
           (values[AUDIENCE_CLAIM].id == 0 || read_audience_claim(loader, &values[AUDIENCE_CLAIM], rules)) &&
           (values[TOKEN_TYPES].id == 0 || read_token_types(loader, &values[TOKEN_TYPES], rules)) &&
           (values[REQUIRE].id == 0 || read_require(loader, &values[REQUIRE], rules)) &&
           (values[LEEWAY].id == 0 ||
            config_duration(loader, &values[LEEWAY], LEEWAY_RANGE, &rules->leeway_s)) &&
           read_keys(loader, &values[JWKS_FILE], issuer);
}

bool config_read_issuers(config_loader_t *loader, const config_node_t *list)
{
    config_t *config = loader->config;
    size_t count;
    if (!config_list(loader, list, MAX_ISSUERS, &count))
        return false;
    config->issuers = calloc(count, sizeof(*config->issuers));
    if (config->issuers == NULL)
        return config_fail_memory(loader);
    config->issuer_count = count;
    for (size_t i = 0; i < count; i++) {
        config_node_t item = config_item(loader, list, i);
        if (!read_issuer(loader, &item, &config->issuers[i]))
            return false;
    }
    return true;
}
