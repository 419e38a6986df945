#include "rsa_weakness.h"

#include "introspectd/base64url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/rsa.h>

enum { LARGEST_PRIME = 167, MODULUS_BITS = 2048 };

static BN_CTX *context;
static BIGNUM *primorial; /* of all primes up to the largest */

static bool is_prime(unsigned number)
{
    for (unsigned divisor = 2; divisor * divisor <= number; divisor++) {
        if (number % divisor == 0)
            return false;
    }
    return number > 1;
}

static int set_up(void **state)
{
    (void)state;
    context = BN_CTX_new();
    primorial = BN_new();
    assert_non_null(context);
    assert_non_null(primorial);
    assert_true(BN_one(primorial));
    for (unsigned prime = 2; prime <= LARGEST_PRIME; prime++) {
        if (is_prime(prime))
            assert_true(BN_mul_word(primorial, prime));
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    BN_free(primorial);
    BN_CTX_free(context);
    return 0;
}

/* 65537 to that power modulo the primorial, plus a random multiple of the primorial; free it. */
static BIGNUM *fingerprinted(unsigned exponent)
{
    BIGNUM *n = BN_new();
    BIGNUM *base = BN_new();
    BIGNUM *power = BN_new();
    assert_true(BN_set_word(base, 65537) && BN_set_word(power, exponent));
    assert_true(BN_mod_exp(base, base, power, primorial, context));
    assert_true(BN_rand(n, MODULUS_BITS - BN_num_bits(primorial), BN_RAND_TOP_TWO, BN_RAND_BOTTOM_ANY));
    assert_true(BN_mul(n, n, primorial, context) && BN_add(n, n, base));
    assert_true(BN_is_odd(n));
    BN_free(power);
    BN_free(base);
    return n;
}

static void expect(const BIGNUM *n, const char *text)
{
    const char *weakness = rsa_weakness(n);
    assert_int_equal(weakness == NULL, text == NULL);
    if (text != NULL)
        assert_non_null(strstr(weakness, text));
}

static void powers_of_the_generator_have_the_fingerprint(void **state)
{
    (void)state;
    static const unsigned EXPONENTS[] = {0, 1, 2, 3, 65537, 123456789, 4000000007};
    for (size_t i = 0; i < sizeof(EXPONENTS) / sizeof(EXPONENTS[0]); i++) {
        BIGNUM *n = fingerprinted(EXPONENTS[i]);
        expect(n, "ROCA");
        BN_free(n);
    }
}

static bool is_power(unsigned remainder, unsigned prime)
{
    unsigned power = 1;
    for (unsigned i = 0; i < prime; i++) {
        if (power == remainder)
            return true;
        power = power * (65537 % prime) % prime;
    }
    return false;
}

/* One remainder that is no power is enough, at whichever prime it is. */
static void every_prime_can_clear_a_modulus(void **state)
{
    (void)state;
    unsigned telling = 0;
    for (unsigned prime = 3; prime <= LARGEST_PRIME; prime++) {
        if (!is_prime(prime))
            continue;
        BIGNUM *n = fingerprinted(5);
        BIGNUM *others = BN_dup(primorial); /* changes no other remainder */
        assert_int_equal(BN_div_word(others, prime), 0);
        unsigned added = 0;
        bool is_cleared = false;
        while (!is_cleared && ++added < prime) {
            assert_true(BN_add(n, n, others));
            unsigned remainder = (unsigned)BN_mod_word(n, prime);
            is_cleared = !is_power(remainder, prime);
            expect(n, !is_cleared ? "ROCA" : remainder == 0 ? "small prime" : NULL);
            is_cleared = is_cleared && remainder != 0;
        }
        telling += is_cleared;
        BN_free(others);
        BN_free(n);
    }
    assert_in_range(telling, 15, 38);
}

static void small_factors_are_found(void **state)
{
    (void)state;
    for (unsigned prime = 3; prime <= LARGEST_PRIME + 6; prime += 2) {
        if (!is_prime(prime))
            continue;
        /* The other factor is 1 modulo all of them, so that this one alone is found. */
        BIGNUM *n = fingerprinted(0);
        assert_true(BN_mul_word(n, prime));
        if (prime <= LARGEST_PRIME)
            expect(n, "small prime");
        else
            assert_true(rsa_weakness(n) == NULL || strstr(rsa_weakness(n), "small prime") == NULL);
        BN_free(n);
    }
    BIGNUM *square = BN_new();
    assert_true(BN_set_word(square, 3) && BN_lshift(square, square, MODULUS_BITS) && BN_add_word(square, 3));
    expect(square, "small prime");
    BN_free(square);
}

static void published_moduli_are_clean(void **state)
{
    (void)state;
    /* RFC 7515 appendix A.2, RFC 7520 section 3.3 */
    static const char *const MODULI[] = {
        "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-"
        "yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-"
        "bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_"
        "I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
        "n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_"
        "AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-"
        "oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-"
        "tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw",
    };
    for (size_t i = 0; i < sizeof(MODULI) / sizeof(MODULI[0]); i++) {
        unsigned char bytes[300];
        size_t len = 0;
        assert_int_equal(base64url_decoded_max(strlen(MODULI[i])) <= sizeof(bytes), 1);
        assert_true(base64url_decode(slice_of(MODULI[i]), bytes, &len));
        BIGNUM *n = BN_bin2bn(bytes, (int)len, NULL);
        assert_int_equal(BN_num_bits(n), MODULUS_BITS);
        expect(n, NULL);
        BN_free(n);
    }
}

static void moduli_of_our_own_are_clean(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024);
        BIGNUM *n = NULL;
        assert_true(EVP_PKEY_get_bn_param(key, "n", &n));
        expect(n, NULL);
        BN_free(n);
        EVP_PKEY_free(key);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(powers_of_the_generator_have_the_fingerprint),
        cmocka_unit_test(every_prime_can_clear_a_modulus),
        cmocka_unit_test(small_factors_are_found),
        cmocka_unit_test(published_moduli_are_clean),
        cmocka_unit_test(moduli_of_our_own_are_clean),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
