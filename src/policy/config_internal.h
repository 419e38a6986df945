/*
 * config_internal: what the files config*.c share while a config is being loaded.
 *
 * One loader lives on config_load's stack and belongs to its thread. Every reader gives false once something
 * is wrong, with the loader's error filled; what it stored so far is in the config, which config_free frees
 * in any state.
 */
#ifndef INTROSPECTD_POLICY_CONFIG_INTERNAL_H
#define INTROSPECTD_POLICY_CONFIG_INTERNAL_H

#include "introspectd/config.h"

#include "yaml_tree.h"

typedef struct config_loader {
    const char *file;        /* as given */
    config_file_cb *on_file; /* may be NULL */
    void *on_file_data;
    char *directory; /* absolute: where relative paths start */
    yaml_tree_t *tree;
    digester_t *digester;
    config_t *config;
    config_error_t *error;
} config_loader_t;

/*
 * A node and the way to it, as a chain through the callers' frames, so that its path is written only when
 * something is wrong.
 */
typedef struct config_node {
    const struct config_node *parent; /* NULL for the top level */
    slice_t key;                      /* absent for an item of a list */
    size_t index;                     /* an item's place */
    yaml_tree_node_t id;              /* 0: an optional key that is not there */
    unsigned line;
} config_node_t;

/* config_report.c: errors, notes, and the text of both */

