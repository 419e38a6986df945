#include "fetch.h"

#include "provider.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_BYTES = 65536 };

static provider_t *provider;
static fetcher_t *fetcher;

static int start(void **state)
{
    (void)state;
    provider = provider_start();
    fetcher = fetcher_new();
    return fetcher == NULL;
}

static int stop(void **state)
{
    (void)state;
    fetcher_free(fetcher);
    provider_stop(provider);
    return 0;
}

/* What came of one request; the body with a NUL behind it. */
typedef struct outcome {
    int count;
    fetch_result_t result;
    char *body;
} outcome_t;

static void take(void *data, const fetch_result_t *result)
{
    outcome_t *outcome = data;
    outcome->count++;
    outcome->result = *result;
    if (result->body != NULL)
        outcome->body = strndup(result->body, result->body_len);
}

static fetch_request_t request_for(const char *url)
{
    return (fetch_request_t){
        .url = url, .allow_http = true, .connect_timeout_s = 30, .timeout_s = 60, .max_bytes = MAX_BYTES};
}

static outcome_t fetch_by(const fetch_request_t *request)
{
    outcome_t outcome = {0};
    assert_non_null(fetcher_start(fetcher, request, take, &outcome));
    while (outcome.count == 0)
        fetcher_poll(fetcher, 1000);
    fetcher_poll(fetcher, 0);
    assert_int_equal(outcome.count, 1);
    return outcome;
}

static outcome_t fetch(const char *path)
{
    fetch_request_t request = request_for(provider_url(provider, path));
    return fetch_by(&request);
}

