#include "introspectd/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/evp.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static client_basic_t parse(const char *header, char *buffer, client_credentials_t *out)
{
    return client_parse_basic(slice_of(header), buffer, out);
}

static void assert_slice(slice_t slice, const char *expected)
{
    assert_non_null(slice.base);
    assert_int_equal(slice.len, strlen(expected));
    assert_memory_equal(slice.base, expected, slice.len);
}

static void test_headers_that_are_read(void **state)
{
    (void)state;
    /* "Aladdin:open sesame" is RFC 7617's own example. */
    static const struct {
        const char *header;
        const char *id;
        const char *secret;
    } cases[] = {
        {"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin", "open sesame"},
        {"basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin", "open sesame"},
        {"BASIC    QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin", "open sesame"},
        {"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ", "Aladdin", "open sesame"},
        {"Basic YTo=", "a", ""},
        {"Basic YTo", "a", ""},
        {"Basic YTpi", "a", "b"},
        {"Basic YTpiOmM6", "a", "b:c:"},
        {"Basic YTrDqQ==", "a", "\xC3\xA9"},
        {"Basic YTo/Pz8+", "a", "?\?\?>"},
        {"Basic YTr7/w==", "a", "\xFB\xFF"},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        char buffer[CLIENT_BASIC_BUFFER_SIZE];
        client_credentials_t credentials;
        if (parse(cases[i].header, buffer, &credentials) != CLIENT_BASIC_OK)
            fail_msg("%s was refused", cases[i].header);
        assert_slice(credentials.client_id, cases[i].id);
        assert_slice(credentials.client_secret, cases[i].secret);
        assert_null(credentials.decoded_client_id.base);
        assert_null(credentials.decoded_client_secret.base);
    }
}

static void test_headers_that_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        client_basic_t expected;
    } cases[] = {
        {"", CLIENT_BASIC_OTHER_SCHEME},
        {"Bearer YTpi", CLIENT_BASIC_OTHER_SCHEME},
        {"Bas", CLIENT_BASIC_OTHER_SCHEME},
        {"BasicYTpi", CLIENT_BASIC_OTHER_SCHEME},
        {"Basics YTpi", CLIENT_BASIC_OTHER_SCHEME},
        {" Basic YTpi", CLIENT_BASIC_OTHER_SCHEME},
        {"Basic", CLIENT_BASIC_MALFORMED},
        {"Basic ", CLIENT_BASIC_MALFORMED},
        {"Basic    ", CLIENT_BASIC_MALFORMED},
        {"Basic YQ==", CLIENT_BASIC_MALFORMED},      /* "a": no colon */
        {"Basic OmI=", CLIENT_BASIC_MALFORMED},      /* ":b": no id */
        {"Basic Og==", CLIENT_BASIC_MALFORMED},      /* ":" */
        {"Basic YTpi YTpi", CLIENT_BASIC_MALFORMED}, /* a space inside */
        {"Basic YTpi,", CLIENT_BASIC_MALFORMED},
        {"Basic YTr7_w==", CLIENT_BASIC_MALFORMED}, /* base64url */
        {"Basic YTo=Yg==", CLIENT_BASIC_MALFORMED}, /* padding inside */
        {"Basic YTo==", CLIENT_BASIC_MALFORMED},    /* padding of the wrong length */
        {"Basic YTpi=", CLIENT_BASIC_MALFORMED},
        {"Basic YTpi====", CLIENT_BASIC_MALFORMED},
        {"Basic ====", CLIENT_BASIC_MALFORMED},
        {"Basic =", CLIENT_BASIC_MALFORMED},
        {"Basic YTpiA", CLIENT_BASIC_MALFORMED},
        {"Basic YTpiY", CLIENT_BASIC_MALFORMED}, /* one character over */
        {"Basic YTp=", CLIENT_BASIC_MALFORMED},  /* non-zero trailing bits */
        {"Basic YTpiYx==", CLIENT_BASIC_MALFORMED},
        {"Basic YQA6Yg==", CLIENT_BASIC_MALFORMED}, /* "a\0:b" */
        {"Basic YTpiCg==", CLIENT_BASIC_MALFORMED}, /* "a:b\n" */
        {"Basic YX86Yg==", CLIENT_BASIC_MALFORMED}, /* "a\x7F:b" */
        {"Basic YTpi\xC3\xA9", CLIENT_BASIC_MALFORMED},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        char buffer[CLIENT_BASIC_BUFFER_SIZE];
        client_credentials_t credentials;
        client_credentials_t before;
        memset(&credentials, 0x5A, sizeof(credentials));
        memcpy(&before, &credentials, sizeof(before));
        client_basic_t result = parse(cases[i].header, buffer, &credentials);
        if (result != cases[i].expected)
            fail_msg("\"%s\": %d, not %d", cases[i].header, (int)result, (int)cases[i].expected);
        assert_memory_equal(&credentials, &before, sizeof(before));
    }
    client_credentials_t credentials;
    char buffer[CLIENT_BASIC_BUFFER_SIZE];
    assert_int_equal(client_parse_basic((slice_t){NULL, 0}, buffer, &credentials), CLIENT_BASIC_OTHER_SCHEME);
    assert_int_equal(client_parse_basic((slice_t){"Basic YT\0i", 10}, buffer, &credentials),
                     CLIENT_BASIC_MALFORMED);
}

