#include "introspectd/config.h"

#include "config_internal.h"
#include "introspectd/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAX_CONFIG_BYTES = 1 << 20, MAX_THREADS = 1024, MAX_STRIPES = 4096 };

#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)
#define TIB (UINT64_C(1) << 40)

enum {
    LISTEN,
    TRUSTED_PROXIES,
    PATH,
    ADMIN,
    THREADS,
    DRAIN_DELAY,
    SHUTDOWN_TIMEOUT,
    READY,
    CORE_DUMPS,
    USER,
    SECCOMP,
    CACHE,
    ACCESS_LOG,
    LIMITS,
    TIMEOUTS,
    ISSUERS,
    CLIENTS,
    KEY_COUNT
};

static const config_key_t KEYS[KEY_COUNT] = {[LISTEN] = {"listen", true},
                                             [TRUSTED_PROXIES] = {"trusted_proxies", false},
                                             [PATH] = {"path", false},
                                             [ADMIN] = {"admin", false},
                                             [THREADS] = {"threads", false},
                                             [DRAIN_DELAY] = {"drain_delay", false},
                                             [SHUTDOWN_TIMEOUT] = {"shutdown_timeout", false},
                                             [READY] = {"ready", false},
                                             [CORE_DUMPS] = {"core_dumps", false},
                                             [USER] = {"user", false},
                                             [SECCOMP] = {"seccomp", false},
                                             [CACHE] = {"cache", false},
                                             [ACCESS_LOG] = {"access_log", false},
                                             [LIMITS] = {"limits", false},
                                             [TIMEOUTS] = {"timeouts", false},
                                             [ISSUERS] = {"issuers", true},
                                             [CLIENTS] = {"clients", true}};

static void set_defaults(config_t *config)
{
    config->shutdown_timeout_s = 10;
    config->cache.max_bytes = 64 * MIB;
    config->cache.stripes = 64;
    config->cache.max_ttl_s = 300;
    config_set_default_limits(config);
}

static bool read_path(config_loader_t *loader, const config_node_t *node)
{
    if (node->id != 0)
        return config_read_endpoint_path(loader, node);
    loader->config->path = strdup("/introspect");
    return loader->config->path != NULL || config_fail_memory(loader);
}

static bool read_threads(config_loader_t *loader, const config_node_t *node)
{
    if (config_is_word(loader, node, "auto"))
        return true;
    return config_integer(loader, node, 1, MAX_THREADS, "auto", &loader->config->threads);
}

static bool read_ready(config_loader_t *loader, const config_node_t *node)
{
    slice_t word;
    if (!config_text(loader, node, &word))
        return false;
    loader->config->is_ready_with_any = slice_equal(word, slice_of("any"));
    if (!loader->config->is_ready_with_any && !slice_equal(word, slice_of("all"))) {
        char quoted[CONFIG_QUOTE_SIZE];
        return config_fail(loader, node, "must be all or any, not %s", config_quote(word, quoted));
    }
    return true;
}

static bool read_cache(config_loader_t *loader, const config_node_t *node)
{
    enum { MAX_BYTES, STRIPES, MAX_TTL, COUNT };
    static const config_key_t CACHE_KEYS[COUNT] = {
        {"max_bytes", false}, {"stripes", false}, {"max_ttl", false}};
    static const config_range_t BYTES_RANGE = {64 * KIB, TIB, true};
    static const config_range_t TTL_RANGE = {1, 86400, false};
    config_node_t values[COUNT];
    config_t *config = loader->config;
    return config_keys(loader, node, CACHE_KEYS, COUNT, values) &&
           (values[MAX_BYTES].id == 0 ||
            config_size(loader, &values[MAX_BYTES], BYTES_RANGE, &config->cache.max_bytes)) &&
           (values[STRIPES].id == 0 ||
            config_integer(loader, &values[STRIPES], 1, MAX_STRIPES, NULL, &config->cache.stripes)) &&
           (values[MAX_TTL].id == 0 ||
            config_duration(loader, &values[MAX_TTL], TTL_RANGE, &config->cache.max_ttl_s));
}