/* The request fails for a reason that holds this word. */
static void assert_fails_by(const fetch_request_t *request, const char *word)
{
    outcome_t outcome = fetch_by(request);
    assert_string_not_equal(outcome.result.problem, "");
    if (strcasestr(outcome.result.problem, word) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", outcome.result.problem, word);
    assert_null(outcome.result.body);
}

static void assert_fails(const char *path, const char *word)
{
    fetch_request_t request = request_for(provider_url(provider, path));
    assert_fails_by(&request, word);
}

static void a_200_is_handed_over(void **state)
{
    (void)state;
    provider_answer(provider, "/a", "200 OK",
                    "ETag: \"v1\"\r\nCache-Control: public\r\nCache-Control: max-age=300\r\nAge: 20\r\n"
                    "Retry-After: 7\r\n",
                    "{\"keys\":[]}");
    outcome_t outcome = fetch("/a");
    assert_int_equal(outcome.result.status, 200);
    assert_string_equal(outcome.result.problem, "");
    assert_string_equal(outcome.body, "{\"keys\":[]}");
    assert_string_equal(outcome.result.etag, "\"v1\"");
    assert_true(outcome.result.has_lifetime);
    assert_int_equal(outcome.result.lifetime_s, 280);
    assert_int_equal(outcome.result.retry_after_s, 0);
    free(outcome.body);
}

static void a_request_says_no_more_than_it_has_to(void **state)
{
    (void)state;
    provider_answer(provider, "/a", "200 OK", "Set-Cookie: a=b\r\n", "{}");
    for (int i = 0; i < 2; i++) {
        outcome_t outcome = fetch("/a?b=c");
        free(outcome.body);
    }
    assert_true(provider_was_sent(provider, "/a", "GET /a?b=c HTTP/1.1\r\n"));
    assert_true(provider_was_sent(provider, "/a", "\r\nUser-Agent: introspectd/" INTROSPECTD_VERSION "\r\n"));
    assert_true(provider_was_sent(provider, "/a", "\r\nAccept: application/json,"));
    static const char *const NEVER[] = {
        "\r\nAccept-Encoding:", "\r\nCookie:", "\r\nAuthorization:", "\r\nIf-None-Match:", "\r\nReferer:"};
    for (size_t i = 0; i < sizeof(NEVER) / sizeof(NEVER[0]); i++)
        assert_false(provider_was_sent(provider, "/a", NEVER[i]));
}

static void an_etag_is_sent_back(void **state)
{
    (void)state;
    provider_answer_tagged(provider, "/a", "W/\"v1\"", "Cache-Control: max-age=9\r\n", "{}");
    fetch_request_t request = request_for(provider_url(provider, "/a"));
    request.etag = "W/\"v1\"";
    outcome_t outcome = fetch_by(&request);
    assert_true(provider_was_sent(provider, "/a", "\r\nIf-None-Match: W/\"v1\"\r\n"));
    assert_int_equal(outcome.result.status, 304);
    assert_string_equal(outcome.result.problem, "");
    assert_null(outcome.body);
    assert_int_equal(outcome.result.lifetime_s, 9);
}

static void an_etag_that_does_not_fit_is_none(void **state)
{
    (void)state;
    char header[700];
    snprintf(header, sizeof(header), "ETag: \"%0600d\"\r\n", 1);
    provider_answer(provider, "/long", "200 OK", header, "{}");
    provider_answer(provider, "/odd", "200 OK", "ETag: \"a\x01\xff\"\r\n", "{}");
    static const char *const PATHS[] = {"/long", "/odd"};
    for (size_t i = 0; i < 2; i++) {
        outcome_t outcome = fetch(PATHS[i]);
        assert_int_equal(outcome.result.status, 200);
        assert_string_equal(outcome.result.etag, "");
        free(outcome.body);
    }
}

static void a_refusal_has_a_status_and_no_body(void **state)
{
    (void)state;
    provider_answer(provider, "/a", "503 Service Unavailable", "Retry-After: 7\r\n", "later");
    outcome_t outcome = fetch("/a");
    assert_int_equal(outcome.result.status, 503);
    assert_int_equal(outcome.result.retry_after_s, 7);
    assert_string_equal(outcome.result.problem, "");
    assert_null(outcome.body);
    provider_answer(provider, "/a", "429 Too Many Requests", "Retry-After: 8\r\n", "");
    assert_int_equal(fetch("/a").result.retry_after_s, 8);
    provider_answer(provider, "/a", "404 Not Found", "Retry-After: 9\r\n", "");
    outcome = fetch("/a");
    assert_int_equal(outcome.result.status, 404);
    assert_int_equal(outcome.result.retry_after_s, 0);
}

static void nobody_waits_for_the_end_of_an_error_page(void **state)
{
    (void)state;
    provider_answer_raw(provider, "/a", "HTTP/1.1 500 Oops\r\n\r\n", "for ever and ");
    outcome_t outcome = fetch("/a");
    assert_int_equal(outcome.result.status, 500);
    assert_string_equal(outcome.result.problem, "");
    provider_answer_raw(provider, "/a", "HTTP/1.1 500 Oops\r\nContent-Length: 99999999\r\n\r\n", "x");
    outcome = fetch("/a");
    assert_int_equal(outcome.result.status, 500);
    assert_string_equal(outcome.result.problem, "");
}

static void a_body_has_a_bound(void **state)
{
    (void)state;
    char *body = calloc(1, MAX_BYTES + 2);
    memset(body, 'x', MAX_BYTES);
    provider_answer(provider, "/full", "200 OK", "", body);
    outcome_t outcome = fetch("/full");
    assert_int_equal(outcome.result.body_len, MAX_BYTES);
    assert_string_equal(outcome.body, body);
    free(outcome.body);
    body[MAX_BYTES] = 'x';
    provider_answer(provider, "/over", "200 OK", "", body);
    assert_fails("/over", "body over 65536 bytes");
    free(body);
    provider_answer_raw(provider, "/endless", "HTTP/1.1 200 OK\r\n\r\n", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
    assert_fails("/endless", "body over 65536 bytes");
    provider_answer_raw(provider, "/chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                        "8\r\nxxxxxxxx\r\n");
    assert_fails("/chunked", "body over 65536 bytes");
}

static void a_header_has_a_bound(void **state)
{
    (void)state;
    provider_answer_raw(provider, "/endless", "HTTP/1.1 200 OK\r\n", "X-Filler: xxxxxxxxxxxxxxxxxxx\r\n");
    assert_fails("/endless", "header over 65536 bytes");
    provider_answer_raw(provider, "/interim", "HTTP/1.1 103 Early Hints\r\n\r\n",
                        "HTTP/1.1 103 Early Hints\r\n\r\n");
    assert_fails("/interim", "header over 65536 bytes");
}

static void a_truncated_answer_is_none(void **state)
{
    (void)state;
    provider_answer_raw(provider, "/short", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}", NULL);
    assert_fails("/short", "8 bytes");
    provider_answer_raw(provider, "/chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}",
                        NULL);
    assert_fails("/chunk", "");
    provider_answer_raw(provider, "/empty", "", NULL);
    assert_fails("/empty", "empty reply");
    provider_answer_raw(provider, "/old", "{}", NULL);
    assert_fails("/old", "HTTP/0.9");
}

static void redirect(const char *from, const char *to)
{
    char header[512];
    snprintf(header, sizeof(header), "Location: %s\r\nETag: \"redirect\"\r\nCache-Control: max-age=5\r\n",
             to);
    provider_answer(provider, from, "302 Found", header, "");
}

static void the_last_answer_of_a_redirect_counts(void **state)
{
    (void)state;
    redirect("/1", "/2");
    redirect("/2", provider_url(provider, "/3"));
    redirect("/3", "4");
    provider_answer(provider, "/4", "200 OK", "", "{}");
    outcome_t outcome = fetch("/1");
    assert_int_equal(outcome.result.status, 200);
    assert_string_equal(outcome.body, "{}");
    assert_string_equal(outcome.result.etag, "");
    assert_false(outcome.result.has_lifetime);
    free(outcome.body);
}

static void redirects_have_an_end(void **state)
{
    (void)state;
    redirect("/0", "/1");
    redirect("/1", "/2");
    redirect("/2", "/3");
    redirect("/3", "/4");
    provider_answer(provider, "/4", "200 OK", "", "{}");
    assert_fails("/0", "redirects");
    assert_int_equal(provider_count(provider, "/4"), 0);
    redirect("/loop", "/loop");
    assert_fails("/loop", "redirects");
    assert_int_equal(provider_count(provider, "/loop"), 4);
}

static void a_redirect_keeps_the_scheme(void **state)
{
    (void)state;
    static const char *const PLACES[] = {"file:///etc/passwd", "ftp://127.0.0.1/a", "https://127.0.0.1:9/a",
                                         "gopher://127.0.0.1/a", "dict://127.0.0.1/a"};
    for (size_t i = 0; i < sizeof(PLACES) / sizeof(PLACES[0]); i++) {
        redirect("/a", PLACES[i]);
        assert_fails("/a", "not supported or disabled");
    }
    char place[128];
    snprintf(place, sizeof(place), "http://user:password@%s", strstr(provider_url(provider, "/b"), "127"));
    redirect("/a", place);
    outcome_t outcome = fetch("/a");
    assert_string_not_equal(outcome.result.problem, "");
    assert_null(strstr(outcome.result.problem, "password"));
    assert_int_equal(provider_count(provider, "/b"), 0);
}

static void a_url_has_a_scheme_that_is_allowed(void **state)
{
    (void)state;
    provider_answer(provider, "/a", "200 OK", "", "{}");
    fetch_request_t request = request_for(provider_url(provider, "/a"));
    request.allow_http = false;
    assert_fails_by(&request, "not supported or disabled");
    assert_int_equal(provider_count(provider, "/a"), 0);
    request = request_for("file:///etc/passwd");
    assert_fails_by(&request, "not supported or disabled");
    request = request_for("");
    assert_fails_by(&request, "");
    char url[128];
    snprintf(url, sizeof(url), "http://user:password@%s", strstr(provider_url(provider, "/a"), "127"));
    request = request_for(url);
    assert_fails_by(&request, "");
    assert_int_equal(provider_count(provider, "/a"), 0);
}

static void plain_http_is_not_taken_for_https(void **state)
{
    (void)state;
    char url[128];
    snprintf(url, sizeof(url), "https%s", strchr(provider_url(provider, "/a"), ':'));
    provider_answer_raw(provider, "/a", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", NULL);
    fetch_request_t request = request_for(url);
    request.timeout_s = 1; /* the server waits for the end of the request's head as well */
    assert_fails_by(&request, "");
    request.ca_file = "/nonexistent/ca.pem";
    assert_fails_by(&request, "/nonexistent/ca.pem");
}

static void who_does_not_answer_is_given_up(void **state)
{
    (void)state;
    provider_hold(provider, "/held");
    fetch_request_t request = request_for(provider_url(provider, "/held?secret"));
    request.timeout_s = 1;
    outcome_t outcome = fetch_by(&request);
    assert_int_equal(outcome.result.status, 0);
    assert_non_null(strstr(outcome.result.problem, "timed out"));
    assert_null(strstr(outcome.result.problem, "secret"));
}

static void who_does_not_listen_is_named(void **state)
{
    (void)state;
    fetch_request_t request = request_for("http://127.0.0.1:1/a?secret");
    outcome_t outcome = fetch_by(&request);
    assert_int_equal(outcome.result.status, 0);
    assert_non_null(strstr(outcome.result.problem, "127.0.0.1"));
    assert_null(strstr(outcome.result.problem, "secret"));
    request = request_for("http://name.invalid/a");
    assert_fails_by(&request, "resolve host");
}

static void a_slow_one_holds_up_nobody(void **state)
{
    (void)state;
    outcome_t slow = {0};
    provider_hold(provider, "/slow");
    provider_answer(provider, "/quick", "200 OK", "", "{}");
    fetch_request_t request = request_for(provider_url(provider, "/slow"));
    assert_non_null(fetcher_start(fetcher, &request, take, &slow));
    for (int i = 0; i < 5; i++) {
        outcome_t quick = fetch("/quick");
        assert_int_equal(quick.result.status, 200);
        free(quick.body);
    }
    assert_int_equal(slow.count, 0);
    /* Which is nobody's any more when the fetcher goes: nothing may be called then. */
    fetcher_free(fetcher);
    fetcher = NULL;
    assert_int_equal(slow.count, 0);
}

static void what_is_cancelled_calls_nobody(void **state)
{
    (void)state;
    outcome_t never = {0};
    provider_hold(provider, "/held");
    fetch_request_t request = request_for(provider_url(provider, "/held"));
    fetch_t *started = fetcher_start(fetcher, &request, take, &never);
    assert_non_null(started);
    while (provider_count(provider, "/held") == 0)
        fetcher_poll(fetcher, 10);
    fetcher_cancel(fetcher, started);
    fetcher_cancel(fetcher, NULL);
    provider_answer(provider, "/held", "200 OK", "", "{}");
    provider_let_go(provider);
    outcome_t outcome = fetch("/held");
    assert_int_equal(outcome.result.status, 200);
    assert_int_equal(never.count, 0);
    free(outcome.body);
}

static void *wake(void *data)
{
    fetcher_wake(data);
    return NULL;
}

static void a_wait_can_be_ended_from_any_thread(void **state)
{
    (void)state;
    pthread_t thread;
    /* Neither before nor during the wait is a waking lost: else the test's own time limit ends this. */
    for (int i = 0; i < 20; i++) {
        assert_int_equal(pthread_create(&thread, NULL, wake, fetcher), 0);
        fetcher_poll(fetcher, 3600000);
        pthread_join(thread, NULL);
    }
    for (int i = 0; i < 100000; i++)
        fetcher_wake(fetcher);
    fetcher_poll(fetcher, 3600000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_200_is_handed_over, start, stop),
        cmocka_unit_test_setup_teardown(a_request_says_no_more_than_it_has_to, start, stop),
        cmocka_unit_test_setup_teardown(an_etag_is_sent_back, start, stop),
        cmocka_unit_test_setup_teardown(an_etag_that_does_not_fit_is_none, start, stop),
        cmocka_unit_test_setup_teardown(a_refusal_has_a_status_and_no_body, start, stop),
        cmocka_unit_test_setup_teardown(nobody_waits_for_the_end_of_an_error_page, start, stop),
        cmocka_unit_test_setup_teardown(a_body_has_a_bound, start, stop),
        cmocka_unit_test_setup_teardown(a_header_has_a_bound, start, stop),
        cmocka_unit_test_setup_teardown(a_truncated_answer_is_none, start, stop),
        cmocka_unit_test_setup_teardown(the_last_answer_of_a_redirect_counts, start, stop),
        cmocka_unit_test_setup_teardown(redirects_have_an_end, start, stop),
        cmocka_unit_test_setup_teardown(a_redirect_keeps_the_scheme, start, stop),
        cmocka_unit_test_setup_teardown(a_url_has_a_scheme_that_is_allowed, start, stop),
        cmocka_unit_test_setup_teardown(plain_http_is_not_taken_for_https, start, stop),
        cmocka_unit_test_setup_teardown(who_does_not_answer_is_given_up, start, stop),
        cmocka_unit_test_setup_teardown(who_does_not_listen_is_named, start, stop),
        cmocka_unit_test_setup_teardown(a_slow_one_holds_up_nobody, start, stop),
        cmocka_unit_test_setup_teardown(what_is_cancelled_calls_nobody, start, stop),
        cmocka_unit_test_setup_teardown(a_wait_can_be_ended_from_any_thread, start, stop),
    };
    setenv("no_proxy", "*", 1);
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
