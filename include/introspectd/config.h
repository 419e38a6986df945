/*
 * config: one YAML file, taken whole or not at all.
 *
 * Loading reads everything that the file names (key sets, secrets), so that whatever is wrong is one line
 * with the file, the line and the path of the key, before anything starts. Keys that are fetched are not:
 * whoever loads puts a slot for them into each such issuer. From then on a config is immutable, and any
 * thread may read it.
 */
#ifndef INTROSPECTD_CONFIG_H
#define INTROSPECTD_CONFIG_H

#include "introspectd/algorithm.h"
#include "introspectd/claims.h"
#include "introspectd/client.h"
#include "introspectd/ip_address.h"
#include "introspectd/keyset_slot.h"

#include <stdint.h>

typedef struct config_address {
    char *text;      /* as written */
    char *host;      /* numeric IPv4 or IPv6 without brackets; NULL for a Unix socket */
    uint16_t port;   /* 0: any free port */
    char *unix_path; /* absolute; NULL for TCP. Written `unix:/path` */
} config_address_t;

/* Where the admin listener is when the config does not say, and what to tell whom that does not suit. */
#define CONFIG_DEFAULT_ADMIN "127.0.0.1:9090"
#define CONFIG_ADMIN_HINT "name another by admin.address, or write `admin: none`"

typedef struct config_listener {
    config_address_t address;
    char *certificate_file; /* PEM chain, absolute; NULL: no TLS */
    char *private_key_file; /* PEM, absolute */
    char *client_ca_file; /* PEM, absolute: who must vouch for a client's certificate; NULL: none is asked for
                           */
    int64_t ticket_lifetime_s; /* how long a TLS session can be resumed */
    bool has_proxy_protocol;   /* each connection begins with the header of a trusted proxy */
    unsigned line;             /* where the listener stands in the file */
} config_listener_t;

/* How keys are fetched; see key_source_settings_t. */
typedef struct config_fetch {
    char *jwks_url; /* NULL: discovered from the issuer */
    bool allow_http;
    char *ca_file; /* absolute; NULL: the system's authorities */
    int64_t connect_timeout_s;
    int64_t fetch_timeout_s;
    size_t max_bytes;
    int64_t refresh_min_s;
    int64_t refresh_max_s;
    int64_t cooldown_s;
    int64_t stale_max_s;
} config_fetch_t;

typedef struct config_issuer {
    claims_rules_t rules; /* rules.issuer is the issuer's identifier */
    algorithm_set_t algorithms;
    unsigned max_keys_tried; /* with one token */
    char *jwks_file;         /* absolute; NULL: the keys are fetched */
    unsigned keys_line;      /* where the place of the keys is named */
    config_fetch_t fetch;    /* without jwks_file */
    keyset_slot_t *keys; /* what jwks_file held, which may be without a usable key; NULL at first when they
                            are fetched */
} config_issuer_t;

/* What callers may use up. */
typedef struct config_limits {
    size_t max_body_bytes;
    size_t max_token_bytes;
    unsigned max_headers; /* of one request */
    size_t max_header_bytes;
    unsigned max_connections; /* of all threads; the admin listener's do not count */
    unsigned max_connections_per_address;
    unsigned max_requests_per_connection;
    size_t max_buffered_bytes;       /* of bodies in memory, on one HTTP/2 connection */
    unsigned max_waiting;            /* new tokens, on one thread */
    unsigned http2_resets;           /* a second, on one connection: streams that end without an answer */
    unsigned http2_control_frames;   /* a second, on one connection: frames other than HEADERS */
    unsigned failed_authentications; /* a minute, of one address or client: more are 429; 0: never */
    size_t send_buffer_bytes;        /* the kernel's, of one connection */
    size_t receive_buffer_bytes;     /* the kernel's, of one connection */
} config_limits_t;

/* Within which a peer has to do what is awaited of it; else its connection ends. */
typedef struct config_timeouts {
    int64_t handshake_s; /* from the connection's start until its protocol is known */
    int64_t request_s;   /* a request's head and body */
    int64_t response_s;  /* until an answer is taken */
    int64_t idle_s;      /* between two requests */
} config_timeouts_t;

