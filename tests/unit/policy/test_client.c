#include "introspectd/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The linker routes these calls through here (CMakeLists.txt), so that work can be counted. Its --wrap
 * prescribes the names. */
/* NOLINTBEGIN(bugprone-reserved-identifier) */
static unsigned digests_made;
static unsigned digests_compared;
static bool digests_fail;

bool __real_digest_keyed(digester_t *digester, const digest_seed_t *seed, uint64_t label, slice_t text,
                         digest_t *out);
bool __wrap_digest_keyed(digester_t *digester, const digest_seed_t *seed, uint64_t label, slice_t text,
                         digest_t *out);
bool __real_digest_equal(const digest_t *a, const digest_t *b);
bool __wrap_digest_equal(const digest_t *a, const digest_t *b);

bool __wrap_digest_keyed(digester_t *digester, const digest_seed_t *seed, uint64_t label, slice_t text,
                         digest_t *out)
{
    digests_made++;
    return !digests_fail && __real_digest_keyed(digester, seed, label, text, out);
}

bool __wrap_digest_equal(const digest_t *a, const digest_t *b)
{
    digests_compared++;
    return __real_digest_equal(a, b);
}

/* NOLINTEND(bugprone-reserved-identifier) */

typedef struct fixture {
    digester_t *digester;
    client_set_t set;
    char secret[2 * DIGEST_SEED_SIZE + 1]; /* beta's; made in every run */
    char next_secret[2 * DIGEST_SEED_SIZE + 1];
} fixture_t;

static void make_secret(char out[2 * DIGEST_SEED_SIZE + 1])
{
    digest_seed_t seed;

    assert_true(digest_seed_random(&seed));
    for (size_t i = 0; i < DIGEST_SEED_SIZE; i++)
        snprintf(out + 2 * i, 3, "%02x", seed.bytes[i]);
}

static client_t *add_client(fixture_t *fixture, const char *client_id)
{
    client_t *client = &fixture->set.clients[fixture->set.count++];

    client->client_id = strdup(client_id);
    client->issuer_is_allowed = calloc(1, sizeof(bool));
    client->mapping = mapping_new();
    assert_true(client->client_id != NULL && client->issuer_is_allowed != NULL && client->mapping != NULL);
    return client;
}

static void give_secrets(fixture_t *fixture, client_t *client, const char *first, const char *second)
{
    const slice_t secrets[] = {slice_of(first), slice_of(second)};

    assert_true(
        client_set_secrets(&fixture->set, client, fixture->digester, secrets, second == NULL ? 1 : 2));
}

static int set_up(void **state)
{
    fixture_t *fixture = calloc(1, sizeof(*fixture));

    assert_non_null(fixture);
    fixture->digester = digester_new();
    assert_non_null(fixture->digester);
    assert_true(client_set_init(&fixture->set));
    fixture->set.clients = calloc(8, sizeof(client_t));
    assert_non_null(fixture->set.clients);
    make_secret(fixture->secret);
    make_secret(fixture->next_secret);
    give_secrets(fixture, add_client(fixture, "gamma"), "plus+and%2Bsigns", NULL);
    give_secrets(fixture, add_client(fixture, "beta"), fixture->secret, fixture->next_secret);
    give_secrets(fixture, add_client(fixture, "s:e%c"), "s:e%c", NULL);
    give_secrets(fixture, add_client(fixture, "alpha"), "s:e%c", NULL);
    give_secrets(fixture, add_client(fixture, "betamax"), "pass word", NULL);
    client_set_finish(&fixture->set);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    fixture_t *fixture = *state;

    client_set_deinit(&fixture->set);
    assert_null(fixture->set.clients);
    digester_free(fixture->digester);
    free(fixture);
    return 0;
}

static void test_set_is_sorted_numbered_and_found(void **state)
{
    fixture_t *fixture = *state;
    static const char *const order[] = {"alpha", "beta", "betamax", "gamma", "s:e%c"};

    assert_int_equal(fixture->set.count, COUNT(order));
    for (size_t i = 0; i < COUNT(order); i++) {
        const client_t *client = client_set_find(&fixture->set, slice_of(order[i]));
        assert_non_null(client);
        assert_string_equal(client->client_id, order[i]);
        assert_int_equal(client->index, i);
        assert_ptr_equal(client, &fixture->set.clients[i]);
    }
}

static void test_unknown_ids_are_not_found(void **state)
{
    fixture_t *fixture = *state;
    static const slice_t ids[] = {{NULL, 0}, {"", 0},       {"alph", 4},  {"alphabet", 8}, {"Alpha", 5},
                                  {"zz", 2}, {"beta\0", 5}, {"betam", 5}, {"\xFF", 1}};

    for (size_t i = 0; i < COUNT(ids); i++)
        assert_null(client_set_find(&fixture->set, ids[i]));
    assert_null(client_set_find(&(client_set_t){0}, slice_of("alpha")));
}

