#include "ticket_keys.h"

#include "../memory_scan.h"
#include "chosen_time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/rand.h>
#include <pthread.h>

enum { LIFETIME_S = 600, LIFETIME_MS = LIFETIME_S * 1000, TAG_SIZE = 32 };

static const masked_secret_t *dictated; /* what the keys are made of; NULL: of random numbers */

/* The linker dictates the names. NOLINTBEGIN(bugprone-reserved-identifier) */
int __wrap_RAND_priv_bytes(unsigned char *out, int len);
int __real_RAND_priv_bytes(unsigned char *out, int len);

int __wrap_RAND_priv_bytes(unsigned char *out, int len)
{
    if (dictated == NULL)
        return __real_RAND_priv_bytes(out, len);
    char text[2 * MASKED_SECRET_LEN];
    assert_true(len > 0 && (size_t)len <= dictated->text_len);
    masked_secret_unmask_text(dictated, text);
    memcpy(out, text, (size_t)len);
    OPENSSL_cleanse(text, sizeof(text));
    return 1;
}
/* NOLINTEND(bugprone-reserved-identifier) */

static const char SECRET[] = "what a ticket holds";

typedef struct ticket {
    unsigned char name[TICKET_KEY_NAME_SIZE];
    unsigned char iv[TICKET_IV_SIZE];
    unsigned char text[64];
    int text_len;
    unsigned char tag[TAG_SIZE];
} ticket_t;

typedef struct ciphers {
    EVP_CIPHER_CTX *cipher;
    EVP_MAC *fetched;
    EVP_MAC_CTX *mac;
} ciphers_t;

static ciphers_t new_ciphers(void)
{
    ciphers_t ciphers = {EVP_CIPHER_CTX_new(), EVP_MAC_fetch(NULL, "HMAC", NULL), NULL};
    ciphers.mac = EVP_MAC_CTX_new(ciphers.fetched);
    assert_non_null(ciphers.cipher);
    assert_non_null(ciphers.mac);
    return ciphers;
}

static void free_ciphers(ciphers_t *ciphers)
{
    EVP_CIPHER_CTX_free(ciphers->cipher);
    EVP_MAC_CTX_free(ciphers->mac);
    EVP_MAC_free(ciphers->fetched);
}

static void make_tag(const ticket_t *ticket, EVP_MAC_CTX *mac, unsigned char *tag)
{
    size_t len;
    assert_int_equal(EVP_MAC_init(mac, NULL, 0, NULL), 1);
    assert_int_equal(EVP_MAC_update(mac, ticket->text, (size_t)ticket->text_len), 1);
    assert_int_equal(EVP_MAC_final(mac, tag, &len, TAG_SIZE), 1);
    assert_int_equal(len, TAG_SIZE);
}

static ticket_t seal(ticket_keys_t *keys)
{
    ticket_t ticket = {.text_len = 0};
    ciphers_t ciphers = new_ciphers();
    int rest;
    assert_int_equal(ticket_keys_seal(keys, ticket.name, ticket.iv, ciphers.cipher, ciphers.mac),
                     TICKET_KEYS_READY);
    assert_int_equal(EVP_CIPHER_CTX_get_nid(ciphers.cipher), NID_aes_256_cbc);
    assert_int_equal(EVP_EncryptUpdate(ciphers.cipher, ticket.text, &ticket.text_len,
                                       (const unsigned char *)SECRET, sizeof(SECRET)),
                     1);
    assert_int_equal(EVP_EncryptFinal(ciphers.cipher, ticket.text + ticket.text_len, &rest), 1);
    ticket.text_len += rest;
    make_tag(&ticket, ciphers.mac, ticket.tag);
    free_ciphers(&ciphers);
    return ticket;
}

