#include "introspectd/compact.h"

#include "introspectd/base64url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static reason_t split(const char *token)
{
    compact_t compact;
    return compact_split(slice_of(token), &compact);
}

/* compact_parse_header of that JSON text; the header is the caller's when the reason is REASON_NONE. */
static reason_t parse_header(slice_t json, compact_header_t *out)
{
    char *text = malloc(base64url_encoded_len(json.len) + 1);
    base64url_encode((const unsigned char *)json.base, json.len, text);
    const compact_t compact = {.header = slice_of(text), .payload = slice_of("e30")};
    reason_t reason = compact_parse_header(&compact, out);
    free(text);
    return reason;
}

static reason_t header_reason(const char *json)
{
    compact_header_t header;
    reason_t reason = parse_header(slice_of(json), &header);
    if (reason == REASON_NONE)
        compact_header_deinit(&header);
    return reason;
}

static void three_parts_are_split(void **state)
{
    (void)state;
    static const char TOKEN[] = "eyJh.e30._-A0";
    compact_t compact;
    assert_int_equal(compact_split(slice_of(TOKEN), &compact), REASON_NONE);
    assert_true(slice_equal(compact.header, slice_of("eyJh")));
    assert_true(slice_equal(compact.payload, slice_of("e30")));
    assert_true(slice_equal(compact.signature, slice_of("_-A0")));
    assert_true(slice_equal(compact.signing_input, slice_of("eyJh.e30")));
    assert_ptr_equal(compact.signing_input.base, TOKEN);
}

static void an_empty_signature_is_left_to_verification(void **state)
{
    (void)state;
    compact_t compact;
    assert_int_equal(compact_split(slice_of("eyJh.e30."), &compact), REASON_NONE);
    assert_int_equal(compact.signature.len, 0);
    assert_true(slice_equal(compact.signing_input, slice_of("eyJh.e30")));
}

static void other_numbers_of_parts_are_refused(void **state)
{
    (void)state;
    assert_int_equal(split(""), REASON_MALFORMED);
    assert_int_equal(split("eyJh"), REASON_MALFORMED);
    assert_int_equal(split("eyJh.e30"), REASON_MALFORMED);
    assert_int_equal(split("eyJh.e30.AAAA.AAAA"), REASON_MALFORMED);
    assert_int_equal(split("eyJh.AAAA.AAAA.AAAA.AAAA"), REASON_ENCRYPTED);
    assert_int_equal(split("eyJh..AAAA.AAAA.AAAA"), REASON_ENCRYPTED);
    assert_int_equal(split("eyJh.AAAA.AAAA.AAAA.AAAA.AAAA"), REASON_MALFORMED);
    assert_int_equal(split("......................."), REASON_MALFORMED);
    assert_int_equal(split("{\"payload\":\"e30\",\"signatures\":[]}"), REASON_MALFORMED);
    compact_t compact;
    assert_int_equal(compact_split((slice_t){NULL, 0}, &compact), REASON_MALFORMED);
}

static void an_empty_header_is_refused(void **state)
{
    (void)state;
    assert_int_equal(split(".."), REASON_MALFORMED);
    assert_int_equal(split(".e30.AAAA"), REASON_MALFORMED);
}

static void an_empty_payload_is_a_jws_and_no_jwt(void **state)
{
    (void)state;
    compact_t compact;
    json_t *payload;
    assert_int_equal(compact_split(slice_of("eyJh..AAAA"), &compact), REASON_NONE);
    assert_int_equal(compact.payload.len, 0);
    assert_true(slice_equal(compact.signing_input, slice_of("eyJh.")));
    assert_int_equal(compact_parse_payload(&compact, &payload), REASON_MALFORMED);
}

