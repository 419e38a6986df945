/*
 * Callers that come again: who a header proves does not change by being remembered, and a request that is
 * answered from what is remembered takes no memory.
 */
#include "introspect_fixture.h"

#include "introspectd/json.h"

#include "../failing_library_alloc.h"
#include "client_memo.h"
#include "failing_alloc.h"

#include <openssl/evp.h>

#define SECRET "a secret of some length"

static unsigned proof_count;

/* NOLINTBEGIN(bugprone-reserved-identifier): the names are the linker's. */
const client_t *__real_client_authenticate(const client_set_t *set, digester_t *digester,
                                           const client_credentials_t *credentials);
const client_t *__wrap_client_authenticate(const client_set_t *set, digester_t *digester,
                                           const client_credentials_t *credentials);

const client_t *__wrap_client_authenticate(const client_set_t *set, digester_t *digester,
                                           const client_credentials_t *credentials)
{
    proof_count++;
    return __real_client_authenticate(set, digester, credentials);
}

/* NOLINTEND(bugprone-reserved-identifier) */

/* Scheme, any number of spaces, and the credentials in Base64. */
static const char *header_of(const char *scheme, int spaces, const char *pair)
{
    static char header[512];
    unsigned char encoded[256];
    assert_true(EVP_EncodeBlock(encoded, (const unsigned char *)pair, (int)strlen(pair)) > 0);
    snprintf(header, sizeof(header), "%s%*s%s", scheme, spaces, "", (const char *)encoded);
    return header;
}

static const client_t *ask(const fixture_t *fixture, const char *header)
{
    return introspect_authenticate_basic(fixture->worker, slice_of(header));
}

static void test_a_header_is_proved_once(void **state)
{
    const fixture_t *fixture = *state;
    proof_count = 0;
    assert_ptr_equal(ask(fixture, header_of("Basic", 1, "front:" SECRET)), fixture->front);
    assert_int_equal(proof_count, 1);
    for (int i = 0; i < 3; i++)
        assert_ptr_equal(ask(fixture, header_of("Basic", 1, "front:" SECRET)), fixture->front);
    assert_int_equal(proof_count, 1);
    assert_ptr_equal(ask(fixture, header_of("Basic", 1, "rs:" SECRET)), fixture->rs);
    assert_int_equal(proof_count, 2);
}

static void test_what_proves_nobody_is_not_remembered(void **state)
{
    static const char *const PAIRS[] = {"front:guess", "nobody:" SECRET, "front:" SECRET "x", "front:"};
    const fixture_t *fixture = *state;
    assert_ptr_equal(ask(fixture, header_of("Basic", 1, "front:" SECRET)), fixture->front);
    proof_count = 0;
    for (unsigned i = 0; i < sizeof(PAIRS) / sizeof(PAIRS[0]); i++) {
        assert_null(ask(fixture, header_of("Basic", 1, PAIRS[i])));
        assert_null(ask(fixture, header_of("Basic", 1, PAIRS[i])));
        assert_int_equal(proof_count, 2 * (i + 1));
    }
    assert_null(ask(fixture, header_of("Bearer", 1, "front:" SECRET)));
    assert_null(ask(fixture, header_of("Basic", 0, "front:" SECRET)));
    assert_null(ask(fixture, "Basic"));
    assert_null(ask(fixture, ""));
    assert_ptr_equal(ask(fixture, header_of("Basic", 1, "front:" SECRET)), fixture->front);
}

/* Every part of a remembered header that is changed makes it another header. */
static void test_a_changed_header_is_looked_at(void **state)
{
    const fixture_t *fixture = *state;
    char header[512];
    assert_ptr_equal(ask(fixture, header_of("Basic", 1, "front:" SECRET)), fixture->front);
    strcpy(header, header_of("Basic", 1, "front:" SECRET));
    size_t len = strlen(header);
    for (size_t i = 0; i < len; i++) {
        proof_count = 0;
        header[i] = (char)(header[i] ^ 1);
        const client_t *client = ask(fixture, header);
        header[i] = (char)(header[i] ^ 1);
        assert_true(client == NULL);
        /* The padding alone may be left out. */
        bool is_whole = strspn(header + i, "=") == len - i;
        assert_int_equal(introspect_authenticate_basic(fixture->worker, (slice_t){header, i}) != NULL,
                         is_whole);
    }
    assert_ptr_equal(ask(fixture, header), fixture->front);
}

/* What is remembered can be asked for alone, and that proves nothing new. */
static void test_recall_gives_what_was_proved(void **state)
{
    const fixture_t *fixture = *state;
    char good[512];
    strcpy(good, header_of("Basic", 1, "front:" SECRET));
    proof_count = 0;
    assert_null(introspect_recall_basic(fixture->worker, slice_of(good)));
    assert_int_equal(proof_count, 0);
    assert_ptr_equal(ask(fixture, good), fixture->front);
    assert_ptr_equal(introspect_recall_basic(fixture->worker, slice_of(good)), fixture->front);
    assert_null(ask(fixture, header_of("Basic", 1, "front:guess")));
    assert_null(introspect_recall_basic(fixture->worker, slice_of(header_of("Basic", 1, "front:guess"))));
    assert_int_equal(proof_count, 2);
}