/* What is opened must be what was sealed. */
static ticket_keys_result_t open_ticket(ticket_keys_t *keys, const ticket_t *ticket)
{
    ciphers_t ciphers = new_ciphers();
    ticket_keys_result_t result =
        ticket_keys_open(keys, ticket->name, ticket->iv, ciphers.cipher, ciphers.mac);
    if (result == TICKET_KEYS_READY || result == TICKET_KEYS_RENEW) {
        unsigned char tag[TAG_SIZE];
        unsigned char text[64];
        int len;
        int rest;
        make_tag(ticket, ciphers.mac, tag);
        assert_memory_equal(tag, ticket->tag, TAG_SIZE);
        assert_int_equal(EVP_DecryptUpdate(ciphers.cipher, text, &len, ticket->text, ticket->text_len), 1);
        assert_int_equal(EVP_DecryptFinal(ciphers.cipher, text + len, &rest), 1);
        assert_int_equal(len + rest, sizeof(SECRET));
        assert_memory_equal(text, SECRET, sizeof(SECRET));
    }
    free_ciphers(&ciphers);
    return result;
}

static int start(void **state)
{
    chosen_time_ms = 1000000;
    *state = ticket_keys_new(LIFETIME_S);
    return *state == NULL ? -1 : 0;
}

static int stop(void **state)
{
    ticket_keys_release(*state);
    return 0;
}

static void test_a_key_seals_for_one_lifetime(void **state)
{
    assert_int_equal(ticket_keys_lifetime_s(*state), LIFETIME_S);
    ticket_t first = seal(*state);
    chosen_time_ms += LIFETIME_MS - 1;
    ticket_t last = seal(*state);
    assert_memory_equal(first.name, last.name, sizeof(first.name));
    assert_memory_not_equal(first.iv, last.iv, sizeof(first.iv));
    assert_int_equal(open_ticket(*state, &first), TICKET_KEYS_READY);
    chosen_time_ms++;
    ticket_t next = seal(*state);
    assert_memory_not_equal(first.name, next.name, sizeof(first.name));
    assert_int_equal(open_ticket(*state, &next), TICKET_KEYS_READY);
}

static void test_a_key_opens_for_one_more_lifetime(void **state)
{
    ticket_t ticket = seal(*state);
    chosen_time_ms += LIFETIME_MS;
    assert_int_equal(open_ticket(*state, &ticket), TICKET_KEYS_RENEW);
    chosen_time_ms += LIFETIME_MS - 1;
    assert_int_equal(open_ticket(*state, &ticket), TICKET_KEYS_RENEW);
    chosen_time_ms++;
    assert_int_equal(open_ticket(*state, &ticket), TICKET_KEYS_UNKNOWN);
}

/* The rotation found late is the one that was due: its key has no more time for that. */
static void test_rotation_found_late(void **state)
{
    ticket_t first = seal(*state);
    chosen_time_ms += LIFETIME_MS + LIFETIME_MS / 2;
    ticket_t second = seal(*state);
    assert_int_equal(open_ticket(*state, &first), TICKET_KEYS_RENEW);
    chosen_time_ms += LIFETIME_MS / 2;
    assert_int_equal(open_ticket(*state, &first), TICKET_KEYS_UNKNOWN);
    assert_int_equal(open_ticket(*state, &second), TICKET_KEYS_RENEW);
}

static void test_after_a_long_silence_nothing_opens(void **state)
{
    ticket_t first = seal(*state);
    chosen_time_ms += LIFETIME_MS;
    ticket_t second = seal(*state);
    chosen_time_ms += 2 * LIFETIME_MS;
    assert_int_equal(open_ticket(*state, &first), TICKET_KEYS_UNKNOWN);
    assert_int_equal(open_ticket(*state, &second), TICKET_KEYS_UNKNOWN);
    /* A full lifetime from now on. */
    ticket_t third = seal(*state);
    chosen_time_ms += LIFETIME_MS - 1;
    assert_int_equal(open_ticket(*state, &third), TICKET_KEYS_READY);
}

static void test_keys_of_others_open_nothing(void **state)
{
    ticket_keys_t *others = ticket_keys_new(LIFETIME_S);
    ticket_t ticket = seal(others);
    assert_int_equal(open_ticket(*state, &ticket), TICKET_KEYS_UNKNOWN);
    ticket_keys_release(others);
}

static void test_no_name_opens_what_was_never_there(void **state)
{
    /* The place of the previous key is empty. */
    const ticket_t zero = {.text_len = 0};
    assert_int_equal(open_ticket(*state, &zero), TICKET_KEYS_UNKNOWN);
}