/* The sections in the order in which they need each other: clients name issuers, listeners need proxies. */
static bool read_config(config_loader_t *loader)
{
    yaml_tree_node_t id = yaml_tree_root(loader->tree);
    config_node_t root = {.id = id, .line = yaml_tree_line(loader->tree, id)};
    static const config_range_t DELAY_RANGE = {0, 300, false};
    static const config_range_t SHUTDOWN_RANGE = {0, 3600, false};
    config_node_t values[KEY_COUNT];
    return config_keys(loader, &root, KEYS, KEY_COUNT, values) &&
           (values[TRUSTED_PROXIES].id == 0 ||
            config_read_trusted_proxies(loader, &values[TRUSTED_PROXIES])) &&
           config_read_listeners(loader, &values[LISTEN]) && read_path(loader, &values[PATH]) &&
           config_read_admin(loader, &values[ADMIN]) &&
           (values[THREADS].id == 0 || read_threads(loader, &values[THREADS])) &&
           (values[DRAIN_DELAY].id == 0 ||
            config_duration(loader, &values[DRAIN_DELAY], DELAY_RANGE, &loader->config->drain_delay_s)) &&
           (values[SHUTDOWN_TIMEOUT].id == 0 ||
            config_duration(loader, &values[SHUTDOWN_TIMEOUT], SHUTDOWN_RANGE,
                            &loader->config->shutdown_timeout_s)) &&
           (values[READY].id == 0 || read_ready(loader, &values[READY])) &&
           (values[CORE_DUMPS].id == 0 ||
            config_bool(loader, &values[CORE_DUMPS], &loader->config->allows_core_dumps)) &&
           (values[USER].id == 0 || config_read_user(loader, &values[USER])) &&
           (values[SECCOMP].id == 0 ||
            config_bool(loader, &values[SECCOMP], &loader->config->filters_syscalls)) &&
           (values[CACHE].id == 0 || read_cache(loader, &values[CACHE])) &&
           (values[ACCESS_LOG].id == 0 || config_read_access_log(loader, &values[ACCESS_LOG])) &&
           (values[LIMITS].id == 0 || config_read_limits(loader, &values[LIMITS])) &&
           (values[TIMEOUTS].id == 0 || config_read_timeouts(loader, &values[TIMEOUTS])) &&
           config_read_issuers(loader, &values[ISSUERS]) && config_read_clients(loader, &values[CLIENTS]);
}

/* The absolute directory that file stands in; links stay as they are, since what they name may be replaced.
 */
static bool find_directory(config_loader_t *loader)
{
    const char *slash = strrchr(loader->file, '/');
    size_t len = slash == NULL ? 0 : (size_t)(slash - loader->file);
    if (loader->file[0] == '/') {
        loader->directory = strndup(loader->file, len);
        return loader->directory != NULL || config_fail_memory(loader);
    }
    char *working = getcwd(NULL, 0);
    if (working == NULL)
        return config_fail_file(loader, 0, "the working directory cannot be found");
    if (asprintf(&loader->directory, "%s%s%.*s", working, len == 0 ? "" : "/", (int)len, loader->file) < 0)
        loader->directory = NULL;
    free(working);
    return loader->directory != NULL || config_fail_memory(loader);
}

static bool tell_own_file(config_loader_t *loader)
{
    const char *slash = strrchr(loader->file, '/');
    slice_t name = slice_of(slash == NULL || loader->file[0] == '/' ? loader->file : slash + 1);
    char *path = config_resolve(loader, name);
    if (path == NULL)
        return config_fail_memory(loader);
    config_tell_file(loader, path);
    free(path);
    return true;
}

static bool read_tree(config_loader_t *loader)
{
    char *text;
    size_t len;
    int error = config_read_file(loader->file, MAX_CONFIG_BYTES, &text, &len);
    if (error != 0) {
        char message[128];
        snprintf(message, sizeof(message), "cannot be read: %s",
                 error == EFBIG ? "over 1 MiB" : config_strerror(error));
        return config_fail_file(loader, 0, message);
    }
    yaml_tree_error_t tree_error;
    loader->tree = yaml_tree_parse((slice_t){text, len}, &tree_error);
    free(text);
    if (loader->tree == NULL)
        return config_fail_file(loader, tree_error.line, tree_error.text);
    return true;
}

