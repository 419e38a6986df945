#include "config_internal.h"

#include <stdlib.h>

enum { MAX_TRUSTED_PROXIES = 64 };

static bool read_prefix(config_loader_t *loader, const config_node_t *node, ip_prefix_t *prefix)
{
    slice_t text;
    char quoted[CONFIG_QUOTE_SIZE];
    char meant[IP_PREFIX_TEXT_SIZE];
    if (!config_text(loader, node, &text))
        return false;
    switch (ip_prefix_parse(text, prefix)) {
    case IP_PREFIX_IS_GOOD:
        return true;
    case IP_PREFIX_HAS_HOST_BITS:
        return config_fail(loader, node, "must have no bits set behind the prefix: %s, not %s",
                           ip_prefix_text(prefix, meant), config_quote(text, quoted));
    case IP_PREFIX_IS_MALFORMED:
        break;
    }
    return config_fail(loader, node,
                       "must be an IPv4 or IPv6 prefix (ADDRESS/BITS) or a single address, not %s",
                       config_quote(text, quoted));
}

/* False out of memory. */
static bool note_everybody(config_loader_t *loader, const config_node_t *node, const ip_prefix_t *prefix)
{
    enum { IPV4_PREFIX_BITS = 96 };
    unsigned none = prefix->address.family == IP_FAMILY_V4 ? IPV4_PREFIX_BITS : 0;
    return prefix->bits != none ||
           config_note(loader, node, "warning: anybody can say who they are, and no address is bound");
}

bool config_read_trusted_proxies(config_loader_t *loader, const config_node_t *list)
{
    config_t *config = loader->config;
    size_t count;
    if (!config_list(loader, list, MAX_TRUSTED_PROXIES, &count))
        return false;
    config->trusted_proxies = calloc(count, sizeof(*config->trusted_proxies));
    if (config->trusted_proxies == NULL)
        return config_fail_memory(loader);
    config->trusted_proxy_count = count;
    for (size_t i = 0; i < count; i++) {
        config_node_t item = config_item(loader, list, i);
        if (!read_prefix(loader, &item, &config->trusted_proxies[i]) ||
            !note_everybody(loader, &item, &config->trusted_proxies[i]))
            return false;
    }
    return true;
}

bool config_read_proxy_protocol(config_loader_t *loader, const config_node_t *node,
                                config_listener_t *listener)
{
    if (!config_bool(loader, node, &listener->has_proxy_protocol))
        return false;
    bool is_for_nobody = loader->config->trusted_proxy_count == 0 && listener->address.unix_path == NULL;
    if (listener->has_proxy_protocol && is_for_nobody)
        return config_fail(loader, node, "must be false without trusted_proxies, since nobody could connect");
    return true;
}