static const client_t *named(const fixture_t *fixture, const char *header)
{
    return introspect_named_by_basic(fixture->worker, slice_of(header));
}

static void test_who_is_named_without_proof(void **state)
{
    const fixture_t *fixture = *state;
    proof_count = 0;
    assert_ptr_equal(named(fixture, header_of("Basic", 1, "front:guess")), fixture->front);
    assert_ptr_equal(named(fixture, header_of("Basic", 1, "rs:" SECRET)), fixture->rs);
    /* In the other spelling: RFC 6749 section 2.3.1. */
    assert_ptr_equal(named(fixture, header_of("Basic", 1, "%66ront:guess")), fixture->front);
    assert_null(named(fixture, header_of("Basic", 1, "nobody:guess")));
    assert_null(named(fixture, header_of("Bearer", 1, "front:guess")));
    assert_null(named(fixture, header_of("Basic", 1, "front")));
    assert_null(named(fixture, ""));
    assert_int_equal(proof_count, 0);
}

/* More headers than there are places, again and again. */
static void test_places_are_taken_over(void **state)
{
    const fixture_t *fixture = *state;
    for (int round = 0; round < 3; round++) {
        for (int spaces = 1; spaces <= 2 * CLIENT_MEMO_PLACES; spaces++) {
            assert_ptr_equal(ask(fixture, header_of("Basic", spaces, "front:" SECRET)), fixture->front);
            assert_ptr_equal(ask(fixture, header_of("bASIC", spaces, "rs:" SECRET)), fixture->rs);
            assert_null(ask(fixture, header_of("Basic", spaces, "front:guess")));
        }
    }
}

/* What one thread learned is not known to another. */
static void test_workers_remember_for_themselves(void **state)
{
    const fixture_t *fixture = *state;
    introspect_worker_t *other = introspect_worker_new(fixture->introspector);
    assert_non_null(other);
    assert_ptr_equal(ask(fixture, header_of("Basic", 1, "front:" SECRET)), fixture->front);
    proof_count = 0;
    const char *header = header_of("Basic", 1, "front:" SECRET);
    assert_ptr_equal(introspect_authenticate_basic(other, slice_of(header)), fixture->front);
    assert_int_equal(proof_count, 1);
    introspect_worker_free(other);
}

static void test_a_cached_answer_takes_no_memory(void **state)
{
    const fixture_t *fixture = *state;
    char *token =
        sign(fixture->key, "{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":\"at+jwt\"}",
             "{\"iss\":\"https://idp.example/\",\"aud\":\"https://api.example\",\"exp\":1700000300,"
             "\"token_use\":\"access\",\"front_channel_name\":\"A\",\"front_channel_address\":\"b\"}");
    slice_t tokens[] = {slice_of(token), slice_of("no.token.atall")};
    const char *header = header_of("Basic", 1, "front:" SECRET);
    introspect_verdict_t verdict;
    digest_t key;

    assert_ptr_equal(ask(fixture, header), fixture->front);
    for (size_t i = 0; i < 2; i++) {
        assert_false(introspect_lookup(fixture->worker, fixture->front, tokens[i], NOW_S, &key, &verdict));
        introspect_decide(fixture->worker, fixture->front, tokens[i], NOW_S, &key, &verdict);
        assert_int_equal(verdict.outcome, i == 0 ? INTROSPECT_ACTIVE : INTROSPECT_INACTIVE);
        failing_alloc_arm(0);
        const client_t *client = ask(fixture, header);
        bool is_found = introspect_lookup(fixture->worker, client, tokens[i], NOW_S, &key, &verdict);
        bool has_allocated = failing_alloc_disarm();
        assert_ptr_equal(client, fixture->front);
        assert_true(is_found && verdict.is_from_cache);
        assert_false(has_allocated);
    }
    free(token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_header_is_proved_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_proves_nobody_is_not_remembered, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_changed_header_is_looked_at, setup, teardown),
        cmocka_unit_test_setup_teardown(test_recall_gives_what_was_proved, setup, teardown),
        cmocka_unit_test_setup_teardown(test_who_is_named_without_proof, setup, teardown),
        cmocka_unit_test_setup_teardown(test_places_are_taken_over, setup, teardown),
        cmocka_unit_test_setup_teardown(test_workers_remember_for_themselves, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_cached_answer_takes_no_memory, setup, teardown),
    };
    if (!failing_library_alloc_init())
        return 1;
    return cmocka_run_group_tests_name("introspect callers", tests, NULL, NULL);
}
