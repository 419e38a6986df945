#include "introspectd/verify.h"

#include "fixture.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char PAYLOAD[] = "{\"sub\":\"someone\"}";

/* One key for each algorithm; RSA keys are slow to make, so all tests share them. */
static private_key_t *keys[ALGORITHM_COUNT];
static keyset_t *sets[ALGORITHM_COUNT];
static verifier_t *verifier;

static int set_up(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ALGORITHM_COUNT; i++) {
        keys[i] = fixture_generate((algorithm_t)i, "kid");
        sets[i] = fixture_public_keyset(&keys[i], 1);
    }
    verifier = verifier_new();
    return verifier == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    verifier_free(verifier);
    for (unsigned i = 0; i < ALGORITHM_COUNT; i++) {
        keyset_release(sets[i]);
        private_key_free(keys[i]);
    }
    return 0;
}

/* A token of that algorithm with its shared key. */
static char *token_of(algorithm_t algorithm)
{
    char header[64];
    snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"kid\":\"kid\"}", algorithm_name(algorithm));
    return fixture_token(keys[algorithm], algorithm, header, PAYLOAD);
}

static reason_t verify(const keyset_t *keyset, const char *token)
{
    return fixture_verify(verifier, keyset, ALGORITHM_SET_ALL, token, NULL);
}

static void every_algorithm_verifies_its_own(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ALGORITHM_COUNT; i++) {
        char *token = token_of((algorithm_t)i);
        const jwk_t *used = NULL;
        assert_int_equal(fixture_verify(verifier, sets[i], 1u << i, token, &used), REASON_NONE);
        assert_ptr_equal(used, keyset_at(sets[i], 0));
        assert_int_equal(verify(sets[i], token), REASON_NONE);
        free(token);
    }
}

static void no_key_verifies_another_algorithm(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ALGORITHM_COUNT; i++) {
        char *token = token_of((algorithm_t)i);
        for (unsigned other = 0; other < ALGORITHM_COUNT; other++) {
            if (other != i)
                assert_int_equal(verify(sets[other], token), REASON_UNKNOWN_KEY);
        }
        free(token);
    }
}

static void a_changed_bit_in_any_part_is_refused(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ALGORITHM_COUNT; i++) {
        char *token = token_of((algorithm_t)i);
        /* In the payload: another letter at the same place. */
        char *payload = strchr(token, '.') + 3;
        *payload = *payload == 'A' ? 'B' : 'A';
        assert_int_equal(verify(sets[i], token), REASON_BAD_SIGNATURE);
        free(token);

        /* In the header, where it still is the same header to a parser. */
        char header[64];
        snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"kid\":\"kid\"}", algorithm_name((algorithm_t)i));
        char *input = fixture_signing_input(header, PAYLOAD);
        unsigned char *signature = NULL;
        size_t len = 0;
        assert_true(private_key_sign(keys[i], (algorithm_t)i, slice_of(input), &signature, &len));
        free(input);
        snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"kid\":\"kid\"\t}",
                 algorithm_name((algorithm_t)i));
        input = fixture_signing_input(header, PAYLOAD);
        token = fixture_join(input, signature, len);
        assert_int_equal(verify(sets[i], token), REASON_BAD_SIGNATURE);
        free(token);
        free(input);
        free(signature);
    }
}

static void every_byte_of_a_signature_counts(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ALGORITHM_COUNT; i++) {
        char *token = token_of((algorithm_t)i);
        size_t len = 0;
        unsigned char *signature = fixture_signature(token, &len);
        for (size_t place = 0; place < len; place += 1 + len / 16) {
            signature[place] ^= 1;
            char *changed = fixture_with_signature(token, signature, len);
            assert_int_equal(verify(sets[i], changed), REASON_BAD_SIGNATURE);
            free(changed);
            signature[place] ^= 1;
        }
        free(signature);
        free(token);
    }
}

static void the_allow_list_comes_first(void **state)
{
    (void)state;
    keyset_t *empty = fixture_keyset("{\"keys\":[]}", NULL);
    for (unsigned i = 0; i < ALGORITHM_COUNT; i++) {
        char *token = token_of((algorithm_t)i);
        algorithm_set_t others = ALGORITHM_SET_ALL & ~(1u << i);
        assert_int_equal(fixture_verify(verifier, sets[i], others, token, NULL),
                         REASON_ALGORITHM_NOT_ALLOWED);
        assert_int_equal(fixture_verify(verifier, sets[i], 0, token, NULL), REASON_ALGORITHM_NOT_ALLOWED);
        assert_int_equal(fixture_verify(verifier, empty, others, token, NULL), REASON_ALGORITHM_NOT_ALLOWED);
        assert_int_equal(verify(empty, token), REASON_UNKNOWN_KEY);
        free(token);
    }
    keyset_release(empty);
}

