#include "introspectd/lookup_digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

enum { TEXT_SIZE = LOOKUP_DIGEST_FAST_BYTES + 64 };

static const uint64_t label = UINT64_C(0x0123456789abcdef);

typedef struct fixture {
    digest_seed_t seed;
    lookup_digester_t *digester;
    char text[TEXT_SIZE];
} fixture_t;

static int setup(void **state)
{
    fixture_t *fixture = calloc(1, sizeof *fixture);

    assert_non_null(fixture);
    for (size_t i = 0; i < DIGEST_SEED_SIZE; i++)
        fixture->seed.bytes[i] = (unsigned char)i;
    for (size_t i = 0; i < TEXT_SIZE; i++)
        fixture->text[i] = (char)(unsigned char)(7 * i + 3);
    fixture->digester = lookup_digester_new(&fixture->seed);
    assert_non_null(fixture->digester);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    fixture_t *fixture = *state;

    lookup_digester_free(fixture->digester);
    free(fixture);
    return 0;
}

static digest_t digest_of(fixture_t *fixture, uint64_t text_label, const char *base, size_t len)
{
    digest_t digest;

    assert_true(lookup_digest(fixture->digester, text_label, (slice_t){base, len}, &digest));
    return digest;
}

/* The expected values come from the definition, written down in whole numbers, with another AES. */
static void digests_are_those_of_the_definition(void **state)
{
    static const struct {
        size_t len;
        const char *hex;
    } CASES[] = {
        {0, "d89cb4c33e34a8d8b59b28b88cc1a0f92c8a59541e6dcd40822168b83126c930"},
        {5, "bfb175bfcc0c61297534f4d67d9acc9ed8dfec2b0c9c2e48c356c2e09d3cc7cd"},
        {16, "37a5984ce714600a0d518038d5be77c80f833b09796cfa4059326d684c8df39f"},
        {31, "8281ae28ddac5ac7561d23536363a56f84223fafd925925e5e4c5a76e2f6556d"},
        {32, "cc04ad2051b06ea82092c3ec392d7e55696d9d1871f33a1a84b086e3d324d180"},
        {33, "065aad21dc3e1d5ae013295e4b8bfd7afb0e7da5ab7906a22eb2389cd782b921"},
        {700, "09b122719a473e3d59a8a3286381c006fa03e790a0e66c40b917cca677a612ed"},
        {4096, "3d698f807d5282abe5ebf4be580ccbae98e153d03da97d623cf5b041dde015ed"},
    };
    fixture_t *fixture = *state;

    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        digest_t digest = digest_of(fixture, label, fixture->text, CASES[i].len);
        char hex[2 * DIGEST_SIZE + 1];

        for (size_t k = 0; k < DIGEST_SIZE; k++)
            snprintf(hex + 2 * k, 3, "%02x", digest.bytes[k]);
        assert_string_equal(hex, CASES[i].hex);
    }
}

static void a_long_text_has_the_keyed_digest(void **state)
{
    fixture_t *fixture = *state;
    digester_t *digester = digester_new();
    digest_t expected;
    digest_t digest = digest_of(fixture, label, fixture->text, LOOKUP_DIGEST_FAST_BYTES + 1);

    assert_non_null(digester);
    assert_true(digest_keyed(digester, &fixture->seed, label,
                             (slice_t){fixture->text, LOOKUP_DIGEST_FAST_BYTES + 1}, &expected));
    assert_true(digest_equal(&digest, &expected));
    digester_free(digester);
}

/* Every length, at every alignment of a word, read from memory that ends with the text. */
static void only_the_text_is_read(void **state)
{
    fixture_t *fixture = *state;

    for (size_t len = 1; len <= 100; len++) {
        digest_t expected = digest_of(fixture, label, fixture->text, len);
        for (size_t offset = 0; offset < 8; offset++) {
            char *copy = malloc(offset + len);
            assert_non_null(copy);
            memcpy(copy + offset, fixture->text, len);
            digest_t digest = digest_of(fixture, label, copy + offset, len);
            assert_true(digest_equal(&digest, &expected));
            free(copy);
        }
    }
}

