/* Every allocation of a key set's parsing fails in turn, OpenSSL's and jansson's too: the set is whole, or
 * there is none. */
#include "fixture.h"

#include "introspectd/json.h"

#include "../failing_library_alloc.h"
#include "failing_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/err.h>

enum { MAX_ALLOCATIONS = 5000 };

static void count_note(void *data, const keyset_note_t *note)
{
    (void)note;
    ++*(unsigned *)data;
}

/* What is skipped and warned of at best stays so. */
static void fail_each(const char *text)
{
    const char *error = NULL;
    unsigned notes = 0;
    keyset_t *whole = keyset_parse(slice_of(text), count_note, &notes, &error);
    assert_non_null(whole);
    bool has_failed = true;
    unsigned passing = 0;
    for (; has_failed && passing < MAX_ALLOCATIONS; passing++) {
        unsigned notes_now = 0;
        error = NULL;
        failing_alloc_arm(passing);
        keyset_t *keyset = keyset_parse(slice_of(text), count_note, &notes_now, &error);
        has_failed = failing_alloc_disarm();
        assert_int_equal(ERR_peek_error(), 0);
        if (keyset == NULL) {
            assert_true(has_failed);
            assert_string_equal(error, "out of memory");
        } else if (!keyset_equal(keyset, whole) || notes_now != notes) {
            fail_msg("allocation %u: %zu keys of %zu, %u notes of %u", passing, keyset_size(keyset),
                     keyset_size(whole), notes_now, notes);
        }
        keyset_release(keyset);
    }
    assert_in_range(passing, 20, MAX_ALLOCATIONS - 1);
    keyset_release(whole);
}

static void fail_each_of(const algorithm_t *algorithms, size_t count)
{
    json_t *keys = json_array();
    for (size_t i = 0; i < count; i++) {
        private_key_t *key = fixture_generate(algorithms[i], algorithm_name(algorithms[i]));
        json_array_append_new(keys, private_key_to_jwk(key, false));
        private_key_free(key);
    }
    json_t *set = json_pack("{s:o}", "keys", keys);
    char *text = json_dumps(set, 0);
    assert_non_null(text);
    json_decref(set);
    fail_each(text);
    free(text);
}

static void public_keys(void **state)
{
    (void)state;
    static const algorithm_t ALGORITHMS[] = {ALGORITHM_RS256, ALGORITHM_ES256, ALGORITHM_ES384,
                                             ALGORITHM_ES512, ALGORITHM_EDDSA};
    fail_each_of(ALGORITHMS, sizeof(ALGORITHMS) / sizeof(ALGORITHMS[0]));
}

static void symmetric_keys(void **state)
{
    (void)state;
    static const algorithm_t ALGORITHMS[] = {ALGORITHM_HS256, ALGORITHM_HS512};
    fail_each_of(ALGORITHMS, 2);
}

static void keys_that_are_skipped(void **state)
{
    (void)state;
    fail_each("{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"off\",\"x\":"
              "\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":"
              "\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"},{\"kty\":\"x\"},{\"kty\":\"RSA\",\"n\":"
              "\"AQAB\",\"e\":\"AQAB\"}]}");
}

int main(void)
{
    if (!failing_library_alloc_init())
        return 1;
    json_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(public_keys),
        cmocka_unit_test(symmetric_keys),
        cmocka_unit_test(keys_that_are_skipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