static void test_init_draws_different_seeds_and_decoys(void **state)
{
    (void)state;
    client_set_t first;
    client_set_t second;

    assert_true(client_set_init(&first));
    assert_true(client_set_init(&second));
    assert_memory_not_equal(&first.seed, &second.seed, sizeof(first.seed));
    assert_int_equal(first.count, 0);
    assert_null(first.clients);
    for (size_t i = 0; i < CLIENT_MAX_SECRETS; i++) {
        assert_memory_not_equal(&first.decoys[i], &second.decoys[i], sizeof(digest_t));
        assert_memory_not_equal(&first.decoys[i], &first.decoys[(i + 1) % CLIENT_MAX_SECRETS],
                                sizeof(digest_t));
    }
    client_set_deinit(&first);
    client_set_deinit(&second);
    client_set_deinit(&(client_set_t){0});
}

static void test_secrets_are_kept_as_digests(void **state)
{
    fixture_t *fixture = *state;
    const client_t *alpha = client_set_find(&fixture->set, slice_of("alpha"));
    const client_t *beta = client_set_find(&fixture->set, slice_of("beta"));
    const client_t *twin = client_set_find(&fixture->set, slice_of("s:e%c"));

    assert_null(memmem(beta->secrets, sizeof(beta->secrets), fixture->secret, DIGEST_SIZE));
    /* unused places are random, not shared and not zero */
    for (size_t i = 1; i < CLIENT_MAX_SECRETS; i++)
        assert_memory_not_equal(&alpha->secrets[i], &twin->secrets[i], sizeof(digest_t));
    assert_memory_not_equal(&alpha->secrets[2], &alpha->secrets[3], sizeof(digest_t));
}

static void test_secrets_that_are_refused(void **state)
{
    fixture_t *fixture = *state;
    char longest[CLIENT_MAX_SECRET_BYTES + 1];
    const slice_t good[CLIENT_MAX_SECRETS + 1] = {{"a", 1}, {"b", 1}, {"c", 1}, {"d", 1}, {"e", 1}};
    const slice_t empty[] = {{"a", 1}, {"", 0}};
    client_t client;
    client_t before;

    memset(longest, 'x', sizeof(longest));
    memset(&client, 0x5A, sizeof(client));
    before = client;
    const slice_t too_long = {longest, CLIENT_MAX_SECRET_BYTES + 1};
    const slice_t just_fits = {longest, CLIENT_MAX_SECRET_BYTES};
    assert_false(client_set_secrets(&fixture->set, &client, fixture->digester, good, 0));
    assert_false(client_set_secrets(&fixture->set, &client, fixture->digester, good, CLIENT_MAX_SECRETS + 1));
    assert_false(client_set_secrets(&fixture->set, &client, fixture->digester, empty, 2));
    assert_false(client_set_secrets(&fixture->set, &client, fixture->digester, &too_long, 1));
    digests_fail = true;
    assert_false(client_set_secrets(&fixture->set, &client, fixture->digester, good, 1));
    digests_fail = false;
    assert_memory_equal(&client, &before, sizeof(client));
    assert_true(client_set_secrets(&fixture->set, &client, fixture->digester, &just_fits, 1));
    assert_true(client_set_secrets(&fixture->set, &client, fixture->digester, good, CLIENT_MAX_SECRETS));
}

/* The id of the client that the credentials prove, "-" for none. */
static const char *who(fixture_t *fixture, const client_credentials_t *credentials)
{
    const client_t *client = client_authenticate(&fixture->set, fixture->digester, credentials);

    return client == NULL ? "-" : client->client_id;
}

static const char *who_posts(fixture_t *fixture, const char *client_id, const char *secret)
{
    const client_credentials_t credentials = {.client_id = slice_of(client_id),
                                              .client_secret = slice_of(secret)};

    return who(fixture, &credentials);
}

static const char *who_sends(fixture_t *fixture, const char *pair)
{
    char buffer[CLIENT_BASIC_BUFFER_SIZE];
    char header[8192] = "Basic ";
    client_credentials_t credentials;

    EVP_EncodeBlock((unsigned char *)header + 6, (const unsigned char *)pair, (int)strlen(pair));
    if (client_parse_basic(slice_of(header), buffer, &credentials) != CLIENT_BASIC_OK)
        return "malformed";
    return who(fixture, &credentials);
}

