#include "config_internal.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/un.h>

enum { MAX_LISTENERS = 64 };

enum { DEFAULT_TICKET_LIFETIME_S = 12 * 3600, MAX_TICKET_LIFETIME_S = 7 * 86400 };

/* RFC 8446 section 4.6.1: no ticket is used for more than seven days. */
static const config_range_t TICKET_LIFETIME_RANGE = {10, MAX_TICKET_LIFETIME_S, false};

/* sun_path with its NUL. */
enum { MAX_UNIX_PATH_BYTES = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1 };

void config_address_deinit(config_address_t *address)
{
    free(address->text);
    free(address->host);
    free(address->unix_path);
}

static bool fail_address(config_loader_t *loader, const config_node_t *node, slice_t text)
{
    char quoted[CONFIG_QUOTE_SIZE];
    return config_fail(loader, node,
                       "must be IPv4:PORT, [IPv6]:PORT or unix:PATH, with a numeric address, not %s",
                       config_quote(text, quoted));
}

static bool read_unix(config_loader_t *loader, const config_node_t *node, slice_t path,
                      config_address_t *address)
{
    if (path.len == 0)
        return config_fail(loader, node, "must have a path behind unix:");
    address->unix_path = config_resolve(loader, path);
    if (address->unix_path == NULL)
        return config_fail_memory(loader);
    size_t len = strlen(address->unix_path);
    if (len > MAX_UNIX_PATH_BYTES)
        return config_fail(loader, node, "the socket's absolute path has %zu bytes, at most %d are possible",
                           len, MAX_UNIX_PATH_BYTES);
    return true;
}

bool config_parse_port(slice_t text, uint16_t *out)
{
    unsigned port = 0;
    if (text.len == 0 || text.len > 5)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.base[i] < '0' || text.base[i] > '9')
            return false;
        port = port * 10 + (unsigned)(text.base[i] - '0');
    }
    if (port > UINT16_MAX)
        return false;
    *out = (uint16_t)port;
    return true;
}

/* Takes the numeric host as it is written in text, and gives its one canonical spelling; NULL when it is
 * none. */
static const char *canonical_host(slice_t text, char out[INET6_ADDRSTRLEN])
{
    bool has_brackets = text.len >= 2 && text.base[0] == '[' && text.base[text.len - 1] == ']';
    if (has_brackets)
        text = (slice_t){text.base + 1, text.len - 2};
    char host[INET6_ADDRSTRLEN];
    if (text.len >= sizeof(host))
        return NULL;
    memcpy(host, text.base, text.len);
    host[text.len] = '\0';
    int family = has_brackets ? AF_INET6 : AF_INET;
    struct in6_addr binary; /* room for either family */
    if (inet_pton(family, host, &binary) != 1)
        return NULL;
    return inet_ntop(family, &binary, out, INET6_ADDRSTRLEN);
}

static bool read_tcp(config_loader_t *loader, const config_node_t *node, slice_t text,
                     config_address_t *address)
{
    const char *colon = memrchr(text.base, ':', text.len);
    if (colon == NULL)
        return fail_address(loader, node, text);
    slice_t host_text = {text.base, (size_t)(colon - text.base)};
    slice_t port_text = {colon + 1, text.len - host_text.len - 1};
    uint16_t port;
    if (!config_parse_port(port_text, &port))
        return fail_address(loader, node, text);
    if (host_text.len == 0)
        return config_fail(loader, node, "must have a host: write 0.0.0.0:%u or \"[::]:%u\"", port, port);
    char host[INET6_ADDRSTRLEN];
    if (canonical_host(host_text, host) == NULL)
        return fail_address(loader, node, text);
    address->port = port;
    address->host = strdup(host);
    return address->host != NULL || config_fail_memory(loader);
}

static bool addresses_clash(const config_address_t *a, const config_address_t *b)
{
    if (a->unix_path != NULL || b->unix_path != NULL)
        return a->unix_path != NULL && b->unix_path != NULL && strcmp(a->unix_path, b->unix_path) == 0;
    /* Port 0 is another one each time. */
    return a->port != 0 && a->port == b->port && strcmp(a->host, b->host) == 0;
}

bool config_address_parse(const char *text, config_address_t *address)
{
    *address = (config_address_t){.text = strdup(text)};
    const char *path = strncmp(text, "unix:", strlen("unix:")) == 0 ? text + strlen("unix:") : NULL;
    if (path != NULL) {
        address->unix_path = strdup(path);
        return address->text != NULL && address->unix_path != NULL && path[0] != '\0' &&
               strlen(path) <= MAX_UNIX_PATH_BYTES;
    }
    const char *colon = strrchr(text, ':');
    char host[INET6_ADDRSTRLEN];
    if (address->text == NULL || colon == NULL || !config_parse_port(slice_of(colon + 1), &address->port) ||
        canonical_host((slice_t){text, (size_t)(colon - text)}, host) == NULL)
        return false;
    address->host = strdup(host);
    return address->host != NULL;
}

/* Whether address is that of none of the first `before` listeners. */
static bool is_unlike_listeners(config_loader_t *loader, const config_node_t *node, size_t before,
                                const config_address_t *address, const char *hint)
{
    for (size_t i = 0; i < before; i++) {
        const config_listener_t *other = &loader->config->listeners[i];
        if (addresses_clash(address, &other->address))
            return config_fail(loader, node, "the same address as listen[%zu] (line %u)%s", i, other->line,
                               hint);
    }
    return true;
}