static void each_part_is_strict_base64url(void **state)
{
    (void)state;
    static const char *const BAD[] = {"eyJ=",  "eyJh=", "ey+h", "ey/h",    "ey h", " eyJh", "eyJh ", "ey\nh",
                                      "ey\th", "ey~h",  "ey%h", "ey\xc3h", "e",    "eyJhe", "ez",    "ezz"};
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        for (int part = 0; part < 3; part++) {
            char token[64] = "";
            for (int at = 0; at < 3; at++) {
                strcat(token, at == part ? BAD[i] : "eyJh");
                strcat(token, at < 2 ? "." : "");
            }
            if (split(token) != REASON_MALFORMED)
                fail_msg("accepted: %s", token);
        }
    }
    compact_t compact;
    assert_int_equal(compact_split((slice_t){"eyJh.e30.AA\0A", 13}, &compact), REASON_MALFORMED);
    assert_int_equal(compact_split((slice_t){"eyJh.e30.AAAA\0", 14}, &compact), REASON_MALFORMED);
    assert_int_equal(split("eyJh.e30.AAAA\n"), REASON_MALFORMED);
}

static void header_members_are_read(void **state)
{
    (void)state;
    compact_header_t header;
    assert_int_equal(
        parse_header(slice_of("{\"typ\":\"at+jwt\",\r\n \"alg\":\"PS512\",\"kid\":\"k\",\"x\":[1]}"),
                     &header),
        REASON_NONE);
    assert_true(header.has_algorithm);
    assert_int_equal(header.algorithm, ALGORITHM_PS512);
    assert_true(slice_equal(header.algorithm_name, slice_of("PS512")));
    assert_true(slice_equal(header.kid, slice_of("k")));
    assert_true(slice_equal(header.typ, slice_of("at+jwt")));
    assert_true(json_is_array(json_object_get(header.json, "x")));
    compact_header_deinit(&header);
    assert_null(header.json);
}

static void absent_kid_and_typ_are_absent_and_empty_ones_empty(void **state)
{
    (void)state;
    compact_header_t header;
    assert_int_equal(parse_header(slice_of("{\"alg\":\"ES256\"}"), &header), REASON_NONE);
    assert_null(header.kid.base);
    assert_null(header.typ.base);
    compact_header_deinit(&header);
    assert_int_equal(parse_header(slice_of("{\"alg\":\"ES256\",\"kid\":\"\",\"typ\":\"\"}"), &header),
                     REASON_NONE);
    assert_non_null(header.kid.base);
    assert_int_equal(header.kid.len, 0);
    assert_non_null(header.typ.base);
    compact_header_deinit(&header);
}

static void unknown_algorithms_are_proposed_but_not_had(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"none", "None", "NONE", "rs256", "ES256K", "", "Ed25519", "HS256\\n"};
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        char json[64] = "{\"alg\":\"";
        strcat(json, NAMES[i]);
        strcat(json, "\"}");
        compact_header_t header;
        assert_int_equal(parse_header(slice_of(json), &header), REASON_NONE);
        assert_false(header.has_algorithm);
        assert_non_null(header.algorithm_name.base);
        compact_header_deinit(&header);
    }
}

static void malformed_headers_are_refused(void **state)
{
    (void)state;
    static const char *const HEADERS[] = {
        "{}",
        "{\"alg\":null}",
        "{\"alg\":256}",
        "{\"alg\":[\"RS256\"]}",
        "{\"Alg\":\"RS256\"}",
        "{\"alg\":\"RS256\",\"kid\":1}",
        "{\"alg\":\"RS256\",\"kid\":null}",
        "{\"alg\":\"RS256\",\"kid\":{\"a\":1}}",
        "{\"alg\":\"RS256\",\"typ\":true}",
        "{\"alg\":\"RS256\",\"typ\":[\"JWT\"]}",
        "{\"alg\":\"RS256\",\"alg\":\"RS256\"}",
        "{\"alg\":\"RS256\",\"x\":{\"a\":1,\"a\":1}}",
        "{\"alg\":\"RS256\"",
        "{\"alg\":\"RS256\"}x",
        "[\"alg\",\"RS256\"]",
        "\"RS256\"",
        "alg",
        "\xef\xbb\xbf{\"alg\":\"RS256\"}",
        "{\"alg\":\"RS256\",\"kid\":\"\xff\"}",
        "{\"alg\":\"RS256\",\"kid\":\"a\\u0000b\"}",
    };
    for (size_t i = 0; i < sizeof(HEADERS) / sizeof(HEADERS[0]); i++) {
        if (header_reason(HEADERS[i]) != REASON_MALFORMED)
            fail_msg("accepted: %s", HEADERS[i]);
    }
    compact_header_t header;
    assert_int_equal(parse_header((slice_t){"{\"alg\":\"RS256\"}\0", 16}, &header), REASON_MALFORMED);
}