static void test_second_spelling(void **state)
{
    (void)state;
    static const struct {
        const char *pair;
        const char *id; /* NULL: no second spelling */
        const char *secret;
    } cases[] = {
        {"a:b", NULL, NULL},         {"a:b%", NULL, NULL},    {"a:%zz", NULL, NULL}, {"a%2:b+", NULL, NULL},
        {"a%3Ab:c+d", "a:b", "c d"}, {"a:c%2Bd", "a", "c+d"}, {"a+b:c", "a b", "c"}, {"a:b%00", NULL, NULL},
        {"a%0A:b", NULL, NULL},      {"a%7F:b", NULL, NULL},  {"%41:", "A", ""},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        char buffer[CLIENT_BASIC_BUFFER_SIZE];
        char header[128] = "Basic ";
        client_credentials_t credentials;
        EVP_EncodeBlock((unsigned char *)header + 6, (const unsigned char *)cases[i].pair,
                        (int)strlen(cases[i].pair));
        assert_int_equal(parse(header, buffer, &credentials), CLIENT_BASIC_OK);
        if (cases[i].id == NULL) {
            assert_null(credentials.decoded_client_id.base);
            assert_null(credentials.decoded_client_secret.base);
        } else {
            assert_slice(credentials.decoded_client_id, cases[i].id);
            assert_slice(credentials.decoded_client_secret, cases[i].secret);
        }
    }
}

static void test_length_is_bounded_by_the_buffer(void **state)
{
    (void)state;
    char buffer[CLIENT_BASIC_BUFFER_SIZE];
    char pair[20000];
    char header[30000] = "Basic ";
    client_credentials_t credentials;
    size_t longest = 0;

    memset(pair, '+', sizeof(pair));
    pair[1] = ':';
    for (size_t len = 3800; len < 4200; len++) {
        EVP_EncodeBlock((unsigned char *)header + 6, (const unsigned char *)pair, (int)len);
        if (parse(header, buffer, &credentials) == CLIENT_BASIC_OK) {
            assert_true(longest == 0 || longest == len - 1);
            longest = len;
            assert_int_equal(credentials.client_secret.len, len - 2);
            assert_int_equal(credentials.decoded_client_secret.len, len - 2);
        }
    }
    assert_in_range(longest, 3 * CLIENT_MAX_ID_BYTES + 1 + 3 * CLIENT_MAX_SECRET_BYTES, 4096);
    EVP_EncodeBlock((unsigned char *)header + 6, (const unsigned char *)pair, sizeof(pair));
    assert_int_equal(parse(header, buffer, &credentials), CLIENT_BASIC_MALFORMED);
}

/* The caller cleanses as much, and no more. */
static void test_what_is_written_follows_from_the_length(void **state)
{
    (void)state;
    static const char *const headers[] = {
        "Basic YTpi",
        "Basic czolM0FlJTI1Yw==",             /* s:%3Ae%25c */
        "Basic JTYxJTYxJTYxOiU2MSU2MSU2MQ==", /* %61%61%61:%61%61%61 */
        "Basic YSthK2ErYSthOmErYSthK2ErYQ==", /* a+a+a+a+a:a+a+a+a+a */
        "Basic YTolNjElNg==",                 /* a:%61%6 */
        "Basic YTpi!",
    };

    for (size_t i = 0; i < COUNT(headers); i++) {
        char buffer[CLIENT_BASIC_BUFFER_SIZE];
        client_credentials_t credentials;
        memset(buffer, '~', sizeof(buffer));
        (void)parse(headers[i], buffer, &credentials);
        for (size_t at = 2 * strlen(headers[i]); at < sizeof(buffer); at++)
            assert_int_equal(buffer[at], '~');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers_that_are_read),
        cmocka_unit_test(test_what_is_written_follows_from_the_length),
        cmocka_unit_test(test_headers_that_are_refused),
        cmocka_unit_test(test_second_spelling),
        cmocka_unit_test(test_length_is_bounded_by_the_buffer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
