#include "fetch.h"

#include "caching.h"
#include "url.h"

#include "introspectd/file.h"

#include <curl/curl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { MAX_REDIRECTS = 3, MAX_HEADER_BYTES = 65536, FIRST_CAPACITY = 4096 };

struct fetcher {
    CURLM *multi;
    fetch_t *fetches; /* that run */
};

typedef enum fetch_stop { STOP_NOT, STOP_STATUS, STOP_BODY, STOP_HEADERS, STOP_MEMORY } fetch_stop_t;

struct fetch {
    fetch_t *next;
    CURL *easy;
    struct curl_slist *headers;
    fetch_done_cb *done;
    void *data;
    size_t max_bytes;
    bool was_conditional;
    fetch_stop_t stop; /* why the transfer was broken off here */
    size_t header_bytes;
    char *body;
    size_t body_len;
    size_t body_capacity;
    char error[CURL_ERROR_SIZE];
};

fetcher_t *fetcher_new(void)
{
    fetcher_t *fetcher = calloc(1, sizeof(*fetcher));
    if (fetcher == NULL)
        return NULL;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(fetcher);
        return NULL;
    }
    fetcher->multi = curl_multi_init();
    if (fetcher->multi == NULL) {
        curl_global_cleanup();
        free(fetcher);
        return NULL;
    }
    return fetcher;
}

void fetcher_free(fetcher_t *fetcher)
{
    if (fetcher == NULL)
        return;
    while (fetcher->fetches != NULL)
        fetcher_cancel(fetcher, fetcher->fetches);
    curl_multi_cleanup(fetcher->multi);
    curl_global_cleanup();
    free(fetcher);
}

static void free_fetch(fetch_t *fetch)
{
    curl_easy_cleanup(fetch->easy);
    curl_slist_free_all(fetch->headers);
    file_free_secret(fetch->body, fetch->body_capacity);
    free(fetch);
}

static long to_timeout_ms(int64_t seconds)
{
    return seconds <= 0 ? 1 : seconds >= INT_MAX / 1000 ? INT_MAX : (long)(seconds * 1000);
}

/* The old bytes are cleansed, as they may be a key's that should not have been published. */
static bool reserve(fetch_t *fetch, size_t len)
{
    if (len <= fetch->body_capacity)
        return true;
    size_t capacity = fetch->body_capacity == 0 ? FIRST_CAPACITY : fetch->body_capacity * 2;
    if (capacity < len)
        capacity = len;
    char *body = malloc(capacity);
    if (body == NULL)
        return false;
    if (fetch->body_len > 0)
        memcpy(body, fetch->body, fetch->body_len);
    file_free_secret(fetch->body, fetch->body_capacity);
    fetch->body = body;
    fetch->body_capacity = capacity;
    return true;
}

static size_t stop_at(fetch_t *fetch, fetch_stop_t stop)
{
    fetch->stop = stop;
    return 0;
}

static size_t take_body(char *bytes, size_t size, size_t count, void *data)
{
    fetch_t *fetch = data;
    size_t len = size * count;
    long status = 0;
    curl_easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &status);
    /* What an error page says is of no use, so nobody waits for its end. */
    if (status != 200)
        return stop_at(fetch, STOP_STATUS);
    if (len > fetch->max_bytes - fetch->body_len)
        return stop_at(fetch, STOP_BODY);
    if (!reserve(fetch, fetch->body_len + len))
        return stop_at(fetch, STOP_MEMORY);
    memcpy(fetch->body + fetch->body_len, bytes, len);
    fetch->body_len += len;
    return len;
}

static size_t count_header(char *bytes, size_t size, size_t count, void *data)
{
    (void)bytes;
    fetch_t *fetch = data;
    size_t len = size * count;
    if (len > MAX_HEADER_BYTES - fetch->header_bytes)
        return stop_at(fetch, STOP_HEADERS);
    fetch->header_bytes += len;
    return len;
}

static bool add_header(fetch_t *fetch, const char *header)
{
    struct curl_slist *headers = curl_slist_append(fetch->headers, header);
    if (headers != NULL)
        fetch->headers = headers;
    return headers != NULL;
}

static bool set_headers(fetch_t *fetch, const fetch_request_t *request)
{
    char condition[FETCH_ETAG_SIZE + 32];
    /* Whoever asks needs what the provider has now, not what a cache on the way has (RFC 9111
     * section 5.2.1.4). */
    if (!add_header(fetch, "Accept: application/json, application/jwk-set+json;q=0.9, */*;q=0.1") ||
        !add_header(fetch, "Cache-Control: no-cache"))
        return false;
    if (request->etag != NULL) {
        snprintf(condition, sizeof(condition), "If-None-Match: %s", request->etag);
        if (!add_header(fetch, condition))
            return false;
        fetch->was_conditional = true;
    }
    return curl_easy_setopt(fetch->easy, CURLOPT_HTTPHEADER, fetch->headers) == CURLE_OK;
}

