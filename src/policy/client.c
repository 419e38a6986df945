#include "introspectd/client.h"

#include <openssl/crypto.h>

#include <assert.h>
#include <stdlib.h>

/* Keeps the secrets' digests apart from every other use of a seed. */
static const uint64_t secret_label = UINT64_C(0x7465726365732e63);

static bool random_digest(digest_t *out)
{
    digest_seed_t seed;

    static_assert(sizeof(seed.bytes) == sizeof(out->bytes), "a seed is as long as a digest");
    if (!digest_seed_random(&seed))
        return false;
    memcpy(out->bytes, seed.bytes, sizeof(out->bytes));
    OPENSSL_cleanse(&seed, sizeof(seed));
    return true;
}

bool client_set_init(client_set_t *set)
{
    client_set_t made = {0};

    if (!digest_seed_random(&made.seed))
        return false;
    for (size_t i = 0; i < CLIENT_MAX_SECRETS; i++) {
        if (!random_digest(&made.decoys[i]))
            return false;
    }
    *set = made;
    OPENSSL_cleanse(&made, sizeof(made));
    return true;
}

void client_set_deinit(client_set_t *set)
{
    for (size_t i = 0; i < set->count; i++) {
        client_t *client = &set->clients[i];
        free(client->client_id);
        mapping_free(client->mapping);
        free(client->issuer_is_allowed);
        OPENSSL_cleanse(client->secrets, sizeof(client->secrets));
    }
    free(set->clients);
    OPENSSL_cleanse(set, sizeof(*set));
}

bool client_set_secrets(const client_set_t *set, client_t *client, digester_t *digester,
                        const slice_t *secrets, size_t count)
{
    digest_t digests[CLIENT_MAX_SECRETS];
    bool is_done = count >= 1 && count <= CLIENT_MAX_SECRETS;

    for (size_t i = 0; is_done && i < CLIENT_MAX_SECRETS; i++) {
        if (i >= count)
            is_done = random_digest(&digests[i]);
        else
            is_done = secrets[i].len != 0 && secrets[i].len <= CLIENT_MAX_SECRET_BYTES &&
                      digest_keyed(digester, &set->seed, secret_label, secrets[i], &digests[i]);
    }
    if (is_done)
        memcpy(client->secrets, digests, sizeof(digests));
    OPENSSL_cleanse(digests, sizeof(digests));
    return is_done;
}

static int compare_id(slice_t a, slice_t b)
{
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order = shorter == 0 ? 0 : memcmp(a.base, b.base, shorter);

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_clients(const void *a, const void *b)
{
    const client_t *first = a;
    const client_t *second = b;

    return compare_id(slice_of(first->client_id), slice_of(second->client_id));
}

static int compare_key(const void *key, const void *element)
{
    const slice_t *client_id = key;
    const client_t *client = element;

    return compare_id(*client_id, slice_of(client->client_id));
}

void client_set_finish(client_set_t *set)
{
    if (set->count > 1)
        qsort(set->clients, set->count, sizeof(client_t), compare_clients);
    for (size_t i = 0; i < set->count; i++)
        set->clients[i].index = i;
}

const client_t *client_set_find(const client_set_t *set, slice_t client_id)
{
    if (set->count == 0)
        return NULL;
    return bsearch(&client_id, set->clients, set->count, sizeof(client_t), compare_key);
}

/*
 * The client that one spelling proves. The work depends on the request alone: an unknown client_id is
 * compared with the decoys, and no comparison ends early.
 */
static const client_t *prove(const client_set_t *set, digester_t *digester, slice_t client_id, slice_t secret)
{
    digest_t given;
    unsigned matches = 0;

    if (client_id.len == 0 || client_id.len > CLIENT_MAX_ID_BYTES || secret.len > CLIENT_MAX_SECRET_BYTES)
        return NULL;
    const client_t *client = client_set_find(set, client_id);
    const digest_t *known = client == NULL ? set->decoys : client->secrets;
    if (!digest_keyed(digester, &set->seed, secret_label, secret, &given))
        return NULL;
    for (size_t i = 0; i < CLIENT_MAX_SECRETS; i++)
        matches |= (unsigned)digest_equal(&given, &known[i]);
    OPENSSL_cleanse(&given, sizeof(given));
    return matches != 0 ? client : NULL;
}

const client_t *client_authenticate(const client_set_t *set, digester_t *digester,
                                    const client_credentials_t *credentials)
{
    const client_t *as_sent = prove(set, digester, credentials->client_id, credentials->client_secret);
    const client_t *decoded = NULL;

    if (credentials->decoded_client_id.base != NULL)
        decoded = prove(set, digester, credentials->decoded_client_id, credentials->decoded_client_secret);
    return as_sent != NULL ? as_sent : decoded;
}