static void test_posted_credentials(void **state)
{
    fixture_t *fixture = *state;

    assert_string_equal(who_posts(fixture, "beta", fixture->secret), "beta");
    assert_string_equal(who_posts(fixture, "alpha", "s:e%c"), "alpha");
    assert_string_equal(who_posts(fixture, "alpha", "s%3Ae%25c"), "-");
    assert_string_equal(who_posts(fixture, "betamax", "pass word"), "betamax");
    assert_string_equal(who_posts(fixture, "betamax", "pass+word"), "-");
}

static void test_two_secrets_are_valid_at_once(void **state)
{
    fixture_t *fixture = *state;

    assert_string_equal(who_posts(fixture, "beta", fixture->secret), "beta");
    assert_string_equal(who_posts(fixture, "beta", fixture->next_secret), "beta");
    assert_string_equal(who_posts(fixture, "alpha", fixture->secret), "-");
    fixture->next_secret[0] = fixture->next_secret[0] == 'a' ? 'b' : 'a';
    assert_string_equal(who_posts(fixture, "beta", fixture->next_secret), "-");
}

static void test_all_places_are_compared(void **state)
{
    fixture_t *fixture = *state;
    char secrets[CLIENT_MAX_SECRETS][2 * DIGEST_SEED_SIZE + 1];
    slice_t slices[CLIENT_MAX_SECRETS];

    for (size_t i = 0; i < CLIENT_MAX_SECRETS; i++) {
        make_secret(secrets[i]);
        slices[i] = slice_of(secrets[i]);
    }
    assert_true(client_set_secrets(&fixture->set, &fixture->set.clients[0], fixture->digester, slices,
                                   CLIENT_MAX_SECRETS));
    for (size_t i = 0; i < CLIENT_MAX_SECRETS; i++)
        assert_string_equal(who_posts(fixture, "alpha", secrets[i]), "alpha");
}

static void test_wrong_credentials_prove_nobody(void **state)
{
    fixture_t *fixture = *state;
    char id[CLIENT_MAX_ID_BYTES + 2];
    char secret[CLIENT_MAX_SECRET_BYTES + 2];

    assert_string_equal(who_posts(fixture, "alpha", "s:e%C"), "-");
    assert_string_equal(who_posts(fixture, "alpha", ""), "-");
    assert_string_equal(who_posts(fixture, "alpha", NULL), "-");
    assert_string_equal(who_posts(fixture, "", "s:e%c"), "-");
    assert_string_equal(who_posts(fixture, NULL, "s:e%c"), "-");
    assert_string_equal(who_posts(fixture, "nobody", "s:e%c"), "-");
    assert_string_equal(who_posts(fixture, "Alpha", "s:e%c"), "-");
    assert_string_equal(who_posts(fixture, NULL, NULL), "-");

    memset(id, 'i', sizeof(id));
    id[sizeof(id) - 1] = '\0';
    memset(secret, 's', sizeof(secret));
    secret[sizeof(secret) - 1] = '\0';
    digests_made = 0;
    assert_string_equal(who_posts(fixture, id, "s"), "-");
    assert_string_equal(who_posts(fixture, "alpha", secret), "-");
    assert_string_equal(who_posts(fixture, "", "s"), "-");
    assert_int_equal(digests_made, 0);
}

static void test_the_longest_credentials_work(void **state)
{
    fixture_t *fixture = *state;
    char id[CLIENT_MAX_ID_BYTES + 1];
    char secret[CLIENT_MAX_SECRET_BYTES + 1];
    char pair[3 * CLIENT_MAX_ID_BYTES + 1 + 3 * CLIENT_MAX_SECRET_BYTES + 1];

    memset(id, '%', sizeof(id) - 1);
    id[sizeof(id) - 1] = '\0';
    memset(secret, '+', sizeof(secret) - 1);
    secret[sizeof(secret) - 1] = '\0';
    give_secrets(fixture, add_client(fixture, id), secret, NULL);
    client_set_finish(&fixture->set);

    assert_string_equal(who_posts(fixture, id, secret), id);
    snprintf(pair, sizeof(pair), "%s:%s", id, secret);
    assert_string_equal(who_sends(fixture, pair), id);
    char *at = pair;
    for (size_t i = 0; i < CLIENT_MAX_ID_BYTES; i++)
        at += sprintf(at, "%%25");
    *at++ = ':';
    for (size_t i = 0; i < CLIENT_MAX_SECRET_BYTES; i++)
        at += sprintf(at, "%%2B");
    assert_string_equal(who_sends(fixture, pair), id);
}

static void test_no_client_at_all(void **state)
{
    fixture_t *fixture = *state;
    client_set_t empty;
    const client_credentials_t credentials = {.client_id = slice_of("alpha"), .client_secret = slice_of("x")};

    assert_true(client_set_init(&empty));
    client_set_finish(&empty);
    assert_null(client_authenticate(&empty, fixture->digester, &credentials));
    client_set_deinit(&empty);
}

