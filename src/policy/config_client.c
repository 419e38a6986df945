#include "config_internal.h"

#include <stdlib.h>

enum { MAX_CLIENTS = 4096 };

enum { CLIENT_ID, SECRET_FILES, PROFILE, ISSUERS, INACTIVE_STATUS, FIELDS, KEY_COUNT };

static const config_key_t KEYS[KEY_COUNT] = {[CLIENT_ID] = {"client_id", true},
                                             [SECRET_FILES] = {"client_secret_files", true},
                                             [PROFILE] = {"profile", true},
                                             [ISSUERS] = {"issuers", false},
                                             [INACTIVE_STATUS] = {"inactive_status", false},
                                             [FIELDS] = {"fields", false}};

/* VSCHAR, RFC 6749 appendix A.1. */
static bool read_client_id(config_loader_t *loader, const config_node_t *node, client_t *client)
{
    slice_t text;
    if (!config_text(loader, node, &text))
        return false;
    if (text.len > CLIENT_MAX_ID_BYTES)
        return config_fail(loader, node, "must have at most %d bytes, not %zu", CLIENT_MAX_ID_BYTES,
                           text.len);
    for (size_t i = 0; i < text.len; i++) {
        if (text.base[i] < 0x20 || text.base[i] > 0x7E)
            return config_fail(loader, node, "must hold only printable ASCII characters");
    }
    const client_set_t *set = &loader->config->clients;
    for (size_t i = 0; &set->clients[i] != client; i++) {
        if (slice_equal(slice_of(set->clients[i].client_id), text)) {
            char quoted[CONFIG_QUOTE_SIZE];
            return config_fail(loader, node, "%s is the client_id of clients[%zu] already",
                               config_quote(text, quoted), i);
        }
    }
    return config_string(loader, node, &client->client_id);
}

static bool read_profile(config_loader_t *loader, const config_node_t *node, client_t *client)
{
    slice_t name;
    if (!config_text(loader, node, &name))
        return false;
    if (!profile_from_name(name, &client->profile)) {
        char quoted[CONFIG_QUOTE_SIZE];
        return config_fail(loader, node, "must be one of front_private, front_shared, rfc7662, not %s",
                           config_quote(name, quoted));
    }
    return true;
}

static bool allow_issuer(config_loader_t *loader, const config_node_t *item, client_t *client)
{
    slice_t text;
    if (!config_text(loader, item, &text))
        return false;
    const config_issuer_t *issuer = config_find_issuer(loader->config, text);
    char quoted[CONFIG_QUOTE_SIZE];
    if (issuer == NULL)
        return config_fail(loader, item, "%s is not among the issuers of this file",
                           config_quote(text, quoted));
    bool *is_allowed = &client->issuer_is_allowed[issuer - loader->config->issuers];
    if (*is_allowed)
        return config_fail(loader, item, "%s is given twice", config_quote(text, quoted));
    *is_allowed = true;
    return true;
}

static bool read_allowed_issuers(config_loader_t *loader, const config_node_t *list, client_t *client)
{
    size_t issuer_count = loader->config->issuer_count;
    client->issuer_is_allowed = calloc(issuer_count, sizeof(*client->issuer_is_allowed));
    if (client->issuer_is_allowed == NULL)
        return config_fail_memory(loader);
    if (list->id == 0) {
        for (size_t i = 0; i < issuer_count; i++)
            client->issuer_is_allowed[i] = true;
        return true;
    }
    size_t count;
    /* Each may be given once, so there is no need for another bound. */
    if (!config_list(loader, list, SIZE_MAX, &count))
        return false;
    for (size_t i = 0; i < count; i++) {
        config_node_t item = config_item(loader, list, i);
        if (!allow_issuer(loader, &item, client))
            return false;
    }
    return true;
}

static bool read_inactive_status(config_loader_t *loader, const config_node_t *node, client_t *client)
{
    if (node->id == 0)
        client->inactive_status = profile_inactive_status(client->profile);
    else if (config_is_word(loader, node, "200"))
        client->inactive_status = 200;
    else if (config_is_word(loader, node, "401"))
        client->inactive_status = 401;
    else
        return config_fail(loader, node, "must be 200 or 401");
    return true;
}

static bool read_client(config_loader_t *loader, const config_node_t *node, client_t *client)
{
    config_node_t values[KEY_COUNT];
    return config_keys(loader, node, KEYS, KEY_COUNT, values) &&
           read_client_id(loader, &values[CLIENT_ID], client) &&
           read_profile(loader, &values[PROFILE], client) &&
           read_allowed_issuers(loader, &values[ISSUERS], client) &&
           read_inactive_status(loader, &values[INACTIVE_STATUS], client) &&
           config_read_fields(loader, &values[FIELDS], client) &&
           config_read_secrets(loader, &values[SECRET_FILES], client);
}

bool config_read_clients(config_loader_t *loader, const config_node_t *list)
{
    client_set_t *set = &loader->config->clients;
    size_t count;
    if (!config_list(loader, list, MAX_CLIENTS, &count))
        return false;
    set->clients = calloc(count, sizeof(*set->clients));
    if (set->clients == NULL)
        return config_fail_memory(loader);
    set->count = count;
    for (size_t i = 0; i < count; i++) {
        config_node_t item = config_item(loader, list, i);
        if (!read_client(loader, &item, &set->clients[i]))
            return false;
    }
    client_set_finish(set);
    return true;
}
