/*
 * OpenSSL's allocations fail one after the other: no failure may make a bad signature good, and none may
 * blame a good token.
 */
#include "introspectd/verify.h"

#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

static bool is_armed;
static bool stays_failing; /* all that follow fail too */
static bool has_failed;
static unsigned left;

static bool fails_now(void)
{
    if (!is_armed || has_failed)
        return is_armed && stays_failing;
    if (left > 0) {
        left--;
        return false;
    }
    has_failed = true;
    return true;
}

static void *failing_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return fails_now() ? NULL : malloc(size);
}

static void *failing_realloc(void *block, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return fails_now() ? NULL : realloc(block, size);
}

static void plain_free(void *block, const char *file, int line)
{
    (void)file;
    (void)line;
    free(block);
}

static const algorithm_t ALGORITHMS[] = {ALGORITHM_HS256, ALGORITHM_RS256, ALGORITHM_PS256,
                                         ALGORITHM_ES256, ALGORITHM_ES512, ALGORITHM_EDDSA};

enum { MAX_ALLOCATIONS = 5000 };

typedef struct subject {
    algorithm_t algorithm;
    const jwk_t *jwk;
    slice_t input;
    slice_t good;
    slice_t bad;
} subject_t;

/* verify_signature with the allocation after `passing` others failing. */
static reason_t verify_failing(const subject_t *subject, slice_t signature, unsigned passing, bool is_warm)
{
    verifier_t *verifier = verifier_new();
    assert_non_null(verifier);
    if (is_warm)
        assert_int_equal(
            verify_signature(verifier, subject->jwk, subject->algorithm, subject->input, subject->good),
            REASON_NONE);
    is_armed = true;
    has_failed = false;
    left = passing;
    reason_t reason = verify_signature(verifier, subject->jwk, subject->algorithm, subject->input, signature);
    is_armed = false;
    assert_int_equal(ERR_peek_error(), 0);
    /* The verifier works again afterwards. */
    assert_int_equal(
        verify_signature(verifier, subject->jwk, subject->algorithm, subject->input, subject->good),
        REASON_NONE);
    verifier_free(verifier);
    return reason;
}

static void fail_each(const subject_t *subject, bool is_warm)
{
    unsigned passing = 0;
    for (bool is_failing = true; is_failing && passing < MAX_ALLOCATIONS; passing++) {
        reason_t reason = verify_failing(subject, subject->good, passing, is_warm);
        is_failing = has_failed;
        if (reason != REASON_NONE && (!is_failing || reason != REASON_INTERNAL_ERROR))
            fail_msg("%s: allocation %u: %s", algorithm_name(subject->algorithm), passing,
                     reason_name(reason));
        reason = verify_failing(subject, subject->bad, passing, is_warm);
        if (reason != REASON_BAD_SIGNATURE && (!has_failed || reason != REASON_INTERNAL_ERROR))
            fail_msg("%s: allocation %u: %s", algorithm_name(subject->algorithm), passing,
                     reason_name(reason));
    }
    assert_in_range(passing, 1, MAX_ALLOCATIONS - 1);
}

static void each_allocation_fails_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(ALGORITHMS) / sizeof(ALGORITHMS[0]); i++) {
        private_key_t *key = fixture_generate(ALGORITHMS[i], NULL);
        keyset_t *keyset = fixture_public_keyset(&key, 1);
        unsigned char *signature = NULL;
        size_t len = 0;
        const slice_t input = slice_of("e30.e30");
        assert_true(private_key_sign(key, ALGORITHMS[i], input, &signature, &len));
        unsigned char *bad = malloc(len);
        memcpy(bad, signature, len);
        bad[len / 2] ^= 0x10;
        const subject_t subject = {
            .algorithm = ALGORITHMS[i],
            .jwk = keyset_at(keyset, 0),
            .input = input,
            .good = {(const char *)signature, len},
            .bad = {(const char *)bad, len},
        };
        for (unsigned way = 0; way < 4; way++) {
            stays_failing = (way & 1) != 0;
            fail_each(&subject, (way & 2) != 0);
        }
        stays_failing = false;
        free(bad);
        free(signature);
        keyset_release(keyset);
        private_key_free(key);
    }
}

static void errors_of_others_change_no_verdict(void **state)
{
    (void)state;
    private_key_t *key = fixture_generate(ALGORITHM_ES256, NULL);
    keyset_t *keyset = fixture_public_keyset(&key, 1);
    verifier_t *verifier = verifier_new();
    const unsigned char signature[64] = {[31] = 1, [63] = 1};
    static const int REASONS[] = {ERR_R_MALLOC_FAILURE, ERR_R_INTERNAL_ERROR};
    for (size_t i = 0; i < 2; i++) {
        ERR_raise(ERR_LIB_SSL, REASONS[i]);
        assert_int_equal(verify_signature(verifier, keyset_at(keyset, 0), ALGORITHM_ES256,
                                          slice_of("e30.e30"),
                                          (slice_t){(const char *)signature, sizeof(signature)}),
                         REASON_BAD_SIGNATURE);
        assert_int_equal(ERR_peek_error(), 0);
    }
    verifier_free(verifier);
    keyset_release(keyset);
    private_key_free(key);
}

static void a_verifier_is_whole_or_not_at_all(void **state)
{
    (void)state;
    unsigned passing = 0;
    do {
        is_armed = true;
        has_failed = false;
        left = passing++;
        verifier_t *verifier = verifier_new();
        is_armed = false;
        assert_true(verifier != NULL || has_failed);
        verifier_free(verifier);
    } while (has_failed && passing < MAX_ALLOCATIONS);
    assert_in_range(passing, 2, MAX_ALLOCATIONS - 1);
}

int main(void)
{
    /* Before anything of OpenSSL allocates. */
    if (CRYPTO_set_mem_functions(failing_malloc, failing_realloc, plain_free) != 1)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_fails_once),
        cmocka_unit_test(errors_of_others_change_no_verdict),
        cmocka_unit_test(a_verifier_is_whole_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