static bool set_numbers(CURL *easy, const fetch_request_t *request)
{
    const struct {
        CURLoption option;
        long value;
    } settings[] = {
        {CURLOPT_NOSIGNAL, 1},
        {CURLOPT_QUICK_EXIT, 1}, /* a name that does not resolve must not hold up who cancels */
        {CURLOPT_FOLLOWLOCATION, 1},
        {CURLOPT_MAXREDIRS, MAX_REDIRECTS},
        {CURLOPT_DISALLOW_USERNAME_IN_URL, 1},
        {CURLOPT_CONNECTTIMEOUT_MS, to_timeout_ms(request->connect_timeout_s)},
        {CURLOPT_TIMEOUT_MS, to_timeout_ms(request->timeout_s)},
        {CURLOPT_SSL_VERIFYPEER, 1},
        {CURLOPT_SSL_VERIFYHOST, 2},
        {CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2},
        /* Every fetch is verified anew, with the authorities that are in the files now. */
        {CURLOPT_FORBID_REUSE, 1},
        {CURLOPT_SSL_SESSIONID_CACHE, 0},
        {CURLOPT_CA_CACHE_TIMEOUT, 0},
    };
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        if (curl_easy_setopt(easy, settings[i].option, settings[i].value) != CURLE_OK)
            return false;
    }
    curl_off_t max_bytes = request->max_bytes < LONG_MAX ? (curl_off_t)request->max_bytes : LONG_MAX;
    return curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, max_bytes) == CURLE_OK;
}

static bool set_texts(CURL *easy, const fetch_request_t *request)
{
    bool is_plain = request->allow_http && strncasecmp(request->url, "http:", 5) == 0;
    const char *scheme = is_plain ? "http" : "https";
    const struct {
        CURLoption option;
        const char *value;
    } settings[] = {
        {CURLOPT_URL, request->url},
        {CURLOPT_USERAGENT, "introspectd/" INTROSPECTD_VERSION},
        {CURLOPT_PROTOCOLS_STR, scheme},
        {CURLOPT_REDIR_PROTOCOLS_STR, scheme},
    };
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        if (curl_easy_setopt(easy, settings[i].option, settings[i].value) != CURLE_OK)
            return false;
    }
    /* The system's directory of authorities would be searched beside the file. */
    return request->ca_file == NULL ||
           (curl_easy_setopt(easy, CURLOPT_CAINFO, request->ca_file) == CURLE_OK &&
            curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) == CURLE_OK);
}

static bool set_callbacks(fetch_t *fetch)
{
    CURL *easy = fetch->easy;
    return curl_easy_setopt(easy, CURLOPT_PRIVATE, fetch) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, fetch->error) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEDATA, fetch) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, count_header) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HEADERDATA, fetch) == CURLE_OK;
}

fetch_t *fetcher_start(fetcher_t *fetcher, const fetch_request_t *request, fetch_done_cb *done, void *data)
{
    fetch_t *fetch = calloc(1, sizeof(*fetch));
    if (fetch == NULL)
        return NULL;
    fetch->done = done;
    fetch->data = data;
    fetch->max_bytes = request->max_bytes;
    fetch->easy = curl_easy_init();
    if (fetch->easy == NULL || !set_callbacks(fetch) || !set_headers(fetch, request) ||
        !set_numbers(fetch->easy, request) || !set_texts(fetch->easy, request) ||
        curl_multi_add_handle(fetcher->multi, fetch->easy) != CURLM_OK) {
        free_fetch(fetch);
        return NULL;
    }
    fetch->next = fetcher->fetches;
    fetcher->fetches = fetch;
    return fetch;
}

static void unlink_fetch(fetcher_t *fetcher, fetch_t *fetch)
{
    fetch_t **link = &fetcher->fetches;
    while (*link != fetch)
        link = &(*link)->next;
    *link = fetch->next;
    curl_multi_remove_handle(fetcher->multi, fetch->easy);
}

void fetcher_cancel(fetcher_t *fetcher, fetch_t *fetch)
{
    if (fetch == NULL)
        return;
    unlink_fetch(fetcher, fetch);
    free_fetch(fetch);
}