static void test_a_failing_digest_proves_nobody(void **state)
{
    fixture_t *fixture = *state;

    digests_fail = true;
    assert_string_equal(who_posts(fixture, "alpha", "s:e%c"), "-");
    digests_fail = false;
    assert_string_equal(who_posts(fixture, "alpha", "s:e%c"), "alpha");
}

/* RFC 6749 section 2.3.1 has id and secret form-encoded; many callers send them raw. */
static void test_both_spellings_of_basic(void **state)
{
    fixture_t *fixture = *state;

    assert_string_equal(who_sends(fixture, "alpha:s:e%c"), "alpha");
    assert_string_equal(who_sends(fixture, "alpha:s%3Ae%25c"), "alpha");
    assert_string_equal(who_sends(fixture, "alpha:s%3ae%25c"), "alpha");
    assert_string_equal(who_sends(fixture, "s%3Ae%25c:s%3Ae%25c"), "s:e%c");
    assert_string_equal(who_sends(fixture, "betamax:pass word"), "betamax");
    assert_string_equal(who_sends(fixture, "betamax:pass+word"), "betamax");
    assert_string_equal(who_sends(fixture, "betamax:pass%20word"), "betamax");
    assert_string_equal(who_sends(fixture, "%62etamax:pass%20word"), "betamax");
    assert_string_equal(who_sends(fixture, "gamma:plus+and%2Bsigns"), "gamma");
    assert_string_equal(who_sends(fixture, "gamma:plus%2Band%252Bsigns"), "gamma");
    assert_string_equal(who_sends(fixture, "gamma:plus%2Band%2Bsigns"), "-");
    /* an id is never split behind its first colon */
    assert_string_equal(who_sends(fixture, "s:e%c:s:e%c"), "-");
    assert_string_equal(who_sends(fixture, "alpha:s%253Ae%2525c"), "-");
    assert_string_equal(who_sends(fixture, "alpha:"), "-");
}

typedef struct work {
    unsigned made;
    unsigned compared;
} work_t;

static work_t work_of(fixture_t *fixture, const char *pair)
{
    digests_made = 0;
    digests_compared = 0;
    assert_string_not_equal(who_sends(fixture, pair), "malformed");
    return (work_t){digests_made, digests_compared};
}

static void test_work_depends_on_the_request_alone(void **state)
{
    fixture_t *fixture = *state;
    static const char *const one_spelling[] = {"alpha:wrong", "nobody:wrong", "beta:wrong", "alpha:s:ec",
                                               "zz:x"};
    static const char *const two_spellings[] = {"alpha:s%3Ae%25c", "alpha:wr+ng", "nobody:wr+ng",
                                                "n%6Fbody:x",      "%61lpha:x",   "gamma:plus+and%2Bsigns"};

    for (size_t i = 0; i < COUNT(one_spelling); i++) {
        work_t work = work_of(fixture, one_spelling[i]);
        assert_int_equal(work.made, 1);
        assert_int_equal(work.compared, CLIENT_MAX_SECRETS);
    }
    for (size_t i = 0; i < COUNT(two_spellings); i++) {
        work_t work = work_of(fixture, two_spellings[i]);
        assert_int_equal(work.made, 2);
        assert_int_equal(work.compared, 2 * CLIENT_MAX_SECRETS);
    }
    char pair[256];
    snprintf(pair, sizeof(pair), "beta:%s", fixture->secret);
    work_t right = work_of(fixture, pair);
    assert_int_equal(right.made, 1);
    assert_int_equal(right.compared, CLIENT_MAX_SECRETS);
}

#define WITH_CLIENTS(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CLIENTS(test_set_is_sorted_numbered_and_found),
        WITH_CLIENTS(test_unknown_ids_are_not_found),
        cmocka_unit_test(test_init_draws_different_seeds_and_decoys),
        WITH_CLIENTS(test_secrets_are_kept_as_digests),
        WITH_CLIENTS(test_secrets_that_are_refused),
        WITH_CLIENTS(test_posted_credentials),
        WITH_CLIENTS(test_two_secrets_are_valid_at_once),
        WITH_CLIENTS(test_all_places_are_compared),
        WITH_CLIENTS(test_wrong_credentials_prove_nobody),
        WITH_CLIENTS(test_the_longest_credentials_work),
        WITH_CLIENTS(test_no_client_at_all),
        WITH_CLIENTS(test_a_failing_digest_proves_nobody),
        WITH_CLIENTS(test_both_spellings_of_basic),
        WITH_CLIENTS(test_work_depends_on_the_request_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