static void every_byte_counts(void **state)
{
    fixture_t *fixture = *state;
    const size_t len = 1000;
    digest_t plain = digest_of(fixture, label, fixture->text, len);

    for (size_t i = 0; i < len; i++) {
        fixture->text[i] = (char)(fixture->text[i] ^ 0x20);
        digest_t changed = digest_of(fixture, label, fixture->text, len);
        fixture->text[i] = (char)(fixture->text[i] ^ 0x20);
        assert_memory_not_equal(changed.bytes, plain.bytes, DIGEST_SIZE / 2);
        assert_memory_not_equal(changed.bytes + DIGEST_SIZE / 2, plain.bytes + DIGEST_SIZE / 2,
                                DIGEST_SIZE / 2);
    }
}

/* NH alone would add the same product twice over when two pairs change places. */
static void order_counts(void **state)
{
    fixture_t *fixture = *state;
    char swapped[96];
    digest_t plain = digest_of(fixture, label, fixture->text, sizeof swapped);

    for (size_t i = 0; i + 16 < sizeof swapped; i += 8) {
        memcpy(swapped, fixture->text, sizeof swapped);
        memcpy(swapped + i, fixture->text + i + 8, 8);
        memcpy(swapped + i + 8, fixture->text + i, 8);
        digest_t digest = digest_of(fixture, label, swapped, sizeof swapped);
        assert_false(digest_equal(&digest, &plain));
    }
}

static void zeros_at_the_end_count(void **state)
{
    fixture_t *fixture = *state;
    static const char zeros[64] = {0};
    digest_t before = digest_of(fixture, label, zeros, 0);

    for (size_t len = 1; len <= sizeof zeros; len++) {
        digest_t digest = digest_of(fixture, label, zeros, len);
        assert_false(digest_equal(&digest, &before));
        before = digest;
    }
}

static void label_and_seed_count(void **state)
{
    fixture_t *fixture = *state;
    digest_seed_t other_seed = fixture->seed;
    other_seed.bytes[31] ^= 1;
    lookup_digester_t *other = lookup_digester_new(&other_seed);
    lookup_digester_t *same = lookup_digester_new(&fixture->seed);
    digest_t plain = digest_of(fixture, label, fixture->text, 700);
    digest_t by_label = digest_of(fixture, label + 1, fixture->text, 700);
    digest_t by_seed, again;

    assert_non_null(other);
    assert_non_null(same);
    assert_true(lookup_digest(other, label, (slice_t){fixture->text, 700}, &by_seed));
    assert_true(lookup_digest(same, label, (slice_t){fixture->text, 700}, &again));
    assert_false(digest_equal(&plain, &by_label));
    assert_false(digest_equal(&plain, &by_seed));
    assert_true(digest_equal(&plain, &again));
    lookup_digester_free(other);
    lookup_digester_free(same);
}

/* Tables take buckets from any of its bytes: each value must come about as often as the others. */
static void bytes_are_spread_evenly(void **state)
{
    fixture_t *fixture = *state;
    enum { TEXTS = 25600, MEAN = TEXTS / 256 };
    static unsigned counts[DIGEST_SIZE][256];

    memset(counts, 0, sizeof counts);
    for (unsigned i = 0; i < TEXTS; i++) {
        memcpy(fixture->text, &i, sizeof i);
        digest_t digest = digest_of(fixture, label, fixture->text, 64);
        for (size_t k = 0; k < DIGEST_SIZE; k++)
            counts[k][digest.bytes[k]]++;
    }
    for (size_t k = 0; k < DIGEST_SIZE; k++) {
        double chi_squared = 0;
        for (size_t value = 0; value < 256; value++) {
            double off = (double)counts[k][value] - MEAN;
            chi_squared += off * off / MEAN;
        }
        /* 255 degrees of freedom, standard deviation 22.6: six of them above the mean. */
        assert_true(chi_squared < 255 + 6 * 22.6);
    }
}

static void free_of_null_is_legal(void **state)
{
    (void)state;
    lookup_digester_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(digests_are_those_of_the_definition, setup, teardown),
        cmocka_unit_test_setup_teardown(a_long_text_has_the_keyed_digest, setup, teardown),
        cmocka_unit_test_setup_teardown(only_the_text_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(every_byte_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(order_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(zeros_at_the_end_count, setup, teardown),
        cmocka_unit_test_setup_teardown(label_and_seed_count, setup, teardown),
        cmocka_unit_test_setup_teardown(bytes_are_spread_evenly, setup, teardown),
        cmocka_unit_test(free_of_null_is_legal),
    };

    return cmocka_run_group_tests_name("lookup_digest", tests, NULL, NULL);
}
