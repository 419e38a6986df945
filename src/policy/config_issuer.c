#include "config_internal.h"
#include "introspectd/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum {
    MAX_ISSUERS = 1024,
    MAX_AUDIENCES = 256,
    MAX_TOKEN_TYPES = 16,
    MAX_REQUIREMENTS = 32,
    MAX_KEYS_TRIED_MAX = 64,
    DEFAULT_LEEWAY_S = 30
};

static const config_range_t LEEWAY_RANGE = {0, 600, false};

enum {
    ISSUER,
    ALGORITHMS,
    AUDIENCE,
    AUDIENCE_CLAIM,
    TOKEN_TYPES,
    REQUIRE,
    LEEWAY,
    MAX_KEYS_TRIED,
    SOURCE, /* the first of CONFIG_SOURCE_KEY_COUNT */
    KEY_COUNT = SOURCE + CONFIG_SOURCE_KEY_COUNT
};

static const config_key_t KEYS[KEY_COUNT] = {[ISSUER] = {"issuer", true},
                                             [ALGORITHMS] = {"algorithms", true},
                                             [AUDIENCE] = {"audience", true},
                                             [AUDIENCE_CLAIM] = {"audience_claim", false},
                                             [TOKEN_TYPES] = {"token_types", false},
                                             [REQUIRE] = {"require", false},
                                             [LEEWAY] = {"leeway", false},
                                             [MAX_KEYS_TRIED] = {"max_keys_tried", false},
                                             [SOURCE + CONFIG_JWKS_FILE] = {"jwks_file", false},
                                             [SOURCE + CONFIG_JWKS_URL] = {"jwks_url", false},
                                             [SOURCE + CONFIG_DISCOVER] = {"discover", false},
                                             [SOURCE + CONFIG_ALLOW_HTTP] = {"allow_http", false},
                                             [SOURCE + CONFIG_CA_FILE] = {"ca_file", false},
                                             [SOURCE + CONFIG_CONNECT_TIMEOUT] = {"connect_timeout", false},
                                             [SOURCE + CONFIG_FETCH_TIMEOUT] = {"fetch_timeout", false},
                                             [SOURCE + CONFIG_FETCH_MAX_BYTES] = {"fetch_max_bytes", false},
                                             [SOURCE + CONFIG_REFRESH_MIN] = {"refresh_min", false},
                                             [SOURCE + CONFIG_REFRESH_MAX] = {"refresh_max", false},
                                             [SOURCE + CONFIG_COOLDOWN] = {"cooldown", false},
                                             [SOURCE + CONFIG_STALE_MAX] = {"stale_max", false}};

_Static_assert((int)KEY_COUNT <= (int)CONFIG_MAX_KEYS, "config_keys takes no more");

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

static bool read_issuer(config_loader_t *loader, const config_node_t *node, config_issuer_t *issuer)
{
    claims_rules_t *rules = &issuer->rules;
    config_node_t values[KEY_COUNT];
    rules->leeway_s = DEFAULT_LEEWAY_S;
    issuer->max_keys_tried = VERIFY_DEFAULT_KEYS_TRIED;
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
           (values[MAX_KEYS_TRIED].id == 0 ||
            config_integer(loader, &values[MAX_KEYS_TRIED], 1, MAX_KEYS_TRIED_MAX, NULL,
                           &issuer->max_keys_tried)) &&
           config_read_key_source(loader, node, &values[ISSUER], &values[SOURCE], issuer);
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
