#include "raw_head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* The bytes lie at the end of a block of their own, so that a sanitizer sees what is read behind them. */
static const char *problem_of(const char *text)
{
    size_t len = strlen(text);
    char *copy = malloc(len);
    assert_non_null(copy);
    memcpy(copy, text, len);
    bool is_chunked;
    const char *problem = raw_head_problem((slice_t){copy, len}, &is_chunked);
    free(copy);
    return problem;
}

static void test_plain_heads(void **state)
{
    static const char *const HEADS[] = {
        "POST / HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc",
        "POST / HTTP/1.1\r\nHOST: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        "\r\nPOST / HTTP/1.1\r\nhost: x\r\n\r\n",
        /* Names that only look alike, values, and what stands behind the head. */
        "POST / HTTP/1.1\r\nhost: x\r\nhosts: y\r\nx-host: z\r\nhos: q\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: x\r\nx: host: y\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: x\r\n\r\nhost: y\r\ncontent-length: 1\ncontent-length: 2\r\n",
        "POST /host:a/host:b HTTP/1.1\r\nhost: x\r\n\r\n",
        "POST / HTTP/1.0\r\ncontent-length: 0\r\n\r\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(HEADS) / sizeof(HEADS[0]); i++)
        assert_null(problem_of(HEADS[i]));
}

static void test_ambiguous_heads(void **state)
{
    static const struct {
        const char *head;
        const char *problem;
    } CASES[] = {
        {"POST / HTTP/1.1\r\nhost: x\r\nhost: x\r\n\r\n", "the header Host is repeated"},
        {"POST / HTTP/1.1\r\nhost: x\r\na: b\r\nHost:y\r\n\r\n", "the header Host is repeated"},
        {"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\n",
         "the header Content-Length is repeated"},
        {"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\nCONTENT-LENGTH: 3\r\n\r\n",
         "the header Content-Length is repeated"},
        {"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n",
         "the header Transfer-Encoding is repeated"},
        {"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n",
         "both Content-Length and Transfer-Encoding are given"},
        {"POST / HTTP/1.1\r\ncontent-length: 0\r\ntransfer-encoding: chunked\r\n\r\n",
         "both Content-Length and Transfer-Encoding are given"},
        {"POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n", "Transfer-Encoding is given with HTTP/1.0"},
        {"POST / HTTP/1.1\nhost: x\r\n\r\n", "a line of the head does not end with CR LF"},
        {"POST / HTTP/1.1\r\nhost: x\n\r\n", "a line of the head does not end with CR LF"},
        {"POST / HTTP/1.1\r\nhost: x\r\n\n", "a line of the head does not end with CR LF"},
        {"\nPOST / HTTP/1.1\r\nhost: x\r\n\r\n", "a line of the head does not end with CR LF"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        const char *problem = problem_of(CASES[i].head);
        assert_non_null(problem);
        assert_string_equal(problem, CASES[i].problem);
    }
}

/* The library gives whole heads only; whatever is cut off must still be read within its bytes. */
static void test_cut_heads(void **state)
{
    static const char HEAD[] = "\r\nPOST / HTTP/1.1\r\nhost: x\r\n\r\n";
    (void)state;
    for (size_t len = 1; len < sizeof(HEAD) - 1; len++) {
        char *copy = malloc(len);
        assert_non_null(copy);
        memcpy(copy, HEAD, len);
        bool is_chunked;
        assert_non_null(raw_head_problem((slice_t){copy, len}, &is_chunked));
        free(copy);
    }
    assert_null(problem_of(HEAD));
}

static void test_chunks_are_told(void **state)
{
    static const char CHUNKED[] = "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    static const char PLAIN[] = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\n";
    bool is_chunked = false;
    (void)state;
    assert_null(raw_head_problem(slice_of(CHUNKED), &is_chunked));
    assert_true(is_chunked);
    assert_null(raw_head_problem(slice_of(PLAIN), &is_chunked));
    assert_false(is_chunked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_heads),
        cmocka_unit_test(test_ambiguous_heads),
        cmocka_unit_test(test_cut_heads),
        cmocka_unit_test(test_chunks_are_told),
    };
    return cmocka_run_group_tests_name("raw head", tests, NULL, NULL);
}