/* Writes "FILE:LINE: PATH: ..." into the loader's error. */
void config_set_error(config_loader_t *loader, const config_node_t *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same without a node, "FILE: ..." or, when line is not 0, "FILE:LINE: ...". */
void config_set_file_error(config_loader_t *loader, unsigned line, const char *text);

/* The false that a reader returns, in sight of its compiler. */
#define config_fail(...) (config_set_error(__VA_ARGS__), false)
#define config_fail_file(...) (config_set_file_error(__VA_ARGS__), false)
#define config_fail_memory(loader) config_fail_file(loader, 0, "out of memory")

/* Adds a note in the form of an error. False out of memory. */
bool config_note(config_loader_t *loader, const config_node_t *node, const char *format, ...)
    __attribute__((format(printf, 3, 4), warn_unused_result));

enum { CONFIG_QUOTE_SIZE = 256 };

/* Writes text in quotes into out, without control characters and cut on a character's boundary. Gives out. */
const char *config_quote(slice_t text, char out[CONFIG_QUOTE_SIZE]);

/* Whether text holds no control character (U+0000 to U+001F, U+007F to U+009F); text is UTF-8. */
bool config_is_printable(slice_t text);

/* config_node.c: walking mappings and lists */

typedef struct config_key {
    const char *name;
    bool is_required;
} config_key_t;

enum { CONFIG_MAX_KEYS = 32 };

/*
 * Finds the values of a mapping whose keys are all known: values[i] is that of keys[i], with the id 0 when it
 * is not there. Not a mapping, an unknown or repeated key and a missing one are errors.
 */
bool config_keys(config_loader_t *loader, const config_node_t *mapping, const config_key_t *keys,
                 size_t count, config_node_t *values) __attribute__((warn_unused_result));

/*
 * Finds the value of one key of a mapping, whatever the others are: the id 0 when it is not there. Not a
 * mapping and a repeated key are errors.
 */
bool config_find(config_loader_t *loader, const config_node_t *mapping, const char *name,
                 config_node_t *value) __attribute__((warn_unused_result));

/* Checks that mapping is one whose keys are up to max different, non-empty texts; any name is legal. */
bool config_entries(config_loader_t *loader, const config_node_t *mapping, size_t max, size_t *count)
    __attribute__((warn_unused_result));
/* The i-th value of such a mapping, with its key, NUL-terminated, in .key. */
config_node_t config_entry(const config_loader_t *loader, const config_node_t *mapping, size_t i);
/* The same place with the line of the key, for what is wrong with the key itself. */
config_node_t config_entry_key(const config_loader_t *loader, const config_node_t *mapping, size_t i);

/* Checks that list is one of 1 to max items. */
bool config_list(config_loader_t *loader, const config_node_t *list, size_t max, size_t *count)
    __attribute__((warn_unused_result));
config_node_t config_item(const config_loader_t *loader, const config_node_t *list, size_t i);

bool config_is_list(const config_loader_t *loader, const config_node_t *node);
/* Whether node is the word, written plainly. */
bool config_is_word(const config_loader_t *loader, const config_node_t *node, const char *word);
/* Whether node is a null, written plainly: nothing, `~` or `null`. */
bool config_is_null(const config_loader_t *loader, const config_node_t *node);

/* config_value.c: scalars. Outputs are untouched on failure. */

/* A scalar that is not null and holds no control character; it may be empty. Borrowed from the tree. */
bool config_scalar(config_loader_t *loader, const config_node_t *node, slice_t *out)
    __attribute__((warn_unused_result));
/* The same, and not empty. */
bool config_text(config_loader_t *loader, const config_node_t *node, slice_t *out)
    __attribute__((warn_unused_result));
/* A copy of such a text. */
bool config_string(config_loader_t *loader, const config_node_t *node, char **out)
    __attribute__((warn_unused_result));
/* A text, or a list of 1 to max of them. *count is what *out holds, on failure too. */
bool config_strings(config_loader_t *loader, const config_node_t *node, size_t max, char ***out,
                    size_t *count) __attribute__((warn_unused_result));

/* An integer from min to max, written plainly. `or_else` names what else the caller takes; may be NULL. */
bool config_integer(config_loader_t *loader, const config_node_t *node, unsigned min, unsigned max,
                    const char *or_else, unsigned *out) __attribute__((warn_unused_result));

/* `true` or `false`, written plainly. */
bool config_bool(config_loader_t *loader, const config_node_t *node, bool *out)
    __attribute__((warn_unused_result));

typedef struct config_range {
    uint64_t min;
    uint64_t max;
    bool may_be_zero; /* besides min to max */
} config_range_t;

/* Bytes: an integer, bare or with KiB, MiB or GiB. */
bool config_size(config_loader_t *loader, const config_node_t *node, config_range_t range, size_t *out)
    __attribute__((warn_unused_result));
/* Seconds: 0, or an integer with s, m, h or d. */
bool config_duration(config_loader_t *loader, const config_node_t *node, config_range_t range, int64_t *out)
    __attribute__((warn_unused_result));

/* config_file.c: files that the config names */

/* Tells whoever loads the config that the file at path, which is absolute, is going to be read. */
void config_tell_file(const config_loader_t *loader, const char *path);

/* A path, made absolute. */
bool config_path(config_loader_t *loader, const config_node_t *node, char **out)
    __attribute__((warn_unused_result));
/* Makes text absolute. NULL out of memory. */
char *config_resolve(const config_loader_t *loader, slice_t text) __attribute__((warn_unused_result));
/* As file_read, but of a regular file only: EINVAL for another kind. */
int config_read_file(const char *path, size_t max_bytes, char **text, size_t *len)
    __attribute__((warn_unused_result));
/* What such an error says to people. Static, or the C library's. */
const char *config_strerror(int error);
/* A path to a file that can be opened for reading, told before it is tried. */
bool config_readable_file(config_loader_t *loader, const config_node_t *node, char **out)
    __attribute__((warn_unused_result));
/* The same to a file of up to 4 MiB that looks as if it held certificates in PEM. */
bool config_ca_file(config_loader_t *loader, const config_node_t *node, char **out)
    __attribute__((warn_unused_result));

/* config_url.c */

/*
 * What is wrong with url, in words that do not show it, NULL when it is absolute, https (or http with
 * allow_http) and has a host, no user name, no fragment and, unless may_have_query, no query.
 */
const char *config_url_fault(slice_t url, bool allow_http, bool may_have_query);

/* The sections, one file each */

bool config_read_trusted_proxies(config_loader_t *loader, const config_node_t *list)
    __attribute__((warn_unused_result));
/* Whether connections on the listener, whose address is in, begin with a PROXY protocol header. The trusted
 * proxies must be in. */
bool config_read_proxy_protocol(config_loader_t *loader, const config_node_t *node,
                                config_listener_t *listener) __attribute__((warn_unused_result));
/* The trusted proxies must be in. */
bool config_read_listeners(config_loader_t *loader, const config_node_t *list)
    __attribute__((warn_unused_result));
/* admin has the id 0 when it is not there. The listeners, if they are read at all, must be in. */
bool config_read_admin(config_loader_t *loader, const config_node_t *admin)
    __attribute__((warn_unused_result));
void config_set_default_limits(config_t *config);
bool config_read_limits(config_loader_t *loader, const config_node_t *node)
    __attribute__((warn_unused_result));
bool config_read_timeouts(config_loader_t *loader, const config_node_t *node)
    __attribute__((warn_unused_result));
bool config_read_access_log(config_loader_t *loader, const config_node_t *node)
    __attribute__((warn_unused_result));
bool config_read_endpoint_path(config_loader_t *loader, const config_node_t *node)
    __attribute__((warn_unused_result));
/* The text of a port; false when it is none. */
bool config_parse_port(slice_t text, uint16_t *out) __attribute__((warn_unused_result));

/* `user`: a name, which is looked up, or numbers. */
bool config_read_user(config_loader_t *loader, const config_node_t *node) __attribute__((warn_unused_result));

bool config_read_issuers(config_loader_t *loader, const config_node_t *list)
    __attribute__((warn_unused_result));

/* The members of an issuer that say where its keys come from: their places in what config_read_key_source
 * takes. */
enum {
    CONFIG_JWKS_FILE,
    CONFIG_JWKS_URL,
    CONFIG_DISCOVER,
    CONFIG_FIRST_OF_FETCH, /* the others are about fetching */
    CONFIG_ALLOW_HTTP = CONFIG_FIRST_OF_FETCH,
    CONFIG_CA_FILE,
    CONFIG_CONNECT_TIMEOUT,
    CONFIG_FETCH_TIMEOUT,
    CONFIG_FETCH_MAX_BYTES,
    CONFIG_REFRESH_MIN,
    CONFIG_REFRESH_MAX,
    CONFIG_COOLDOWN,
    CONFIG_STALE_MAX,
    CONFIG_SOURCE_KEY_COUNT
};

/* item is the issuer, identifier its `issuer`. The identifier and the algorithms must be in. */
bool config_read_key_source(config_loader_t *loader, const config_node_t *item,
                            const config_node_t *identifier, const config_node_t *values,
                            config_issuer_t *issuer) __attribute__((warn_unused_result));
/* Reads the file into a slot. The algorithms must be in. */
bool config_read_jwks_file(config_loader_t *loader, const config_node_t *node, config_issuer_t *issuer)
    __attribute__((warn_unused_result));

/* The issuers must be in. */
bool config_read_clients(config_loader_t *loader, const config_node_t *list)
    __attribute__((warn_unused_result));
/* Secrets of a client: from files to digests. */
bool config_read_secrets(config_loader_t *loader, const config_node_t *list, client_t *client)
    __attribute__((warn_unused_result));
/* The mapping of a client whose profile is known; fields may be absent. */
bool config_read_fields(config_loader_t *loader, const config_node_t *fields, client_t *client)
    __attribute__((warn_unused_result));

#endif
