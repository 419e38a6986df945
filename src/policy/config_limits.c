#include "config_internal.h"

#include <stddef.h>

#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)

enum {
    MAX_CONNECTIONS = 1000000,
    MAX_PER_SECOND = 1000000,
    MAX_REQUESTS = 1000000000,
    MAX_FAILURES = 1000000
};

/* The HTTP library's own bound on the headers of an HTTP/1 request. */
enum { LIBRARY_MAX_HEADERS = 100 };

/* A limit that is a count. */
typedef struct count_limit {
    size_t offset; /* of the unsigned in config_limits_t */
    unsigned min;
    unsigned max;
} count_limit_t;

enum {
    MAX_BODY,
    MAX_TOKEN,
    MAX_HEADER_BYTES,
    MAX_BUFFERED,
    RECEIVE_BUFFER,
    SEND_BUFFER,
    FIRST_COUNT,
    MAX_HEADERS = FIRST_COUNT,
    CONNECTIONS,
    CONNECTIONS_PER_ADDRESS,
    REQUESTS_PER_CONNECTION,
    MAX_WAITING,
    HTTP2_RESETS,
    HTTP2_CONTROL_FRAMES,
    FAILED_AUTHENTICATIONS,
    LIMIT_COUNT
};

static const config_key_t LIMIT_KEYS[LIMIT_COUNT] = {
    [MAX_BODY] = {"max_body", false},
    [MAX_TOKEN] = {"max_token", false},
    [MAX_HEADER_BYTES] = {"max_header_bytes", false},
    [MAX_BUFFERED] = {"max_buffered", false},
    [RECEIVE_BUFFER] = {"receive_buffer", false},
    [SEND_BUFFER] = {"send_buffer", false},
    [MAX_HEADERS] = {"max_headers", false},
    [CONNECTIONS] = {"max_connections", false},
    [CONNECTIONS_PER_ADDRESS] = {"max_connections_per_address", false},
    [REQUESTS_PER_CONNECTION] = {"max_requests_per_connection", false},
    [MAX_WAITING] = {"max_waiting", false},
    [HTTP2_RESETS] = {"http2_resets", false},
    [HTTP2_CONTROL_FRAMES] = {"http2_control_frames", false},
    [FAILED_AUTHENTICATIONS] = {"failed_authentications", false}};

static const count_limit_t COUNT_LIMITS[LIMIT_COUNT] = {
    [MAX_HEADERS] = {offsetof(config_limits_t, max_headers), 8, LIBRARY_MAX_HEADERS},
    [CONNECTIONS] = {offsetof(config_limits_t, max_connections), 1, MAX_CONNECTIONS},
    [CONNECTIONS_PER_ADDRESS] = {offsetof(config_limits_t, max_connections_per_address), 1, MAX_CONNECTIONS},
    [REQUESTS_PER_CONNECTION] = {offsetof(config_limits_t, max_requests_per_connection), 1, MAX_REQUESTS},
    [MAX_WAITING] = {offsetof(config_limits_t, max_waiting), 1, MAX_CONNECTIONS},
    [HTTP2_RESETS] = {offsetof(config_limits_t, http2_resets), 1, MAX_PER_SECOND},
    [HTTP2_CONTROL_FRAMES] = {offsetof(config_limits_t, http2_control_frames), 10, MAX_PER_SECOND},
    [FAILED_AUTHENTICATIONS] = {offsetof(config_limits_t, failed_authentications), 0, MAX_FAILURES}};

void config_set_default_limits(config_t *config)
{
    config->limits = (config_limits_t){.max_body_bytes = 64 * KIB,
                                       .max_token_bytes = 16 * KIB,
                                       .max_headers = LIBRARY_MAX_HEADERS,
                                       .max_header_bytes = 16 * KIB,
                                       .max_connections = 10000,
                                       .max_connections_per_address = 1000,
                                       .max_requests_per_connection = 1000000,
                                       .max_buffered_bytes = 8 * MIB,
                                       .max_waiting = 2048,
                                       .http2_resets = 100,
                                       .http2_control_frames = 1000,
                                       .failed_authentications = 100,
                                       .receive_buffer_bytes = 64 * KIB,
                                       .send_buffer_bytes = 256 * KIB};
    config->timeouts =
        (config_timeouts_t){.handshake_s = 10, .request_s = 10, .response_s = 10, .idle_s = 60};
}

