#include "introspectd/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

static int make_digester(void **state)
{
    *state = digester_new();
    return *state == NULL ? -1 : 0;
}

static int free_digester(void **state)
{
    digester_free(*state);
    return 0;
}

static void assert_hex(const digest_t *digest, const char *expected)
{
    char hex[2 * DIGEST_SIZE + 1];

    for (size_t i = 0; i < DIGEST_SIZE; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest->bytes[i]);
    assert_string_equal(hex, expected);
}

static void name_is_the_start_of_plain_sha256(void **state)
{
    char name[DIGEST_NAME_SIZE];

    /* The first 48 bits of the examples of FIPS 180-4, and of the empty text. */
    digest_name(*state, slice_of("abc"), name);
    assert_string_equal(name, "ba7816bf8f01");
    digest_name(*state, slice_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"), name);
    assert_string_equal(name, "248d6a61d206");
    digest_name(*state, slice_of(""), name);
    assert_string_equal(name, "e3b0c44298fc");
    digest_name(*state, slice_of(NULL), name);
    assert_string_equal(name, "e3b0c44298fc");
}

static void name_of_a_million_bytes(void **state)
{
    const size_t len = 1000000;
    char *text = malloc(len);
    char name[DIGEST_NAME_SIZE];

    assert_non_null(text);
    memset(text, 'a', len);
    digest_name(*state, (slice_t){text, len}, name);
    free(text);
    assert_string_equal(name, "cdc76e5c9914");
}

/* The expected values come from another implementation of SHA-256. */
static void keyed_is_sha256_of_seed_label_and_text(void **state)
{
    digest_seed_t seed;
    digest_t digest;

    for (size_t i = 0; i < DIGEST_SEED_SIZE; i++)
        seed.bytes[i] = (unsigned char)i;
    assert_true(digest_keyed(*state, &seed, UINT64_C(0x0123456789abcdef), slice_of("token"), &digest));
    assert_hex(&digest, "65f02f9ceaabd058b288316e38b61ebcdf887c1a8d732d1fe6ddeb7094ad754d");
    assert_true(digest_keyed(*state, &seed, 1, slice_of(NULL), &digest));
    assert_hex(&digest, "04ef472dd8b73b3f173309f3a009ee1699a5397553244fc06590c665345eeb45");
}

static void keyed_depends_on_each_part(void **state)
{
    digest_seed_t seed = {{7}};
    digest_seed_t other_seed = {{8}};
    digest_t first, again, by_seed, by_label, by_text;

    assert_true(digest_keyed(*state, &seed, 1, slice_of("token"), &first));
    assert_true(digest_keyed(*state, &other_seed, 1, slice_of("token"), &by_seed));
    assert_true(digest_keyed(*state, &seed, 2, slice_of("token"), &by_label));
    assert_true(digest_keyed(*state, &seed, 1, slice_of("tokem"), &by_text));
    assert_true(digest_keyed(*state, &seed, 1, slice_of("token"), &again));
    assert_true(digest_equal(&first, &again));
    assert_false(digest_equal(&first, &by_seed));
    assert_false(digest_equal(&first, &by_label));
    assert_false(digest_equal(&first, &by_text));
}

static void equal_sees_a_change_of_any_byte(void **state)
{
    digest_t one = {{0}};
    digest_t other;

    (void)state;
    for (size_t i = 0; i < DIGEST_SIZE; i++) {
        other = one;
        assert_true(digest_equal(&one, &other));
        other.bytes[i] ^= 0x80;
        assert_false(digest_equal(&one, &other));
    }
}

static void random_seeds_differ(void **state)
{
    digest_seed_t one, other;

    (void)state;
    assert_true(digest_seed_random(&one));
    assert_true(digest_seed_random(&other));
    assert_memory_not_equal(one.bytes, other.bytes, DIGEST_SEED_SIZE);
}

static void free_of_null_is_legal(void **state)
{
    (void)state;
    digester_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(name_is_the_start_of_plain_sha256),
        cmocka_unit_test(name_of_a_million_bytes),
        cmocka_unit_test(keyed_is_sha256_of_seed_label_and_text),
        cmocka_unit_test(keyed_depends_on_each_part),
        cmocka_unit_test(equal_sees_a_change_of_any_byte),
        cmocka_unit_test(random_seeds_differ),
        cmocka_unit_test(free_of_null_is_legal),
    };

    return cmocka_run_group_tests_name("digest", tests, make_digester, free_digester);
}