/* Reads an address and compares it with the first `before` listeners. */
static bool read_address(config_loader_t *loader, const config_node_t *node, size_t before,
                         config_address_t *address)
{
    slice_t text;
    if (!config_text(loader, node, &text) || !config_string(loader, node, &address->text))
        return false;
    static const char UNIX[] = "unix:";
    size_t prefix = sizeof(UNIX) - 1;
    bool is_read = text.len >= prefix && memcmp(text.base, UNIX, prefix) == 0
                       ? read_unix(loader, node, (slice_t){text.base + prefix, text.len - prefix}, address)
                       : read_tcp(loader, node, text, address);
    return is_read && is_unlike_listeners(loader, node, before, address, "");
}

static bool read_tls(config_loader_t *loader, const config_node_t *node, config_listener_t *listener)
{
    enum { CERTIFICATE_FILE, PRIVATE_KEY_FILE, CLIENT_CA_FILE, TICKET_LIFETIME, COUNT };
    static const config_key_t KEYS[COUNT] = {{"certificate_file", true},
                                             {"private_key_file", true},
                                             {"client_ca_file", false},
                                             {"ticket_lifetime", false}};
    config_node_t values[COUNT];
    listener->ticket_lifetime_s = DEFAULT_TICKET_LIFETIME_S;
    return config_keys(loader, node, KEYS, COUNT, values) &&
           config_readable_file(loader, &values[CERTIFICATE_FILE], &listener->certificate_file) &&
           config_readable_file(loader, &values[PRIVATE_KEY_FILE], &listener->private_key_file) &&
           (values[CLIENT_CA_FILE].id == 0 ||
            config_ca_file(loader, &values[CLIENT_CA_FILE], &listener->client_ca_file)) &&
           (values[TICKET_LIFETIME].id == 0 ||
            config_duration(loader, &values[TICKET_LIFETIME], TICKET_LIFETIME_RANGE,
                            &listener->ticket_lifetime_s));
}

static bool read_listener(config_loader_t *loader, const config_node_t *node, config_listener_t *listener)
{
    enum { ADDRESS, TLS, PROXY_PROTOCOL, COUNT };
    static const config_key_t KEYS[COUNT] = {{"address", true}, {"tls", false}, {"proxy_protocol", false}};
    config_node_t values[COUNT];
    listener->line = node->line;
    return config_keys(loader, node, KEYS, COUNT, values) &&
           read_address(loader, &values[ADDRESS], node->index, &listener->address) &&
           (values[TLS].id == 0 || read_tls(loader, &values[TLS], listener)) &&
           (values[PROXY_PROTOCOL].id == 0 ||
            config_read_proxy_protocol(loader, &values[PROXY_PROTOCOL], listener));
}

bool config_read_listeners(config_loader_t *loader, const config_node_t *list)
{
    config_t *config = loader->config;
    size_t count;
    if (!config_list(loader, list, MAX_LISTENERS, &count))
        return false;
    config->listeners = calloc(count, sizeof(*config->listeners));
    if (config->listeners == NULL)
        return config_fail_memory(loader);
    config->listener_count = count;
    for (size_t i = 0; i < count; i++) {
        config_node_t item = config_item(loader, list, i);
        if (!read_listener(loader, &item, &config->listeners[i]))
            return false;
    }
    return true;
}

static bool set_default_admin(config_loader_t *loader, const config_node_t *admin)
{
    config_t *config = loader->config;
    config->has_admin = true;
    config->has_default_admin = true;
    if (!config_address_parse(CONFIG_DEFAULT_ADMIN, &config->admin))
        return config_fail_memory(loader);
    return is_unlike_listeners(loader, admin, config->listener_count, &config->admin,
                               ", which is the default of `admin`: " CONFIG_ADMIN_HINT);
}

bool config_read_admin(config_loader_t *loader, const config_node_t *admin)
{
    if (admin->id == 0)
        return set_default_admin(loader, admin);
    if (config_is_word(loader, admin, "none"))
        return true;
    if (yaml_tree_kind(loader->tree, admin->id) == YAML_TREE_SCALAR)
        return config_fail(loader, admin, "must be none, or a mapping with an address");
    static const config_key_t KEYS[] = {{"address", true}};
    config_node_t address;
    config_t *config = loader->config;
    config->has_admin = true;
    return config_keys(loader, admin, KEYS, 1, &address) &&
           read_address(loader, &address, config->listener_count, &config->admin);
}

/* What a URL's path cannot hold, and what a server or a proxy would change (RFC 3986 section 5.2.4). */
static const char *path_fault(slice_t path)
{
    if (path.base[0] != '/')
        return "must begin with /";
    size_t segment = 1;
    for (size_t i = 1; i <= path.len; i++) {
        if (i < path.len && strchr("?# ", path.base[i]) != NULL)
            return "must not hold a space, ? or #";
        if (i < path.len && path.base[i] != '/')
            continue;
        size_t len = i - segment;
        if (len == 0 && i < path.len)
            return "must not hold //";
        if ((len == 1 && path.base[segment] == '.') ||
            (len == 2 && path.base[segment] == '.' && path.base[segment + 1] == '.'))
            return "must not have a segment . or ..";
        segment = i + 1;
    }
    return NULL;
}

bool config_read_endpoint_path(config_loader_t *loader, const config_node_t *node)
{
    slice_t text;
    if (!config_text(loader, node, &text))
        return false;
    const char *fault = path_fault(text);
    if (fault != NULL)
        return config_fail(loader, node, "%s", fault);
    return config_string(loader, node, &loader->config->path);
}