static bool read_sizes(config_loader_t *loader, const config_node_t *values)
{
    static const config_range_t BODY_RANGE = {KIB, 16 * MIB, false};
    static const config_range_t HEADER_RANGE = {KIB, 128 * KIB, false};
    static const config_range_t BUFFER_RANGE = {4 * KIB, 16 * MIB, false};
    config_limits_t *limits = &loader->config->limits;
    if (values[MAX_BODY].id != 0 &&
        !config_size(loader, &values[MAX_BODY], BODY_RANGE, &limits->max_body_bytes))
        return false;
    /* A token comes in a body, so the default follows a smaller max_body; and a body has to fit. */
    if (limits->max_token_bytes > limits->max_body_bytes)
        limits->max_token_bytes = limits->max_body_bytes;
    if (limits->max_buffered_bytes < limits->max_body_bytes)
        limits->max_buffered_bytes = limits->max_body_bytes;
    config_range_t token_range = {256, limits->max_body_bytes, false};
    config_range_t buffered_range = {limits->max_body_bytes, 1024 * MIB, false};
    return (values[MAX_TOKEN].id == 0 ||
            config_size(loader, &values[MAX_TOKEN], token_range, &limits->max_token_bytes)) &&
           (values[MAX_HEADER_BYTES].id == 0 ||
            config_size(loader, &values[MAX_HEADER_BYTES], HEADER_RANGE, &limits->max_header_bytes)) &&
           (values[MAX_BUFFERED].id == 0 ||
            config_size(loader, &values[MAX_BUFFERED], buffered_range, &limits->max_buffered_bytes)) &&
           (values[RECEIVE_BUFFER].id == 0 ||
            config_size(loader, &values[RECEIVE_BUFFER], BUFFER_RANGE, &limits->receive_buffer_bytes)) &&
           (values[SEND_BUFFER].id == 0 ||
            config_size(loader, &values[SEND_BUFFER], BUFFER_RANGE, &limits->send_buffer_bytes));
}

bool config_read_limits(config_loader_t *loader, const config_node_t *node)
{
    config_node_t values[LIMIT_COUNT];
    char *limits = (char *)&loader->config->limits;
    if (!config_keys(loader, node, LIMIT_KEYS, LIMIT_COUNT, values) || !read_sizes(loader, values))
        return false;
    for (size_t i = FIRST_COUNT; i < LIMIT_COUNT; i++) {
        const count_limit_t *limit = &COUNT_LIMITS[i];
        unsigned *value = (unsigned *)(void *)(limits + limit->offset);
        if (values[i].id != 0 && !config_integer(loader, &values[i], limit->min, limit->max, NULL, value))
            return false;
    }
    return true;
}

bool config_read_timeouts(config_loader_t *loader, const config_node_t *node)
{
    enum { HANDSHAKE, REQUEST, RESPONSE, IDLE, COUNT };
    static const config_key_t KEYS[COUNT] = {
        {"handshake", false}, {"request", false}, {"response", false}, {"idle", false}};
    static const config_range_t RANGE = {1, 3600, false};
    config_timeouts_t *timeouts = &loader->config->timeouts;
    int64_t *const places[COUNT] = {&timeouts->handshake_s, &timeouts->request_s, &timeouts->response_s,
                                    &timeouts->idle_s};
    config_node_t values[COUNT];
    if (!config_keys(loader, node, KEYS, COUNT, values))
        return false;
    for (size_t i = 0; i < COUNT; i++) {
        if (values[i].id != 0 && !config_duration(loader, &values[i], RANGE, places[i]))
            return false;
    }
    return true;
}
