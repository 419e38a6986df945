/*
 * ceiling: what libh2o costs by itself: one thread, one constant answer, nothing decided.
 *
 * The answer has the size and the headers of a Front private answer, and the request is read as introspectd
 * must read it (every header once, the body's memory), so that the difference between the two servers is
 * introspectd's own work.
 *
 * ceiling PORT [TLS_PORT CERTIFICATE.pem KEY.pem [PRIVATE.jwk]]: listens on 127.0.0.1. With a key it verifies
 * the signature of each request's token, on a context set up once, and nothing else: about the least
 * that a new token can cost.
 */
#include "evp_verify.h"

#include "introspectd/file.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <h2o.h>
#include <h2o/http1.h>
#include <h2o/http2.h>
#include <openssl/ssl.h>

static const char ANSWER[] = "{\"active\":true,\"front_channel_name\":\"Acme Support (EU)\","
                             "\"front_channel_address\":\"tenant-0001:channel-00000017\"}";

enum { KEY_FILE_MAX_BYTES = 65536 };

static h2o_globalconf_t globalconf;
static h2o_context_t context;
static h2o_accept_ctx_t cleartext, over_tls;

/* What was read of requests; volatile, so that the compiler cannot leave the reading out. */
static volatile unsigned read_sum;

/* One byte of each cache line: what bytes cost to bring in, without any work on them. */
static unsigned touch(h2o_iovec_t bytes)
{
    unsigned sum = 0;
    for (size_t i = 0; i < bytes.len; i += 64)
        sum += (unsigned char)bytes.base[i];
    return sum;
}

/* NULL: nothing is verified. */
static evp_verify_t *verify;

static bool is_good(h2o_iovec_t body)
{
    static const char NAME[] = "token=";
    const size_t name_len = sizeof(NAME) - 1;
    evp_token_t token;
    if (body.len < name_len || memcmp(body.base, NAME, name_len) != 0 ||
        !evp_token_read(verify, (slice_t){body.base + name_len, body.len - name_len}, &token))
        return false;
    bool is_verified = evp_verify_token(verify, &token);
    free(token.signature);
    return is_verified;
}

static int answer(h2o_handler_t *handler, h2o_req_t *req)
{
    (void)handler;
    unsigned sum = touch(req->entity);
    for (size_t i = 0; i < req->headers.size; i++) {
        const h2o_header_t *header = &req->headers.entries[i];
        if (header->name == &H2O_TOKEN_AUTHORIZATION->buf || header->name == &H2O_TOKEN_CONTENT_TYPE->buf)
            sum += touch(header->value);
    }
    read_sum += sum;

    if (verify != NULL && !is_good(req->entity)) {
        h2o_send_error_400(req, "Bad Request", "the signature is not good", 0);
        return 0;
    }
    req->res.status = 200;
    req->res.reason = "OK";
    req->res.content_length = sizeof(ANSWER) - 1;
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL,
                   H2O_STRLIT("application/json"));
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CACHE_CONTROL, NULL, H2O_STRLIT("no-store"));
    h2o_send_inline(req, ANSWER, sizeof(ANSWER) - 1);
    return 0;
}

static void on_accept(h2o_socket_t *listener, const char *error)
{
    if (error != NULL)
        return;
    h2o_socket_t *accepted;
    while ((accepted = h2o_evloop_socket_accept(listener)) != NULL)
        h2o_accept(listener->data, accepted);
}

static void listen_on(const char *port, h2o_accept_ctx_t *accept_context)
{
    long number = strtol(port, NULL, 10);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)number),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, SOMAXCONN) != 0) {
        perror("ceiling");
        exit(1);
    }
    h2o_socket_t *listener = h2o_evloop_socket_create(context.loop, fd, H2O_SOCKET_FLAG_DONT_READ);
    accept_context->ctx = &context;
    accept_context->hosts = globalconf.hosts;
    listener->data = accept_context;
    h2o_socket_read_start(listener, on_accept);
}

static SSL_CTX *load_tls(const char *certificate_file, const char *key_file)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    if (tls == NULL || SSL_CTX_use_certificate_chain_file(tls, certificate_file) != 1 ||
        SSL_CTX_use_PrivateKey_file(tls, key_file, SSL_FILETYPE_PEM) != 1) {
        fprintf(stderr, "ceiling: %s or %s cannot be used\n", certificate_file, key_file);
        exit(1);
    }
    /* As introspectd's: or the two would agree on different ciphers. */
    SSL_CTX_set_options(tls, SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
    h2o_ssl_register_alpn_protocols(tls, h2o_http2_alpn_protocols);
    return tls;
}

static void load_key(const char *path)
{
    char *text = NULL;
    size_t len = 0;
    const char *problem = "the key cannot be read";
    private_key_t *key = NULL;
    if (file_read(path, KEY_FILE_MAX_BYTES, &text, &len) == 0)
        key = private_key_parse((slice_t){text, len}, &problem);
    verify = key == NULL ? NULL : evp_verify_new(key, private_key_algorithm(key));
    if (verify == NULL) {
        fprintf(stderr, "ceiling: %s: %s\n", path, problem);
        exit(1);
    }
    file_free_secret(text, len);
    private_key_free(key);
}

int main(int argc, char **argv)
{
    if (argc != 2 && argc != 5 && argc != 6) {
        fputs("usage: ceiling PORT [TLS_PORT CERTIFICATE.pem KEY.pem [PRIVATE.jwk]]\n", stderr);
        return 64;
    }
    signal(SIGPIPE, SIG_IGN);
    h2o_config_init(&globalconf);
    globalconf.server_name = h2o_iovec_init(NULL, 0);
    h2o_hostconf_t *host =
        h2o_config_register_host(&globalconf, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    h2o_pathconf_t *path = h2o_config_register_path(host, "/introspect", 0);
    h2o_create_handler(path, sizeof(h2o_handler_t))->on_req = answer;
    h2o_context_init(&context, h2o_evloop_create(), &globalconf);
    listen_on(argv[1], &cleartext);
    if (argc >= 5) {
        over_tls.ssl_ctx = load_tls(argv[3], argv[4]);
        listen_on(argv[2], &over_tls);
    }
    if (argc == 6)
        load_key(argv[5]);
    while (h2o_evloop_run(context.loop, INT32_MAX) == 0)
        ;
    return 1;
}