static bool set_up(config_loader_t *loader)
{
    config_t *config = loader->config;
    config->file = strdup(loader->file);
    if (config->file == NULL)
        return config_fail_memory(loader);
    set_defaults(config);
    loader->digester = digester_new();
    if (loader->digester == NULL || !client_set_init(&config->clients))
        return config_fail_file(loader, 0, "OpenSSL gives no digests or no random numbers");
    return find_directory(loader);
}

config_t *config_load(const char *path, config_file_cb *on_file, void *on_file_data, config_error_t *error)
{
    config_loader_t loader = {.file = path, .on_file = on_file, .on_file_data = on_file_data, .error = error};
    loader.config = calloc(1, sizeof(*loader.config));
    if (loader.config == NULL) {
        config_set_file_error(&loader, 0, "out of memory");
        return NULL;
    }
    bool is_loaded = set_up(&loader) && tell_own_file(&loader) && read_tree(&loader) && read_config(&loader);
    yaml_tree_free(loader.tree);
    digester_free(loader.digester);
    free(loader.directory);
    if (!is_loaded) {
        config_free(loader.config);
        return NULL;
    }
    return loader.config;
}

/* What config_load does for the admin listener. */
static bool read_admin_only(config_loader_t *loader)
{
    loader->config->file = strdup(loader->file);
    if (loader->config->file == NULL)
        return config_fail_memory(loader);
    if (!find_directory(loader) || !read_tree(loader))
        return false;
    yaml_tree_node_t id = yaml_tree_root(loader->tree);
    config_node_t root = {.id = id, .line = yaml_tree_line(loader->tree, id)};
    config_node_t admin;
    return config_find(loader, &root, KEYS[ADMIN].name, &admin) && config_read_admin(loader, &admin);
}

config_t *config_load_admin(const char *path, config_error_t *error)
{
    config_loader_t loader = {.file = path, .error = error};
    loader.config = calloc(1, sizeof(*loader.config));
    if (loader.config == NULL) {
        config_set_file_error(&loader, 0, "out of memory");
        return NULL;
    }
    bool is_loaded = read_admin_only(&loader);
    yaml_tree_free(loader.tree);
    free(loader.directory);
    if (!is_loaded) {
        config_free(loader.config);
        return NULL;
    }
    return loader.config;
}

void config_free(config_t *config)
{
    if (config == NULL)
        return;
    for (size_t i = 0; i < config->listener_count; i++) {
        config_address_deinit(&config->listeners[i].address);
        free(config->listeners[i].certificate_file);
        free(config->listeners[i].private_key_file);
        free(config->listeners[i].client_ca_file);
    }
    for (size_t i = 0; i < config->issuer_count; i++) {
        claims_rules_deinit(&config->issuers[i].rules);
        free(config->issuers[i].jwks_file);
        free(config->issuers[i].fetch.jwks_url);
        free(config->issuers[i].fetch.ca_file);
        keyset_slot_release(config->issuers[i].keys);
    }
    for (size_t i = 0; i < config->note_count; i++)
        free(config->notes[i]);
    client_set_deinit(&config->clients);
    config_address_deinit(&config->admin);
    free(config->listeners);
    free(config->trusted_proxies);
    free(config->issuers);
    free(config->notes);
    free(config->user.name);
    free(config->access_log.file);
    free(config->path);
    free(config->file);
    free(config);
}

const config_issuer_t *config_find_issuer(const config_t *config, slice_t issuer)
{
    for (size_t i = 0; i < config->issuer_count; i++) {
        if (slice_equal(slice_of(config->issuers[i].rules.issuer), issuer))
            return &config->issuers[i];
    }
    return NULL;
}

bool config_issuer_has_keys(const config_issuer_t *issuer)
{
    keyset_t *keys = keyset_slot_acquire_keys(issuer->keys);
    bool is_usable = keys != NULL && keyset_is_usable(keys, issuer->algorithms);
    keyset_release(keys);
    return is_usable;
}
