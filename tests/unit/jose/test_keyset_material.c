#include "introspectd/keyset.h"

#include "introspectd/base64url.h"

#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { BYTES_MAX = 4200 };

/* The outcome of a set of one key: NULL when it is used without a note, otherwise the text of its only note.
 */
static const char *judge(const char *json, bool *is_used)
{
    fixture_notes_t notes = {0};
    keyset_t *keyset = fixture_keyset(json, &notes);
    *is_used = keyset_size(keyset) == 1;
    keyset_release(keyset);
    assert_in_range(notes.count, 0, 1);
    if (!*is_used)
        assert_true(notes.count == 1 && notes.notes[0].is_skipped);
    return notes.count == 0 ? NULL : notes.notes[0].text;
}

static const char *judge_rsa(const unsigned char *n, size_t n_len, const unsigned char *e, size_t e_len,
                             bool *is_used)
{
    char *n_text = fixture_base64url(n, n_len);
    char *e_text = fixture_base64url(e, e_len);
    size_t size = strlen(n_text) + strlen(e_text) + 64;
    char *json = malloc(size);
    snprintf(json, size, "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"}", n_text, e_text);
    const char *text = judge(json, is_used);
    free(json);
    free(e_text);
    free(n_text);
    return text;
}

static bool has_small_factor(const unsigned char *n, size_t len)
{
    for (unsigned divisor = 3; divisor <= 167; divisor += 2) {
        unsigned remainder = 0;
        for (size_t i = 0; i < len; i++)
            remainder = (remainder << 8 | n[i]) % divisor;
        if (remainder == 0)
            return true;
    }
    return false;
}

/* An odd number of that many bits without small factors; nobody looks for others. */
static size_t modulus(size_t bits, unsigned char *out)
{
    size_t len = (bits + 7) / 8;
    memset(out, 0xa5, len);
    out[0] = (unsigned char)(1u << (bits + 7) % 8);
    out[len - 1] = 0x01;
    while (has_small_factor(out, len)) {
        assert_int_not_equal(out[len - 1], 0xff);
        out[len - 1] = (unsigned char)(out[len - 1] + 2);
    }
    return len;
}

static void rsa_sizes(void **state)
{
    (void)state;
    static const struct {
        size_t bits;
        const char *problem;
    } CASES[] = {{512, "under 2048"}, {1024, "under 2048"}, {2040, "under 2048"},  {2047, "under 2048"},
                 {2048, NULL},        {2049, NULL},         {2056, NULL},          {3072, NULL},
                 {4096, NULL},        {16384, NULL},        {16385, "over 16384"}, {16392, "over 16384"}};
    const unsigned char e[] = {1, 0, 1};
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        unsigned char n[BYTES_MAX];
        bool is_used = false;
        const char *text = judge_rsa(n, modulus(CASES[i].bits, n), e, sizeof(e), &is_used);
        assert_int_equal(is_used, CASES[i].problem == NULL);
        assert_int_equal(text == NULL, CASES[i].problem == NULL);
        if (text != NULL)
            assert_non_null(strstr(text, CASES[i].problem));
    }
}

static void rsa_leading_zeros_count_for_nothing(void **state)
{
    (void)state;
    const unsigned char e[] = {0, 1, 0, 1};
    unsigned char n[BYTES_MAX] = {0};
    bool is_used = false;
    size_t len = modulus(2048, n + 1);
    assert_null(judge_rsa(n, len + 1, e, sizeof(e), &is_used));
    assert_true(is_used);
    memset(n, 0, sizeof(n));
    len = modulus(2047, n + 16);
    assert_non_null(strstr(judge_rsa(n, len + 16, e, sizeof(e), &is_used), "under 2048"));
    assert_false(is_used);
}