static void none_is_refused_in_every_spelling(void **state)
{
    (void)state;
    static const char *const HEADERS[] = {"{\"alg\":\"none\"}", "{\"alg\":\"None\"}", "{\"alg\":\"NONE\"}",
                                          "{\"alg\":\"nOnE\"}", "{\"alg\":\"\"}",     "{\"alg\":\"hs256\"}"};
    for (size_t i = 0; i < sizeof(HEADERS) / sizeof(HEADERS[0]); i++) {
        char *input = fixture_signing_input(HEADERS[i], PAYLOAD);
        char *unsigned_token = fixture_join(input, "", 0);
        char *signed_token = fixture_token(keys[ALGORITHM_HS256], ALGORITHM_HS256, HEADERS[i], PAYLOAD);
        assert_int_equal(verify(sets[ALGORITHM_HS256], unsigned_token), REASON_ALGORITHM_NOT_ALLOWED);
        assert_int_equal(verify(sets[ALGORITHM_HS256], signed_token), REASON_ALGORITHM_NOT_ALLOWED);
        free(signed_token);
        free(unsigned_token);
        free(input);
    }
}

static void kid_chooses_the_key(void **state)
{
    (void)state;
    private_key_t *pair[2] = {fixture_generate(ALGORITHM_ES256, "one"),
                              fixture_generate(ALGORITHM_ES256, "two")};
    keyset_t *both = fixture_public_keyset(pair, 2);
    static const struct {
        const char *header;
        int signer;
        reason_t reason;
    } CASES[] = {
        {"{\"alg\":\"ES256\",\"kid\":\"one\"}", 0, REASON_NONE},
        {"{\"alg\":\"ES256\",\"kid\":\"two\"}", 1, REASON_NONE},
        {"{\"alg\":\"ES256\",\"kid\":\"one\"}", 1, REASON_BAD_SIGNATURE},
        {"{\"alg\":\"ES256\",\"kid\":\"two\"}", 0, REASON_BAD_SIGNATURE},
        {"{\"alg\":\"ES256\",\"kid\":\"three\"}", 0, REASON_UNKNOWN_KEY},
        {"{\"alg\":\"ES256\",\"kid\":\"\"}", 0, REASON_UNKNOWN_KEY},
        {"{\"alg\":\"ES256\",\"kid\":\"ONE\"}", 0, REASON_UNKNOWN_KEY},
        {"{\"alg\":\"ES256\",\"kid\":\"on\"}", 0, REASON_UNKNOWN_KEY},
        {"{\"alg\":\"ES256\",\"kid\":\"../../one\"}", 0, REASON_UNKNOWN_KEY},
        {"{\"alg\":\"ES256\"}", 0, REASON_NONE},
        {"{\"alg\":\"ES256\"}", 1, REASON_NONE},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        char *token = fixture_token(pair[CASES[i].signer], ALGORITHM_ES256, CASES[i].header, PAYLOAD);
        assert_int_equal(verify(both, token), CASES[i].reason);
        free(token);
    }
    keyset_release(both);
    private_key_free(pair[0]);
    private_key_free(pair[1]);
}

static void a_kid_never_finds_a_key_without_one(void **state)
{
    (void)state;
    private_key_t *key = fixture_generate(ALGORITHM_ES256, NULL);
    keyset_t *keyset = fixture_public_keyset(&key, 1);
    char *token = fixture_token(key, ALGORITHM_ES256, "{\"alg\":\"ES256\",\"kid\":\"\"}", PAYLOAD);
    assert_int_equal(verify(keyset, token), REASON_UNKNOWN_KEY);
    free(token);
    token = fixture_token(key, ALGORITHM_ES256, "{\"alg\":\"ES256\"}", PAYLOAD);
    assert_int_equal(verify(keyset, token), REASON_NONE);
    free(token);
    keyset_release(keyset);
    private_key_free(key);
}