static void test_references(void **state)
{
    (void)state;
    ticket_keys_t *keys = ticket_keys_new(LIFETIME_S);
    ticket_t ticket = seal(keys);
    assert_ptr_equal(ticket_keys_acquire(keys), keys);
    ticket_keys_release(keys);
    assert_int_equal(open_ticket(keys, &ticket), TICKET_KEYS_READY);
    ticket_keys_release(keys);
    ticket_keys_release(NULL);
}

static ticket_keys_t *new_traced(const masked_secret_t *secret)
{
    dictated = secret;
    ticket_keys_t *keys = ticket_keys_new(LIFETIME_S);
    dictated = NULL;
    assert_non_null(keys);
    assert_true(memory_scan_text(secret) > 0);
    return keys;
}

static void test_a_key_that_goes_is_wiped(void **state)
{
    (void)state;
    masked_secret_t secret;
    masked_secret_init(&secret);
    ticket_keys_t *keys = new_traced(&secret);
    chosen_time_ms += LIFETIME_MS;
    (void)seal(keys);
    assert_true(memory_scan_text(&secret) > 0);
    chosen_time_ms += LIFETIME_MS;
    (void)seal(keys);
    assert_int_equal(memory_scan_text(&secret), 0);
    ticket_keys_release(keys);

    /* After a silence: as the current key, then as the previous one. */
    keys = new_traced(&secret);
    chosen_time_ms += 2 * LIFETIME_MS;
    (void)seal(keys);
    assert_int_equal(memory_scan_text(&secret), 0);
    ticket_keys_release(keys);

    keys = new_traced(&secret);
    chosen_time_ms += LIFETIME_MS;
    (void)seal(keys);
    chosen_time_ms += 2 * LIFETIME_MS;
    (void)seal(keys);
    assert_int_equal(memory_scan_text(&secret), 0);
    ticket_keys_release(keys);

    keys = new_traced(&secret);
    (void)seal(keys);
    ticket_keys_release(keys);
    assert_int_equal(memory_scan_text(&secret), 0);
}

enum { THREADS = 4, ROUNDS = 200 };

/* cmocka's assertions belong to the thread of the test. */
static void *use_keys(void *data)
{
    ticket_keys_t *keys = data;
    uintptr_t failures = 0;
    EVP_MAC *fetched = EVP_MAC_fetch(NULL, "HMAC", NULL);
    for (int i = 0; i < ROUNDS; i++) {
        ticket_t ticket;
        EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
        EVP_MAC_CTX *mac = EVP_MAC_CTX_new(fetched);
        failures += ticket_keys_seal(keys, ticket.name, ticket.iv, cipher, mac) != TICKET_KEYS_READY;
        failures += ticket_keys_open(keys, ticket.name, ticket.iv, cipher, mac) == TICKET_KEYS_FAILED;
        EVP_CIPHER_CTX_free(cipher);
        EVP_MAC_CTX_free(mac);
        chosen_time_ms += LIFETIME_MS / 10;
    }
    EVP_MAC_free(fetched);
    ticket_keys_release(keys);
    return (void *)failures;
}

static void test_threads_share_keys_that_rotate(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    ticket_keys_t *keys = ticket_keys_new(LIFETIME_S);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_keys, ticket_keys_acquire(keys)), 0);
    ticket_keys_release(keys);
    for (size_t i = 0; i < THREADS; i++) {
        void *failures;
        assert_int_equal(pthread_join(threads[i], &failures), 0);
        assert_null(failures);
    }
}

#define KEYS_TEST(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        KEYS_TEST(test_a_key_seals_for_one_lifetime),
        KEYS_TEST(test_a_key_opens_for_one_more_lifetime),
        KEYS_TEST(test_rotation_found_late),
        KEYS_TEST(test_after_a_long_silence_nothing_opens),
        KEYS_TEST(test_keys_of_others_open_nothing),
        KEYS_TEST(test_no_name_opens_what_was_never_there),
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_a_key_that_goes_is_wiped),
        cmocka_unit_test(test_threads_share_keys_that_rotate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
