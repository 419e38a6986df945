/* Tokens that others published. */
#include "introspectd/verify.h"

#include "introspectd/file.h"

#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* RFC 7515 appendix A.1: what the test suite cannot do without stands here. */
static const char RFC7515_A1_KEY[] = "{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-"
                                     "1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow\"}";
static const char RFC7515_A1_TOKEN[] =
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxl"
    "LmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

static json_t *load(const char *name)
{
    char path[1024];
    char *text = NULL;
    size_t len = 0;
    snprintf(path, sizeof(path), "%s/%s", VECTORS_DIR, name);
    if (file_read(path, 1 << 20, &text, &len) != 0) {
        print_message("no %s at the side of the repository: skipped\n", name);
        return NULL;
    }
    json_t *json = json_loadb(text, len, 0, NULL);
    assert_non_null(json);
    free(text);
    return json;
}

static reason_t judge(const json_t *key, const char *token)
{
    char *text = json_is_object(key) ? json_dumps(key, 0) : strdup("{\"keys\":[]}");
    keyset_t *keyset = fixture_keyset(text, NULL);
    verifier_t *verifier = verifier_new();
    assert_non_null(verifier);
    reason_t reason = fixture_verify(verifier, keyset, ALGORITHM_SET_ALL, token, NULL);
    verifier_free(verifier);
    keyset_release(keyset);
    free(text);
    return reason;
}

static void rfc7515_hmac_example(void **state)
{
    (void)state;
    json_t *key = json_loads(RFC7515_A1_KEY, 0, NULL);
    assert_int_equal(judge(key, RFC7515_A1_TOKEN), REASON_NONE);
    json_decref(key);
}

static void rfc7515_appendix_a(void **state)
{
    (void)state;
    json_t *file = load("rfc7515/appendix-a.json");
    if (file == NULL)
        skip();
    const json_t *cases = json_object_get(file, "cases");
    size_t i = 0;
    json_t *one = NULL;
    json_array_foreach(cases, i, one)
    {
        const char *token = json_string_value(json_object_get(one, "jws"));
        bool is_valid = strcmp(json_string_value(json_object_get(one, "result")), "valid") == 0;
        reason_t reason = judge(json_object_get(one, "key"), token);
        assert_int_equal(reason, is_valid ? REASON_NONE : REASON_ALGORITHM_NOT_ALLOWED);
        if (!is_valid)
            continue;
        /* The same with one letter of the payload changed. */
        char *changed = strdup(token);
        char *letter = strchr(changed, '.') + 1;
        *letter = *letter == 'f' ? 'e' : 'f';
        assert_int_equal(judge(json_object_get(one, "key"), changed), REASON_BAD_SIGNATURE);
        free(changed);
    }
    assert_int_equal(i, 5);
    json_decref(file);
}

static void cookbook_compact_tokens(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        reason_t reason;
    } FILES[] = {
        {"jws/4_1.rsa_v15_signature.json", REASON_NONE},
        {"jws/4_2.rsa-pss_signature.json", REASON_NONE},
        {"jws/4_3.ecdsa_signature.json", REASON_NONE},
        {"jws/4_4.hmac-sha2_integrity_protection.json", REASON_NONE},
        {"jws/4_5.signature_with_detached_content.json", REASON_BAD_SIGNATURE},
        {"curve25519/jws.json", REASON_NONE},
        {"rfc7797/hmac-sha2_b64_false.json", REASON_MALFORMED},
    };
    for (size_t i = 0; i < sizeof(FILES) / sizeof(FILES[0]); i++) {
        char name[256];
        snprintf(name, sizeof(name), "ietf-jose-cookbook/%s", FILES[i].name);
        json_t *file = load(name);
        if (file == NULL)
            skip();
        const json_t *key = json_object_get(json_object_get(file, "input"), "key");
        const char *token = json_string_value(json_object_get(json_object_get(file, "output"), "compact"));
        if (judge(key, token) != FILES[i].reason)
            fail_msg("%s: %s", name, reason_name(judge(key, token)));
        json_decref(file);
    }
}

static void cookbook_json_serialization_is_refused(void **state)
{
    (void)state;
    json_t *file = load("ietf-jose-cookbook/jws/4_6.protecting_specific_header_fields.json");
    if (file == NULL)
        skip();
    char *token = json_dumps(json_object_get(json_object_get(file, "output"), "json_flat"), JSON_COMPACT);
    assert_int_equal(judge(json_object_get(json_object_get(file, "input"), "key"), token), REASON_MALFORMED);
    free(token);
    json_decref(file);
}

static void unencoded_payload_is_refused(void **state)
{
    (void)state;
    /* RFC 7797 section 4.2's header over an encodable payload: it must fail for `crit`, not for the bytes. */
    json_t *key = json_loads(RFC7515_A1_KEY, 0, NULL);
    assert_int_equal(judge(key, "eyJhbGciOiJIUzI1NiIsImI2NCI6ZmFsc2UsImNyaXQiOlsiYjY0Il19.AAAA.AAAA"),
                     REASON_CRITICAL_HEADER);
    json_decref(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc7515_hmac_example),
        cmocka_unit_test(rfc7515_appendix_a),
        cmocka_unit_test(cookbook_compact_tokens),
        cmocka_unit_test(cookbook_json_serialization_is_refused),
        cmocka_unit_test(unencoded_payload_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