static void keys_of_one_kid_are_told_apart_by_algorithm(void **state)
{
    (void)state;
    static const algorithm_t ALGORITHMS[] = {ALGORITHM_ES384, ALGORITHM_ES256, ALGORITHM_EDDSA,
                                             ALGORITHM_ES512};
    private_key_t *same[4];
    for (size_t i = 0; i < 4; i++)
        same[i] = fixture_generate(ALGORITHMS[i], "same");
    keyset_t *keyset = fixture_public_keyset(same, 4);
    for (size_t i = 0; i < 4; i++) {
        char header[64];
        snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"kid\":\"same\"}", algorithm_name(ALGORITHMS[i]));
        char *token = fixture_token(same[i], ALGORITHMS[i], header, PAYLOAD);
        const jwk_t *used = NULL;
        assert_int_equal(fixture_verify(verifier, keyset, ALGORITHM_SET_ALL, token, &used), REASON_NONE);
        assert_ptr_equal(used, keyset_at(keyset, i));
        free(token);
    }
    keyset_release(keyset);
    for (size_t i = 0; i < 4; i++)
        private_key_free(same[i]);
}

static void the_number_of_keys_tried_is_bounded(void **state)
{
    (void)state;
    enum { KEYS = 10 };
    static const unsigned BOUNDS[] = {1, 2, 8, 9, 10, 64};
    private_key_t *many[KEYS];
    for (size_t i = 0; i < KEYS; i++)
        many[i] = fixture_generate(ALGORITHM_HS256, NULL);
    keyset_t *keyset = fixture_public_keyset(many, KEYS);
    for (size_t i = 0; i < KEYS; i++) {
        char *token = fixture_token(many[i], ALGORITHM_HS256, "{\"alg\":\"HS256\"}", PAYLOAD);
        for (size_t b = 0; b < sizeof(BOUNDS) / sizeof(BOUNDS[0]); b++) {
            const verify_rules_t rules = {ALGORITHM_SET_ALL, BOUNDS[b]};
            const jwk_t *used = NULL;
            bool is_tried = i < BOUNDS[b];
            assert_int_equal(fixture_verify_by(verifier, keyset, &rules, token, &used),
                             is_tried ? REASON_NONE : REASON_BAD_SIGNATURE);
            assert_ptr_equal(used, is_tried ? keyset_at(keyset, i) : NULL);
        }
        free(token);
    }
    keyset_release(keyset);
    for (size_t i = 0; i < KEYS; i++)
        private_key_free(many[i]);
}

static void rsa_keys_without_alg_verify_both_paddings(void **state)
{
    (void)state;
    json_t *jwk = private_key_to_jwk(keys[ALGORITHM_RS256], true);
    json_object_del(jwk, "alg");
    char *text = json_dumps(jwk, 0);
    const char *error = NULL;
    private_key_t *key = private_key_parse(slice_of(text), &error);
    keyset_t *keyset = fixture_public_keyset(&key, 1);
    for (unsigned i = 0; i < ALGORITHM_COUNT; i++) {
        bool is_rsa = i >= ALGORITHM_RS256 && i <= ALGORITHM_PS512;
        assert_int_equal(jwk_fits(keyset_at(keyset, 0), (algorithm_t)i), is_rsa);
        if (is_rsa) {
            char header[64];
            snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", algorithm_name((algorithm_t)i));
            char *token = fixture_token(key, (algorithm_t)i, header, PAYLOAD);
            assert_int_equal(verify(keyset, token), REASON_NONE);
            free(token);
        }
    }
    keyset_release(keyset);
    private_key_free(key);
    free(text);
    json_decref(jwk);
}

static void verify_signature_checks_that_the_key_fits(void **state)
{
    (void)state;
    const jwk_t *jwk = keyset_at(sets[ALGORITHM_RS256], 0);
    unsigned char signature[256] = {1};
    const slice_t bytes = {(const char *)signature, sizeof(signature)};
    assert_int_equal(verify_signature(verifier, jwk, ALGORITHM_PS256, slice_of("a.b"), bytes),
                     REASON_UNKNOWN_KEY);
    assert_int_equal(verify_signature(verifier, jwk, ALGORITHM_HS256, slice_of("a.b"), bytes),
                     REASON_UNKNOWN_KEY);
    assert_int_equal(verify_signature(verifier, jwk, ALGORITHM_RS256, slice_of("a.b"), bytes),
                     REASON_BAD_SIGNATURE);
}