static void rsa_even_modulus(void **state)
{
    (void)state;
    const unsigned char e[] = {1, 0, 1};
    unsigned char n[BYTES_MAX];
    bool is_used = true;
    size_t len = modulus(2048, n);
    n[len - 1] = 0x02;
    assert_non_null(strstr(judge_rsa(n, len, e, sizeof(e), &is_used), "even"));
    assert_false(is_used);
}

static void rsa_exponents(void **state)
{
    (void)state;
    static const struct {
        unsigned char e[10];
        size_t len;
        bool is_used;
        const char *note;
    } CASES[] = {
        {{0}, 0, false, "even"},
        {{0}, 1, false, "even"},
        {{1}, 1, false, "under 3"},
        {{0, 1}, 2, false, "under 3"},
        {{2}, 1, false, "even"},
        {{4}, 1, false, "even"},
        {{1, 0, 0}, 3, false, "even"},
        {{3}, 1, true, "under 65537"},
        {{17}, 1, true, "under 65537"},
        {{0xff, 0xff}, 2, true, "under 65537"},
        {{1, 0, 1}, 3, true, NULL},
        {{1, 0, 3}, 3, true, NULL},
        {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 8, true, NULL},
        {{1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 9, true, NULL},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        unsigned char n[BYTES_MAX];
        bool is_used = false;
        const char *text = judge_rsa(n, modulus(2048, n), CASES[i].e, CASES[i].len, &is_used);
        assert_int_equal(is_used, CASES[i].is_used);
        assert_int_equal(text == NULL, CASES[i].note == NULL);
        if (text != NULL)
            assert_non_null(strstr(text, CASES[i].note));
    }
}

static void rsa_exponents_that_openssl_would_refuse_later(void **state)
{
    (void)state;
    unsigned char n[BYTES_MAX];
    bool is_used = true;
    size_t len = modulus(2048, n);
    assert_non_null(strstr(judge_rsa(n, len, n, len, &is_used), "too large"));
    assert_false(is_used);
    const unsigned char e[] = {1, 0, 0, 0, 0, 0, 0, 0, 1};
    assert_non_null(strstr(judge_rsa(n, modulus(4096, n), e, sizeof(e), &is_used), "too large"));
    assert_false(is_used);
}

static void rsa_members(void **state)
{
    (void)state;
    static const char *const TAILS[] = {"\"e\":\"AQAB\"",
                                        "\"n\":\"AQAB\"",
                                        "\"n\":1,\"e\":\"AQAB\"",
                                        "\"n\":\"AQAB\",\"e\":65537",
                                        "\"n\":\"\",\"e\":\"AQAB\"",
                                        "\"n\":\"A+AB\",\"e\":\"AQAB\"",
                                        "\"n\":\"AQAB\",\"e\":\"AQAB=\"",
                                        "\"n\":null,\"e\":null"};
    for (size_t i = 0; i < sizeof(TAILS) / sizeof(TAILS[0]); i++) {
        char json[256];
        bool is_used = true;
        snprintf(json, sizeof(json), "{\"kty\":\"RSA\",%s}", TAILS[i]);
        assert_non_null(judge(json, &is_used));
        assert_false(is_used);
    }
    unsigned char long_n[BYTES_MAX];
    const unsigned char e[] = {1, 0, 1};
    bool is_used = true;
    assert_non_null(judge_rsa(long_n, modulus(BYTES_MAX * 8, long_n), e, sizeof(e), &is_used));
    assert_false(is_used);
}

static const char *judge_ec(const char *curve, const unsigned char *x, size_t x_len, const unsigned char *y,
                            size_t y_len, bool *is_used)
{
    char *x_text = fixture_base64url(x, x_len);
    char *y_text = fixture_base64url(y, y_len);
    char json[512];
    snprintf(json, sizeof(json), "{\"kty\":\"EC\",\"crv\":\"%s\",\"x\":\"%s\",\"y\":\"%s\"}", curve, x_text,
             y_text);
    free(y_text);
    free(x_text);
    return judge(json, is_used);
}

/* Decodes one member of a new key of algorithm. */
static void coordinates(algorithm_t algorithm, unsigned char *x, unsigned char *y, size_t *len)
{
    private_key_t *key = fixture_generate(algorithm, NULL);
    json_t *jwk = private_key_to_jwk(key, false);
    assert_true(base64url_decode(slice_of(json_string_value(json_object_get(jwk, "x"))), x, len));
    if (y != NULL)
        assert_true(base64url_decode(slice_of(json_string_value(json_object_get(jwk, "y"))), y, len));
    json_decref(jwk);
    private_key_free(key);
}

static void ec_points(void **state)
{
    (void)state;
    static const struct {
        algorithm_t algorithm;
        const char *curve;
    } CURVES[] = {{ALGORITHM_ES256, "P-256"}, {ALGORITHM_ES384, "P-384"}, {ALGORITHM_ES512, "P-521"}};
    for (size_t i = 0; i < 3; i++) {
        unsigned char x[80] = {0};
        unsigned char y[80] = {0};
        unsigned char zeros[80] = {0};
        unsigned char ones[80];
        memset(ones, 0xff, sizeof(ones));
        size_t len = 0;
        bool is_used = false;
        const char *curve = CURVES[i].curve;
        coordinates(CURVES[i].algorithm, x, y, &len);
        assert_null(judge_ec(curve, x, len, y, len, &is_used));
        assert_true(is_used);

        /* Swapped or foreign coordinates, the origin, and numbers beyond the field. */
        assert_non_null(strstr(judge_ec(curve, y, len, x, len, &is_used), "curve"));
        assert_non_null(strstr(judge_ec(curve, zeros, len, zeros, len, &is_used), "curve"));
        assert_non_null(strstr(judge_ec(curve, ones, len, ones, len, &is_used), "curve"));
        y[len - 1] ^= 1;
        assert_non_null(strstr(judge_ec(curve, x, len, y, len, &is_used), "not on its curve"));
        y[len - 1] ^= 1;

        /* RFC 7518 section 6.2.1.2: the full length, neither more nor less. */
        assert_non_null(strstr(judge_ec(curve, x, len - 1, y, len, &is_used), "length"));
        assert_non_null(strstr(judge_ec(curve, x, len, y, len - 1, &is_used), "length"));
        assert_non_null(strstr(judge_ec(curve, x, len + 1, y, len, &is_used), "length"));
        assert_non_null(strstr(judge_ec(curve, x, len, y, len + 1, &is_used), "length"));
        assert_non_null(strstr(judge_ec(curve, x, 0, y, len, &is_used), "length"));
        assert_non_null(judge_ec(CURVES[(i + 1) % 3].curve, x, len, y, len, &is_used));
        assert_false(is_used);
    }
}

static void ec_curves(void **state)
{
    (void)state;
    unsigned char x[80] = {0};
    unsigned char y[80] = {0};
    size_t len = 0;
    coordinates(ALGORITHM_ES256, x, y, &len);
    static const char *const CURVES[] = {"p-256", "P256",    "prime256v1", "secp256r1", "secp256k1",
                                         "",      "Ed25519", "P-224",      "X25519"};
    for (size_t i = 0; i < sizeof(CURVES) / sizeof(CURVES[0]); i++) {
        bool is_used = true;
        assert_non_null(strstr(judge_ec(CURVES[i], x, len, y, len, &is_used), "`crv`"));
        assert_false(is_used);
    }
    bool is_used = true;
    assert_non_null(strstr(judge("{\"kty\":\"EC\",\"x\":\"AQAB\",\"y\":\"AQAB\"}", &is_used), "`crv`"));
    assert_non_null(strstr(judge("{\"kty\":\"EC\",\"crv\":1}", &is_used), "`crv`"));
    assert_non_null(judge("{\"kty\":\"EC\",\"crv\":\"P-256\"}", &is_used));
    assert_false(is_used);
}

static const char *judge_okp(const char *curve, const unsigned char *x, size_t len, bool *is_used)
{
    char *text = fixture_base64url(x, len);
    char json[512];
    snprintf(json, sizeof(json), "{\"kty\":\"OKP\",\"crv\":\"%s\",\"x\":\"%s\"}", curve, text);
    free(text);
    return judge(json, is_used);
}

static void okp_lengths_and_curves(void **state)
{
    (void)state;
    unsigned char x[64] = {0};
    size_t len = 0;
    bool is_used = false;
    coordinates(ALGORITHM_EDDSA, x, NULL, &len);
    assert_null(judge_okp("Ed25519", x, len, &is_used));
    assert_true(is_used);
    assert_non_null(strstr(judge_okp("Ed25519", x, len - 1, &is_used), "length"));
    assert_non_null(strstr(judge_okp("Ed25519", x, len + 1, &is_used), "length"));
    assert_non_null(strstr(judge_okp("Ed448", x, len, &is_used), "length"));
    assert_non_null(strstr(judge_okp("X25519", x, len, &is_used), "`crv`"));
    assert_non_null(strstr(judge_okp("ED25519", x, len, &is_used), "`crv`"));
    assert_non_null(strstr(judge_okp("P-256", x, len, &is_used), "`crv`"));
    assert_non_null(judge("{\"kty\":\"OKP\",\"crv\":\"Ed25519\"}", &is_used));
    assert_false(is_used);
}

static size_t from_hex(const char *hex, unsigned char *out)
{
    size_t len = strlen(hex) / 2;
    for (size_t i = 0; i < len; i++)
        assert_int_equal(sscanf(hex + 2 * i, "%2hhx", &out[i]), 1);
    return len;
}

static void okp_points_of_small_order(void **state)
{
    (void)state;
    static const char *const HEX_25519[] = {
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    };
    bool is_used = true;
    unsigned char x[64];
    for (size_t i = 0; i < sizeof(HEX_25519) / sizeof(HEX_25519[0]); i++) {
        size_t len = from_hex(HEX_25519[i], x);
        assert_non_null(strstr(judge_okp("Ed25519", x, len, &is_used), "small order"));
        assert_false(is_used);
    }
    memset(x, 0, sizeof(x));
    assert_non_null(strstr(judge_okp("Ed448", x, 57, &is_used), "small order"));
    x[56] = 0x80;
    assert_non_null(strstr(judge_okp("Ed448", x, 57, &is_used), "small order"));
    x[56] = 0;
    x[0] = 1;
    assert_non_null(strstr(judge_okp("Ed448", x, 57, &is_used), "small order"));
    memset(x, 0xff, 56);
    x[0] = 0xfe;
    x[28] = 0xfe;
    assert_non_null(strstr(judge_okp("Ed448", x, 57, &is_used), "small order"));
    assert_false(is_used);
}

static void okp_points_off_the_curve(void **state)
{
    (void)state;
    bool is_used = true;
    unsigned char x[64];
    /* y = 2 is the coordinate of no point of Ed25519; p and p + 1 are not reduced. */
    size_t len = from_hex("0200000000000000000000000000000000000000000000000000000000000000", x);
    assert_non_null(strstr(judge_okp("Ed25519", x, len, &is_used), "not on its curve"));
    len = from_hex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", x);
    assert_non_null(strstr(judge_okp("Ed25519", x, len, &is_used), "not on its curve"));
    len = from_hex("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", x);
    assert_non_null(strstr(judge_okp("Ed25519", x, len, &is_used), "not on its curve"));
    memset(x, 0xff, sizeof(x));
    assert_non_null(strstr(judge_okp("Ed448", x, 57, &is_used), "not on its curve"));
    assert_false(is_used);
}

static void okp_points_that_serve(void **state)
{
    (void)state;
    /* RFC 8032 section 7.1 TEST 1 to 3, section 7.4 Blank and 1 octet. */
    static const char *const HEX[] = {
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "5fd7449b59b461fd2ce787ec616ad46a1da1342485a70e1f8a0ea75d80e96778edf124769b46c7061bd6783df1e50f6cd1fa"
        "1abe"
        "afe8256180",
        "43ba28f430cdff456ae531545f7ecd0ac834a55d9358c0372bfa0c6c6798c0866aea01eb00742802b8438ea4cb82169c2351"
        "60627b4c3a"
        "9480",
    };
    for (size_t i = 0; i < sizeof(HEX) / sizeof(HEX[0]); i++) {
        unsigned char x[64];
        bool is_used = false;
        size_t len = from_hex(HEX[i], x);
        assert_null(judge_okp(len == 32 ? "Ed25519" : "Ed448", x, len, &is_used));
        assert_true(is_used);
    }
}

static void oct_lengths(void **state)
{
    (void)state;
    unsigned char k[BYTES_MAX] = {1, 2, 3};
    static const size_t LENGTHS[] = {0, 1, 16, 31, 32, 47, 48, 63, 64, 65, 200, 1024};
    for (size_t i = 0; i < sizeof(LENGTHS) / sizeof(LENGTHS[0]); i++) {
        char *text = fixture_base64url(k, LENGTHS[i]);
        char json[2048];
        snprintf(json, sizeof(json), "{\"kty\":\"oct\",\"k\":\"%s\"}", text);
        keyset_t *keyset = fixture_keyset(json, NULL);
        assert_int_equal(keyset_size(keyset), LENGTHS[i] >= 32);
        if (LENGTHS[i] >= 32) {
            assert_true(jwk_fits(keyset_at(keyset, 0), ALGORITHM_HS256));
            assert_int_equal(jwk_fits(keyset_at(keyset, 0), ALGORITHM_HS384), LENGTHS[i] >= 48);
            assert_int_equal(jwk_fits(keyset_at(keyset, 0), ALGORITHM_HS512), LENGTHS[i] >= 64);
            assert_false(jwk_fits(keyset_at(keyset, 0), ALGORITHM_RS256));
        }
        keyset_release(keyset);
        free(text);
    }
}

static void oct_members(void **state)
{
    (void)state;
    static const char *const TAILS[] = {"",
                                        ",\"k\":1",
                                        ",\"k\":null",
                                        ",\"k\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"",
                                        ",\"k\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9\"",
                                        ",\"k\":\"AAECAwQFBgcICQoLDA0ODx REhMUFRYXGBkaGxwdHh8\"",
                                        ",\"k\":\"AAECAwQFBgcICQoLDA0ODx+REhMUFRYXGBkaGxwdHh8\""};
    for (size_t i = 0; i < sizeof(TAILS) / sizeof(TAILS[0]); i++) {
        char json[256];
        bool is_used = true;
        snprintf(json, sizeof(json), "{\"kty\":\"oct\"%s}", TAILS[i]);
        assert_non_null(strstr(judge(json, &is_used), "`k`"));
        assert_false(is_used);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rsa_sizes),
        cmocka_unit_test(rsa_leading_zeros_count_for_nothing),
        cmocka_unit_test(rsa_even_modulus),
        cmocka_unit_test(rsa_exponents),
        cmocka_unit_test(rsa_exponents_that_openssl_would_refuse_later),
        cmocka_unit_test(rsa_members),
        cmocka_unit_test(ec_points),
        cmocka_unit_test(ec_curves),
        cmocka_unit_test(okp_lengths_and_curves),
        cmocka_unit_test(okp_points_of_small_order),
        cmocka_unit_test(okp_points_off_the_curve),
        cmocka_unit_test(okp_points_that_serve),
        cmocka_unit_test(oct_lengths),
        cmocka_unit_test(oct_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