/* Of the last response: what the redirects before it said does not count. Borrowed from the transfer. */
static const char *header_value(const fetch_t *fetch, const char *name, size_t index)
{
    struct curl_header *header;
    if (curl_easy_header(fetch->easy, name, index, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return NULL;
    return header->value;
}

/* NULL when there is none or memory cannot be had; free it. */
static char *join_cache_control(const fetch_t *fetch)
{
    char *joined = NULL;
    size_t len = 0;
    FILE *stream = open_memstream(&joined, &len);
    const char *value;
    if (stream == NULL)
        return NULL;
    for (size_t i = 0; (value = header_value(fetch, "Cache-Control", i)) != NULL; i++)
        fprintf(stream, i == 0 ? "%s" : ", %s", value);
    if (fclose(stream) != 0) {
        free(joined);
        return NULL;
    }
    return joined;
}

static void read_caching(const fetch_t *fetch, fetch_result_t *result)
{
    char *cache_control = join_cache_control(fetch);
    const caching_fields_t fields = {
        .cache_control = cache_control,
        .age = header_value(fetch, "Age", 0),
        .expires = header_value(fetch, "Expires", 0),
        .date = header_value(fetch, "Date", 0),
        .retry_after = header_value(fetch, "Retry-After", 0),
    };
    result->has_lifetime = caching_lifetime(&fields, &result->lifetime_s);
    if (result->status == 429 || result->status == 503)
        result->retry_after_s = caching_retry_after(&fields);
    free(cache_control);
}

/* One that is too long or holds bytes that do not belong there is not sent back. */
static void read_etag(const fetch_t *fetch, fetch_result_t *result)
{
    const char *etag = header_value(fetch, "ETag", 0);
    if (etag == NULL || strlen(etag) >= sizeof(result->etag))
        return;
    for (const char *c = etag; *c != '\0'; c++) {
        if (*c < ' ' || *c > '~')
            return;
    }
    memcpy(result->etag, etag, strlen(etag) + 1);
}

static void write_problem(const fetch_t *fetch, CURLcode code, char *out)
{
    if (fetch->stop == STOP_BODY || code == CURLE_FILESIZE_EXCEEDED)
        snprintf(out, FETCH_PROBLEM_SIZE, "body over %zu bytes", fetch->max_bytes);
    else if (fetch->stop == STOP_HEADERS)
        snprintf(out, FETCH_PROBLEM_SIZE, "header over %d bytes", MAX_HEADER_BYTES);
    else if (fetch->stop == STOP_MEMORY || code == CURLE_OUT_OF_MEMORY)
        snprintf(out, FETCH_PROBLEM_SIZE, "out of memory");
    else if (fetch->error[0] == '\0' ||
             strstr(fetch->error, "roxy") != NULL) /* may show the proxy's password */
        snprintf(out, FETCH_PROBLEM_SIZE, "%s", curl_easy_strerror(code));
    else
        snprintf(out, FETCH_PROBLEM_SIZE, "%s", fetch->error);
    url_make_printable(out);
}

/* None was asked for. */
static bool is_encoded(const fetch_t *fetch)
{
    const char *encoding = header_value(fetch, "Content-Encoding", 0);
    return encoding != NULL && strcasecmp(encoding, "identity") != 0;
}

static void finish(fetch_t *fetch, CURLcode code)
{
    fetch_result_t result = {0};
    curl_easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &result.status);
    bool is_over_size = code == CURLE_FILESIZE_EXCEEDED && result.status != 200;
    bool is_answered = code == CURLE_OK || fetch->stop == STOP_STATUS || is_over_size;
    if (!is_answered) {
        write_problem(fetch, code, result.problem);
    } else {
        read_caching(fetch, &result);
        read_etag(fetch, &result);
        if (result.status == 200 && is_encoded(fetch)) {
            snprintf(result.problem, sizeof(result.problem), "a content encoding that was not asked for");
        } else if (result.status == 200) {
            result.body = fetch->body;
            result.body_len = fetch->body_len;
        }
    }
    fetch->done(fetch->data, &result);
}

static void reap(fetcher_t *fetcher)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(fetcher->multi, &left)) != NULL) {
        fetch_t *fetch = NULL;
        CURLcode code = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &fetch);
        unlink_fetch(fetcher, fetch);
        finish(fetch, code);
        free_fetch(fetch);
    }
}

void fetcher_poll(fetcher_t *fetcher, int timeout_ms)
{
    int running;
    if (curl_multi_poll(fetcher->multi, NULL, 0, timeout_ms, NULL) != CURLM_OK) {
        /* Out of memory most likely: whoever calls in a loop shall not spin. */
        const struct timespec pause = {.tv_nsec = 100000000};
        nanosleep(&pause, NULL);
    }
    curl_multi_perform(fetcher->multi, &running);
    reap(fetcher);
}

void fetcher_wake(fetcher_t *fetcher)
{
    curl_multi_wakeup(fetcher->multi);
}
