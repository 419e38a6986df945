#include "config_internal.h"
#include "introspectd/file.h"

#include <errno.h>
#include <stdlib.h>

static const config_range_t CONNECT_TIMEOUT_RANGE = {1, 60, false};
static const config_range_t FETCH_TIMEOUT_RANGE = {1, 300, false};
static const config_range_t MAX_BYTES_RANGE = {1 << 10, 16 << 20, false};
static const config_range_t REFRESH_MIN_RANGE = {1, 86400, false};
static const config_range_t COOLDOWN_RANGE = {1, 3600, false};

enum { MAX_REFRESH_MAX_S = 7 * 86400, MAX_STALE_MAX_S = 30 * 86400 };

static bool read_url(config_loader_t *loader, const config_node_t *node, config_fetch_t *fetch)
{
    slice_t url;
    if (!config_text(loader, node, &url))
        return false;
    /* No error shows the URL, which may hold a password. */
    const char *fault = config_url_fault(url, fetch->allow_http, true);
    if (fault != NULL)
        return config_fail(loader, node, "%s", fault);
    return config_string(loader, node, &fetch->jwks_url);
}

/* OpenID Connect Discovery 1.0 section 4: the issuer is where its metadata are found. */
static bool check_discovery(config_loader_t *loader, const config_node_t *node, const config_issuer_t *issuer)
{
    const char *fault = config_url_fault(slice_of(issuer->rules.issuer), issuer->fetch.allow_http, false);
    return fault == NULL || config_fail(loader, node, "with discover: true it %s", fault);
}

static bool read_duration(config_loader_t *loader, const config_node_t *node, config_range_t range,
                          int64_t *out)
{
    return node->id == 0 || config_duration(loader, node, range, out);
}

/* The bounds of a refresh, and how long keys outlive one: a default moves where the other values leave it no
 * room. */
static bool read_refresh(config_loader_t *loader, const config_node_t *values, config_fetch_t *fetch)
{
    bool has_min = values[CONFIG_REFRESH_MIN].id != 0;
    bool has_max = values[CONFIG_REFRESH_MAX].id != 0;
    if (!read_duration(loader, &values[CONFIG_REFRESH_MIN], REFRESH_MIN_RANGE, &fetch->refresh_min_s))
        return false;
    const config_range_t max_range = {has_min ? (uint64_t)fetch->refresh_min_s : 1, MAX_REFRESH_MAX_S, false};
    if (!read_duration(loader, &values[CONFIG_REFRESH_MAX], max_range, &fetch->refresh_max_s))
        return false;
    if (!has_min && fetch->refresh_min_s > fetch->refresh_max_s)
        fetch->refresh_min_s = fetch->refresh_max_s;
    if (!has_max && fetch->refresh_max_s < fetch->refresh_min_s)
        fetch->refresh_max_s = fetch->refresh_min_s;
    if (fetch->stale_max_s < fetch->refresh_max_s)
        fetch->stale_max_s = fetch->refresh_max_s;
    const config_range_t stale_range = {(uint64_t)fetch->refresh_max_s, MAX_STALE_MAX_S, false};
    return read_duration(loader, &values[CONFIG_STALE_MAX], stale_range, &fetch->stale_max_s);
}

static bool read_fetch(config_loader_t *loader, const config_node_t *identifier, const config_node_t *values,
                       config_issuer_t *issuer)
{
    config_fetch_t *fetch = &issuer->fetch;
    *fetch = (config_fetch_t){.connect_timeout_s = 5,
                              .fetch_timeout_s = 10,
                              .max_bytes = 1 << 20,
                              .refresh_min_s = 60,
                              .refresh_max_s = 900,
                              .cooldown_s = 10,
                              .stale_max_s = 86400};
    const config_node_t *allow_http = &values[CONFIG_ALLOW_HTTP];
    const config_node_t *max_bytes = &values[CONFIG_FETCH_MAX_BYTES];
    const config_node_t *url = &values[CONFIG_JWKS_URL];
    return (allow_http->id == 0 || config_bool(loader, allow_http, &fetch->allow_http)) &&
           (url->id == 0 ? check_discovery(loader, identifier, issuer) : read_url(loader, url, fetch)) &&
           (values[CONFIG_CA_FILE].id == 0 ||
            config_ca_file(loader, &values[CONFIG_CA_FILE], &fetch->ca_file)) &&
           read_duration(loader, &values[CONFIG_CONNECT_TIMEOUT], CONNECT_TIMEOUT_RANGE,
                         &fetch->connect_timeout_s) &&
           read_duration(loader, &values[CONFIG_FETCH_TIMEOUT], FETCH_TIMEOUT_RANGE,
                         &fetch->fetch_timeout_s) &&
           (max_bytes->id == 0 || config_size(loader, max_bytes, MAX_BYTES_RANGE, &fetch->max_bytes)) &&
           read_duration(loader, &values[CONFIG_COOLDOWN], COOLDOWN_RANGE, &fetch->cooldown_s) &&
           read_refresh(loader, values, fetch);
}

#define SOURCES "jwks_file, jwks_url and discover: true"

/* The place of the one source that is given; `discover: false` gives none. */
static bool find_source(config_loader_t *loader, const config_node_t *item, const config_node_t *values,
                        size_t *out)
{
    bool is_discovered = false;
    if (values[CONFIG_DISCOVER].id != 0 && !config_bool(loader, &values[CONFIG_DISCOVER], &is_discovered))
        return false;
    static const size_t PLACES[] = {CONFIG_JWKS_FILE, CONFIG_JWKS_URL, CONFIG_DISCOVER};
    const config_node_t *found = NULL;
    for (size_t i = 0; i < sizeof(PLACES) / sizeof(PLACES[0]); i++) {
        const config_node_t *node = &values[PLACES[i]];
        if (node->id == 0 || (PLACES[i] == CONFIG_DISCOVER && !is_discovered))
            continue;
        if (found != NULL)
            return config_fail(loader, node, "only one of " SOURCES " is legal, and %.*s stands on line %u",
                               (int)found->key.len, found->key.base, found->line);
        found = node;
    }
    if (found == NULL)
        return config_fail(loader, item, "must have one of " SOURCES);
    *out = (size_t)(found - values);
    return true;
}

bool config_read_key_source(config_loader_t *loader, const config_node_t *item,
                            const config_node_t *identifier, const config_node_t *values,
                            config_issuer_t *issuer)
{
    size_t source;
    if (!find_source(loader, item, values, &source))
        return false;
    issuer->keys_line = values[source].line;
    if (source != CONFIG_JWKS_FILE)
        return read_fetch(loader, identifier, values, issuer);
    for (size_t i = CONFIG_FIRST_OF_FETCH; i < CONFIG_SOURCE_KEY_COUNT; i++) {
        if (values[i].id != 0)
            return config_fail(loader, &values[i], "only legal with jwks_url or discover: true");
    }
    return config_read_jwks_file(loader, &values[CONFIG_JWKS_FILE], issuer);
}