static void critical_headers_are_refused(void **state)
{
    (void)state;
    static const char *const HEADERS[] = {
        "{\"alg\":\"RS256\",\"crit\":[\"exp\"],\"exp\":1}",
        "{\"alg\":\"RS256\",\"crit\":[]}",
        "{\"alg\":\"RS256\",\"crit\":null}",
        "{\"alg\":\"RS256\",\"crit\":\"b64\"}",
        "{\"alg\":\"RS256\",\"b64\":false}",
        "{\"alg\":\"RS256\",\"b64\":true}",
        "{\"alg\":\"RS256\",\"b64\":false,\"crit\":[\"b64\"]}",
        "{\"alg\":\"none\",\"crit\":[\"b64\"]}",
    };
    for (size_t i = 0; i < sizeof(HEADERS) / sizeof(HEADERS[0]); i++)
        assert_int_equal(header_reason(HEADERS[i]), REASON_CRITICAL_HEADER);
}

static void keys_in_the_header_are_ignored(void **state)
{
    (void)state;
    assert_int_equal(header_reason("{\"alg\":\"RS256\",\"jwk\":1,\"jku\":{},\"x5u\":[],\"x5c\":\"\"}"),
                     REASON_NONE);
}

static void a_deep_header_is_refused(void **state)
{
    (void)state;
    enum { LEVELS = 200000 };
    char *json = malloc(LEVELS + 64);
    char *at = stpcpy(json, "{\"alg\":\"RS256\",\"a\":");
    memset(at, '[', LEVELS);
    at[LEVELS] = '\0';
    assert_int_equal(header_reason(json), REASON_MALFORMED);
    free(json);
}

static void payload_is_an_object(void **state)
{
    (void)state;
    json_t *json = NULL;
    const compact_t good = {.payload = slice_of("eyJhIjoxfQ")};
    assert_int_equal(compact_parse_payload(&good, &json), REASON_NONE);
    assert_int_equal(json_integer_value(json_object_get(json, "a")), 1);
    json_decref(json);

    /* [], 1, "", {"a":1,"a":1}, and text that is not base64url. */
    static const char *const BAD[] = {"W10", "MQ", "IiI", "eyJhIjoxLCJhIjoxfQ", "eyJhIjoxfR", ""};
    json = NULL;
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        const compact_t bad = {.payload = slice_of(BAD[i])};
        assert_int_equal(compact_parse_payload(&bad, &json), REASON_MALFORMED);
        assert_null(json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_parts_are_split),
        cmocka_unit_test(an_empty_signature_is_left_to_verification),
        cmocka_unit_test(other_numbers_of_parts_are_refused),
        cmocka_unit_test(an_empty_header_is_refused),
        cmocka_unit_test(an_empty_payload_is_a_jws_and_no_jwt),
        cmocka_unit_test(each_part_is_strict_base64url),
        cmocka_unit_test(header_members_are_read),
        cmocka_unit_test(absent_kid_and_typ_are_absent_and_empty_ones_empty),
        cmocka_unit_test(unknown_algorithms_are_proposed_but_not_had),
        cmocka_unit_test(malformed_headers_are_refused),
        cmocka_unit_test(critical_headers_are_refused),
        cmocka_unit_test(keys_in_the_header_are_ignored),
        cmocka_unit_test(a_deep_header_is_refused),
        cmocka_unit_test(payload_is_an_object),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