static void contexts_are_reused_across_many_keys(void **state)
{
    (void)state;
    enum { KEYS = 40, ROUNDS = 4 };
    private_key_t *many[KEYS];
    char *tokens[KEYS];
    for (size_t i = 0; i < KEYS; i++) {
        algorithm_t algorithm = i % 2 == 0 ? ALGORITHM_ES256 : ALGORITHM_EDDSA;
        char kid[16];
        char header[64];
        snprintf(kid, sizeof(kid), "%02zu", i);
        snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"kid\":\"%s\"}", algorithm_name(algorithm), kid);
        many[i] = fixture_generate(algorithm, kid);
        tokens[i] = fixture_token(many[i], algorithm, header, PAYLOAD);
    }
    keyset_t *keyset = fixture_public_keyset(many, KEYS);
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < KEYS; i++) {
            size_t len = 0;
            unsigned char *signature = fixture_signature(tokens[i], &len);
            char *foreign = fixture_with_signature(tokens[(i + 2) % KEYS], signature, len);
            assert_int_equal(verify(keyset, tokens[i]), REASON_NONE);
            assert_int_equal(verify(keyset, foreign), REASON_BAD_SIGNATURE);
            assert_int_equal(verify(keyset, tokens[i]), REASON_NONE);
            free(foreign);
            free(signature);
        }
    }
    keyset_release(keyset);
    for (size_t i = 0; i < KEYS; i++) {
        free(tokens[i]);
        private_key_free(many[i]);
    }
}

static void a_freed_set_leaves_no_key_behind(void **state)
{
    (void)state;
    /* The next set's key is likely to lie where the last one's lay, and has the same kid. */
    static const algorithm_t ALGORITHMS[] = {ALGORITHM_ES256, ALGORITHM_HS256, ALGORITHM_EDDSA};
    for (size_t a = 0; a < 3; a++) {
        char header[64];
        snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"kid\":\"kid\"}", algorithm_name(ALGORITHMS[a]));
        char *last = NULL;
        for (int i = 0; i < 30; i++) {
            private_key_t *key = fixture_generate(ALGORITHMS[a], "kid");
            keyset_t *keyset = fixture_public_keyset(&key, 1);
            char *token = fixture_token(key, ALGORITHMS[a], header, PAYLOAD);
            assert_int_equal(verify(keyset, token), REASON_NONE);
            if (last != NULL)
                assert_int_equal(verify(keyset, last), REASON_BAD_SIGNATURE);
            free(last);
            last = token;
            keyset_release(keyset);
            private_key_free(key);
        }
        free(last);
    }
}

typedef struct worker {
    char *tokens[ALGORITHM_COUNT];
    bool is_wrong;
} worker_t;

static void *verify_often(void *data)
{
    worker_t *worker = data;
    verifier_t *own = verifier_new();
    for (int round = 0; round < 5 && own != NULL; round++) {
        for (unsigned i = 0; i < ALGORITHM_COUNT; i++) {
            if (fixture_verify(own, sets[i], ALGORITHM_SET_ALL, worker->tokens[i], NULL) != REASON_NONE)
                worker->is_wrong = true;
        }
    }
    worker->is_wrong = worker->is_wrong || own == NULL;
    verifier_free(own);
    return NULL;
}

static void threads_share_keys(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    worker_t workers[THREADS] = {0};
    pthread_t threads[THREADS];
    for (unsigned i = 0; i < ALGORITHM_COUNT; i++) {
        char *token = token_of((algorithm_t)i);
        for (size_t t = 0; t < THREADS; t++)
            workers[t].tokens[i] = token;
    }
    for (size_t t = 0; t < THREADS; t++)
        assert_int_equal(pthread_create(&threads[t], NULL, verify_often, &workers[t]), 0);
    for (size_t t = 0; t < THREADS; t++) {
        assert_int_equal(pthread_join(threads[t], NULL), 0);
        assert_false(workers[t].is_wrong);
    }
    for (unsigned i = 0; i < ALGORITHM_COUNT; i++)
        free(workers[0].tokens[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_algorithm_verifies_its_own),
        cmocka_unit_test(no_key_verifies_another_algorithm),
        cmocka_unit_test(a_changed_bit_in_any_part_is_refused),
        cmocka_unit_test(every_byte_of_a_signature_counts),
        cmocka_unit_test(the_allow_list_comes_first),
        cmocka_unit_test(none_is_refused_in_every_spelling),
        cmocka_unit_test(kid_chooses_the_key),
        cmocka_unit_test(a_kid_never_finds_a_key_without_one),
        cmocka_unit_test(keys_of_one_kid_are_told_apart_by_algorithm),
        cmocka_unit_test(the_number_of_keys_tried_is_bounded),
        cmocka_unit_test(rsa_keys_without_alg_verify_both_paddings),
        cmocka_unit_test(verify_signature_checks_that_the_key_fits),
        cmocka_unit_test(contexts_are_reused_across_many_keys),
        cmocka_unit_test(a_freed_set_leaves_no_key_behind),
        cmocka_unit_test(threads_share_keys),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