/* Who the process becomes when it was started as root; never root. */
typedef struct config_user {
    bool is_given;
    char *name; /* whose supplementary groups it gets; NULL when written as numbers: it gets none */
    uint32_t uid;
    uint32_t gid;
    bool has_gid; /* else gid is uid's number, for want of another */
} config_user_t;

typedef enum config_log_target {
    CONFIG_LOG_OFF,
    CONFIG_LOG_STDERR,
    CONFIG_LOG_STDOUT,
    CONFIG_LOG_FILE
} config_log_target_t;

typedef struct config_access_log {
    config_log_target_t target;
    char *file;              /* absolute; with CONFIG_LOG_FILE */
    unsigned sample;         /* one request in so many has a line */
    unsigned max_per_second; /* lines */
    unsigned line;           /* where the target stands in the config */
} config_access_log_t;

typedef struct config {
    char *file;
    config_listener_t *listeners;
    size_t listener_count;
    ip_prefix_t *trusted_proxies; /* who is believed about whom it speaks for; NULL: nobody */
    size_t trusted_proxy_count;
    char *path; /* the endpoint's */
    bool has_admin;
    bool has_default_admin; /* the config does not say where */
    config_address_t admin;
    unsigned threads;           /* 0: auto */
    int64_t drain_delay_s;      /* how long a stop is announced before it begins */
    int64_t shutdown_timeout_s; /* from then on */
    bool is_ready_with_any;     /* issuer that has keys; else with all of them */
    bool allows_core_dumps;     /* and that the process is traced */
    config_user_t user;
    bool filters_syscalls; /* `seccomp` */
    struct {
        size_t max_bytes; /* 0: off */
        unsigned stripes;
        int64_t max_ttl_s;
    } cache;
    config_access_log_t access_log;
    config_limits_t limits;
    config_timeouts_t timeouts;
    config_issuer_t *issuers;
    size_t issuer_count;
    client_set_t clients;
    char **notes; /* what an operator should know though it is no error, one line each: keys that were
                     skipped, private keys published */
    size_t note_count;
} config_t;

enum { CONFIG_ERROR_SIZE = 1024 };

/* "introspectd.yaml:14: clients[0].profile: ..." in one line, NUL-terminated, without secrets. */
typedef struct config_error {
    char text[CONFIG_ERROR_SIZE];
} config_error_t;

/* Told the absolute path of every file that a config is made of, its own included, before the file is read.
 */
typedef void config_file_cb(void *data, const char *path);

/* Loads path; relative paths in it are relative to its directory. on_file may be NULL. NULL with *error
 * filled. */
config_t *config_load(const char *path, config_file_cb *on_file, void *on_file_data, config_error_t *error)
    __attribute__((warn_unused_result));
/*
 * Loads of path what says where the admin listener is, and opens no other file: for whoever may not read the
 * secrets, or asks a process that goes on by the config before this one. The rest is not looked at, as long
 * as it is YAML. In the config that is given file, has_admin, has_default_admin and admin are filled, and
 * nothing else. NULL with *error filled.
 */
config_t *config_load_admin(const char *path, config_error_t *error) __attribute__((warn_unused_result));

/*
 * Parses an address as a config has it, a Unix socket's path being relative to the working directory. False
 * when it is none, or out of memory; call config_address_deinit either way.
 */
bool config_address_parse(const char *text, config_address_t *address) __attribute__((warn_unused_result));
void config_address_deinit(config_address_t *address);

/* NULL is legal. */
void config_free(config_t *config);

/* The issuer of exactly that identifier, NULL when there is none. */
const config_issuer_t *config_find_issuer(const config_t *config, slice_t issuer);

/* Whether a token of the issuer could be verified now: a key that it has fits one of its algorithms. */
bool config_issuer_has_keys(const config_issuer_t *issuer);

#endif
