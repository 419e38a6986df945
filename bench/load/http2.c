/* HTTP/2, in cleartext with prior knowledge, by nghttp2. */
#include "run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nghttp2/nghttp2.h>

enum { WINDOW_SIZE = (1 << 30) - 1, PSEUDO_HEADERS = 4, LENGTH_SIZE = 24 };

typedef struct exchange {
    struct exchange *next_free;
    uint64_t begun_ns;
    int status;
    size_t sent;
    char body[];
} exchange_t;

typedef struct http2 {
    nghttp2_session *session;
    exchange_t *free;
    nghttp2_nv headers[PSEUDO_HEADERS + RUN_HEADERS_MAX + 1];
    size_t header_count;
    char authority[LENGTH_SIZE];
    char content_length[LENGTH_SIZE];
} http2_t;

static void check(ssize_t result)
{
    if (result < 0)
        run_fail(nghttp2_strerror((int)result));
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *data)
{
    (void)value_len;
    (void)flags;
    (void)data;
    if (name_len == strlen(":status") && memcmp(name, ":status", name_len) == 0) {
        exchange_t *exchange = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
        exchange->status = (int)strtol((const char *)value, NULL, 10);
    }
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream, uint32_t error, void *data)
{
    connection_t *connection = data;
    http2_t *http2 = connection->state;
    exchange_t *exchange = nghttp2_session_get_stream_user_data(session, stream);
    if (error != NGHTTP2_NO_ERROR)
        run_fail("a stream was reset");
    run_end_request(connection->run, exchange->status, exchange->begun_ns);
    exchange->next_free = http2->free;
    http2->free = exchange;
    connection->in_flight--;
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *data)
{
    (void)session;
    (void)data;
    if (frame->hd.type == NGHTTP2_GOAWAY)
        run_fail("the server ends a connection");
    return 0;
}

static ssize_t read_body(nghttp2_session *session, int32_t stream, uint8_t *out, size_t size, uint32_t *flags,
                         nghttp2_data_source *source, void *data)
{
    (void)session;
    (void)stream;
    const connection_t *connection = data;
    exchange_t *exchange = source->ptr;
    size_t left = connection->run->bodies->len - exchange->sent;
    size_t taken = left < size ? left : size;
    memcpy(out, exchange->body + exchange->sent, taken);
    exchange->sent += taken;
    if (taken == left)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)taken;
}

static void add_header(http2_t *http2, const char *name, const char *value)
{
    /* nghttp2 only reads them. */
    http2->headers[http2->header_count++] =
        (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value),
                     NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};
}

static void build_headers(http2_t *http2, const run_t *run)
{
    const run_settings_t *settings = run->settings;
    snprintf(http2->authority, sizeof(http2->authority), "127.0.0.1:%u", (unsigned)settings->port);
    snprintf(http2->content_length, sizeof(http2->content_length), "%zu", run->bodies->len);
    add_header(http2, ":method", "POST");
    add_header(http2, ":path", settings->path);
    add_header(http2, ":scheme", settings->is_tls ? "https" : "http");
    add_header(http2, ":authority", http2->authority);
    for (size_t i = 0; i < settings->header_count; i++)
        add_header(http2, settings->headers[i].name, settings->headers[i].value);
    add_header(http2, "content-length", http2->content_length);
}

static void open_session(connection_t *connection, http2_t *http2)
{
    static const nghttp2_settings_entry SETTINGS[] = {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
                                                      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW_SIZE}};
    nghttp2_session_callbacks *callbacks = NULL;
    check(nghttp2_session_callbacks_new(&callbacks));
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    check(nghttp2_session_client_new(&http2->session, callbacks, connection));
    nghttp2_session_callbacks_del(callbacks);
    check(nghttp2_submit_settings(http2->session, NGHTTP2_FLAG_NONE, SETTINGS,
                                  sizeof(SETTINGS) / sizeof(SETTINGS[0])));
    check(nghttp2_session_set_local_window_size(http2->session, NGHTTP2_FLAG_NONE, 0, WINDOW_SIZE));
}

static void http2_open(connection_t *connection)
{
    const run_t *run = connection->run;
    http2_t *http2 = calloc(1, sizeof(*http2));
    if (http2 == NULL)
        run_fail("out of memory");
    build_headers(http2, run);
    open_session(connection, http2);
    for (size_t i = 0; i < run->settings->in_flight; i++) {
        exchange_t *exchange = calloc(1, sizeof(*exchange) + run->bodies->len);
        if (exchange == NULL)
            run_fail("out of memory");
        exchange->next_free = http2->free;
        http2->free = exchange;
    }
    connection->state = http2;
}

static void begin_exchange(connection_t *connection)
{
    http2_t *http2 = connection->state;
    exchange_t *exchange = http2->free;
    http2->free = exchange->next_free;
    exchange->begun_ns = run_now_ns();
    exchange->status = 0;
    exchange->sent = 0;
    bodies_write_next(connection->run->bodies, exchange->body);
    const nghttp2_data_provider provider = {.source.ptr = exchange, .read_callback = read_body};
    check(nghttp2_submit_request(http2->session, NULL, http2->headers, http2->header_count, &provider,
                                 exchange));
    connection->in_flight++;
}

static void http2_fill(connection_t *connection)
{
    http2_t *http2 = connection->state;
    while (http2->free != NULL && run_begin_request(connection->run))
        begin_exchange(connection);
    const uint8_t *bytes = NULL;
    ssize_t len;
    while ((len = nghttp2_session_mem_send(http2->session, &bytes)) > 0) {
        memcpy(connection_reserve(connection, (size_t)len), bytes, (size_t)len);
        connection->out_len += (size_t)len;
    }
    check(len);
}

static void http2_receive(connection_t *connection, const char *bytes, size_t len)
{
    http2_t *http2 = connection->state;
    check(nghttp2_session_mem_recv(http2->session, (const uint8_t *)bytes, len));
}

static void http2_close(connection_t *connection)
{
    http2_t *http2 = connection->state;
    nghttp2_session_del(http2->session);
    while (http2->free != NULL) {
        exchange_t *exchange = http2->free;
        http2->free = exchange->next_free;
        free(exchange);
    }
    free(http2);
}

const protocol_t HTTP2_PROTOCOL = {"h2", http2_open, http2_fill, http2_receive, http2_close};
