#include "hpack_count.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_BLOCK = 1 << 16, ROUNDS = 400, MAX_FIELDS = 40, MAX_TEXT = 600 };

static uint64_t random_state = 1;

/* splitmix64: the same run each time. */
static uint64_t random_next(void)
{
    uint64_t z = (random_state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static void add(hpack_count_t *count, const uint8_t *bytes, size_t len)
{
    char *copy = malloc(len + 1); /* what is read behind the bytes is seen */
    assert_non_null(copy);
    if (len > 0)
        memcpy(copy + 1, bytes, len);
    hpack_count_add(count, (slice_t){copy + 1, len});
    free(copy);
}

static unsigned count_of(const uint8_t *bytes, size_t len)
{
    hpack_count_t count = {0};
    add(&count, bytes, len);
    return count.fields;
}

/* Counts fields, ends where a field ends, and does so however the block is cut in two, and byte by byte. */
static void assert_count(const uint8_t *bytes, size_t len, unsigned fields)
{
    hpack_count_t whole = {0};
    add(&whole, bytes, len);
    assert_int_equal(whole.fields, fields);
    assert_int_equal(whole.expects, 0);
    for (size_t cut = 0; cut <= len; cut++) {
        hpack_count_t count = {0};
        add(&count, bytes, cut);
        assert_true(count.fields <= fields);
        add(&count, bytes + cut, len - cut);
        assert_int_equal(count.fields, fields);
        assert_int_equal(count.expects, 0);
    }
    hpack_count_t count = {0};
    for (size_t i = 0; i < len; i++)
        add(&count, bytes + i, 1);
    assert_int_equal(count.fields, fields);
    assert_int_equal(count.expects, 0);
}

#define ASSERT_FIELDS(fields, ...)                                                                           \
    do {                                                                                                     \
        static const uint8_t BLOCK[] = {__VA_ARGS__};                                                        \
        assert_count(BLOCK, sizeof(BLOCK), fields);                                                          \
    } while (0)

/* RFC 7541 section 6.1 */
static void counts_indexed_fields(void **state)
{
    (void)state;
    ASSERT_FIELDS(1, 0x82);
    ASSERT_FIELDS(3, 0x82, 0x84, 0xfe);
    ASSERT_FIELDS(2, 0xff, 0x00, 0x82);
    ASSERT_FIELDS(2, 0xff, 0x80, 0x80, 0x01, 0x82);
    ASSERT_FIELDS(2, 0x80, 0x80); /* no legal index */
}

/* Section 6.2: with incremental indexing, without, and never indexed. */
static void counts_literal_fields(void **state)
{
    (void)state;
    ASSERT_FIELDS(1, 0x40, 1, 'a', 1, 'b');
    ASSERT_FIELDS(1, 0x00, 1, 'a', 1, 'b');
    ASSERT_FIELDS(1, 0x10, 1, 'a', 1, 'b');
    ASSERT_FIELDS(1, 0x41, 1, 'b');
    ASSERT_FIELDS(1, 0x01, 1, 'b');
    ASSERT_FIELDS(1, 0x11, 1, 'b');
    ASSERT_FIELDS(2, 0x7f, 0x00, 1, 'b', 0x82);
    ASSERT_FIELDS(2, 0x0f, 0x00, 1, 'b', 0x82);
    ASSERT_FIELDS(2, 0x1f, 0x80, 0x01, 1, 'b', 0x82);
    ASSERT_FIELDS(2, 0x40, 0, 0, 0x82); /* empty strings */
    ASSERT_FIELDS(2, 0x41, 0, 0x82);
    ASSERT_FIELDS(2, 0x00, 0x81, 0x1f, 0x82, 0x1f, 0x1f, 0x82); /* Huffman's code has the same form */
}

/* Section 6.3 */
static void counts_size_updates(void **state)
{
    (void)state;
    ASSERT_FIELDS(2, 0x20, 0x82);
    ASSERT_FIELDS(2, 0x3f, 0xe1, 0x1f, 0x82);
    ASSERT_FIELDS(3, 0x20, 0x3f, 0xe1, 0x1f, 0x40, 1, 'a', 1, 'b');
}

static void counts_what_strings_look_like_once(void **state)
{
    (void)state;
    ASSERT_FIELDS(2, 0x40, 4, 0x82, 0x82, 0x82, 0x82, 3, 0x82, 0x40, 0x20, 0x82);
}

static void follows_long_strings(void **state)
{
    (void)state;
    static const size_t LENS[] = {126, 127, 128, 254, 255, 4096, 16383, 16384 + 127};
    uint8_t *block = calloc(1, MAX_BLOCK);
    assert_non_null(block);
    for (size_t i = 0; i < sizeof(LENS) / sizeof(LENS[0]); i++) {
        size_t len = 0;
        size_t left = LENS[i] - 0x7f;
        block[len++] = 0x01;
        block[len++] = LENS[i] < 0x7f ? (uint8_t)LENS[i] : 0x7f;
        for (; LENS[i] >= 0x7f && left >= 0x80; left >>= 7)
            block[len++] = (uint8_t)(left & 0x7f) | 0x80;
        if (LENS[i] >= 0x7f)
            block[len++] = (uint8_t)left;
        memset(block + len, 0x82, LENS[i]);
        len += LENS[i];
        block[len++] = 0x82;
        hpack_count_t count = {0};
        add(&count, block, len - 1);
        assert_int_equal(count.fields, 1);
        assert_int_equal(count.expects, 0);
        assert_int_equal(count_of(block, len), 2);
        for (size_t cut = 0; cut < 8; cut++) {
            hpack_count_t cut_count = {0};
            add(&cut_count, block, cut);
            add(&cut_count, block + cut, len - cut);
            assert_int_equal(cut_count.fields, 2);
        }
    }
    free(block);
}

/* Integers that no receiver takes, without end or too large: never more fields than bytes, and no overflow.
 */
static void survives_huge_integers(void **state)
{
    (void)state;
    static const uint8_t FIRST[] = {0xff, 0x7f, 0x0f, 0x1f, 0x3f};
    uint8_t block[200];
    for (size_t i = 0; i < sizeof(FIRST); i++) {
        memset(block, 0xff, sizeof(block));
        block[0] = FIRST[i];
        assert_int_equal(count_of(block, sizeof(block)), 1);
    }
    static const uint8_t LENGTH[] = {0x40, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff,
                                     0xff, 0xff, 0xff, 0x7f, 0x82, 0x82};
    assert_int_equal(count_of(LENGTH, sizeof(LENGTH)), 1);
}

static void never_counts_more_fields_than_bytes(void **state)
{
    (void)state;
    uint8_t block[64];
    for (int round = 0; round < 20000; round++) {
        size_t len = random_next() % sizeof(block);
        for (size_t i = 0; i < len; i++)
            block[i] = (uint8_t)random_next();
        unsigned fields = count_of(block, len);
        assert_true(fields <= len);
        size_t cut = len == 0 ? 0 : random_next() % len;
        hpack_count_t count = {0};
        add(&count, block, cut);
        add(&count, block + cut, len - cut);
        assert_int_equal(count.fields, fields);
    }
}

static void fill_text(uint8_t *text, size_t len)
{
    static const char CHARACTERS[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
    for (size_t i = 0; i < len; i++)
        text[i] = (uint8_t)CHARACTERS[random_next() % (sizeof(CHARACTERS) - 1)];
}

/* Few different names and values, so that both tables are used too. */
static nghttp2_nv random_field(uint8_t (*texts)[MAX_TEXT], size_t texts_len)
{
    static const char *const KNOWN[] = {":method", ":path", "authorization", "content-type", "cookie"};
    uint8_t *value = texts[random_next() % texts_len];
    nghttp2_nv field = {.value = value,
                        .valuelen = random_next() % (random_next() % 8 == 0 ? MAX_TEXT : 30),
                        .flags = random_next() % 4 == 0 ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE};
    if (random_next() % 2 == 0) {
        const char *known = KNOWN[random_next() % (sizeof(KNOWN) / sizeof(KNOWN[0]))];
        field.name = (uint8_t *)(uintptr_t)known;
        field.namelen = strlen(known);
    } else {
        field.name = texts[random_next() % texts_len];
        field.namelen = 1 + random_next() % 40;
    }
    return field;
}

static void agrees_with_another_encoder(void **state)
{
    (void)state;
    static uint8_t texts[16][MAX_TEXT];
    static uint8_t block[MAX_BLOCK];
    nghttp2_hd_deflater *deflater;
    for (size_t i = 0; i < 16; i++)
        fill_text(texts[i], MAX_TEXT);
    assert_int_equal(nghttp2_hd_deflate_new(&deflater, 4096), 0);
    for (int round = 0; round < ROUNDS; round++) {
        nghttp2_nv fields[MAX_FIELDS];
        size_t count = random_next() % MAX_FIELDS;
        for (size_t i = 0; i < count; i++)
            fields[i] = random_field(texts, 16);
        ssize_t len = nghttp2_hd_deflate_hd(deflater, block, sizeof(block), fields, count);
        assert_true(len >= 0);
        assert_int_equal(count_of(block, (size_t)len), count);
        if (round < 40)
            assert_count(block, (size_t)len, (unsigned)count);
    }
    nghttp2_hd_deflate_del(deflater);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_indexed_fields),
        cmocka_unit_test(counts_literal_fields),
        cmocka_unit_test(counts_size_updates),
        cmocka_unit_test(counts_what_strings_look_like_once),
        cmocka_unit_test(follows_long_strings),
        cmocka_unit_test(survives_huge_integers),
        cmocka_unit_test(never_counts_more_fields_than_bytes),
        cmocka_unit_test(agrees_with_another_encoder),
    };

    return cmocka_run_group_tests_name("hpack_count", tests, NULL, NULL);
}
