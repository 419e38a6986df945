#include "introspectd/throttle.h"

#include "introspectd/lookup_digest.h"

#include <openssl/crypto.h>

#include <pthread.h>
#include <stdlib.h>

/*
 * A client's bucket must never be pushed out, whoever fails how often: there are four times as many places as
 * a config may have clients, in sets so large that chance does not overfill one.
 */
enum { ADDRESS_SETS = 512, ADDRESS_WAYS = 8, CLIENT_SETS = 256, CLIENT_WAYS = 64 };

static const int64_t NS_PER_MS = 1000000;
static const int64_t NS_PER_S = 1000000000;
static const int64_t MINUTE_NS = 60 * 1000000000LL;

/*
 * What was taken out of a bucket is told by when it will be full again, so that refilling writes nothing, an
 * unused place is a full bucket, and the earliest of a set is the fullest. Another budget after a reload
 * finds it as empty as before, in time.
 */
typedef struct bucket {
    uint64_t name; /* of the keyed digest */
    int64_t full_at_ns;
} bucket_t;

typedef struct table {
    uint64_t label; /* of its digests */
    size_t sets;
    size_t ways;
    bucket_t *buckets;
} table_t;

struct throttle {
    pthread_mutex_t mutex;
    lookup_digester_t *digester;
    table_t addresses;
    table_t clients;
};

static bool init_table(table_t *table, uint64_t label, size_t sets, size_t ways)
{
    *table = (table_t){label, sets, ways, calloc(sets * ways, sizeof(bucket_t))};
    return table->buckets != NULL;
}

static lookup_digester_t *new_digester(void)
{
    digest_seed_t seed;
    if (!digest_seed_random(&seed))
        return NULL;
    lookup_digester_t *digester = lookup_digester_new(&seed);
    OPENSSL_cleanse(&seed, sizeof(seed));
    return digester;
}

throttle_t *throttle_new(void)
{
    throttle_t *throttle = calloc(1, sizeof(*throttle));
    if (throttle == NULL)
        return NULL;
    pthread_mutex_init(&throttle->mutex, NULL);
    throttle->digester = new_digester();
    if (throttle->digester == NULL || !init_table(&throttle->addresses, 0, ADDRESS_SETS, ADDRESS_WAYS) ||
        !init_table(&throttle->clients, 1, CLIENT_SETS, CLIENT_WAYS)) {
        throttle_free(throttle);
        return NULL;
    }
    return throttle;
}

void throttle_free(throttle_t *throttle)
{
    if (throttle == NULL)
        return;
    pthread_mutex_destroy(&throttle->mutex);
    lookup_digester_free(throttle->digester);
    free(throttle->addresses.buckets);
    free(throttle->clients.buckets);
    free(throttle);
}

/* The bucket of text, or else the fullest of the set where it belongs. NULL when OpenSSL gives no digest. */
static bucket_t *find_place(throttle_t *throttle, const table_t *table, slice_t text, uint64_t *name)
{
    struct {
        uint64_t name;
        uint64_t set;
    } parts;
    digest_t digest;
    if (!lookup_digest(throttle->digester, table->label, text, &digest))
        return NULL;
    memcpy(&parts, digest.bytes, sizeof(parts));
    *name = parts.name;
    bucket_t *set = &table->buckets[parts.set % table->sets * table->ways];
    bucket_t *fullest = set;
    for (size_t i = 0; i < table->ways; i++) {
        if (set[i].name == parts.name)
            return &set[i];
        if (set[i].full_at_ns < fullest->full_at_ns)
            fullest = &set[i];
    }
    return fullest;
}

/* Rounded up, so that so many of them and no more go into a bucket that they fill. */
static int64_t failure_ns(unsigned failures_a_minute)
{
    return (MINUTE_NS + failures_a_minute - 1) / failures_a_minute;
}

/* How long until one failure more can be taken out of what will be full at full_at_ns; 0: now. */
static int64_t wait_ns(int64_t full_at_ns, const throttle_attempt_t *attempt)
{
    int64_t now_ns = attempt->now_ms * NS_PER_MS;
    int64_t taken_ns = full_at_ns > now_ns ? full_at_ns - now_ns : 0;
    int64_t most_ns = failure_ns(attempt->failures_a_minute) * (attempt->failures_a_minute - 1);
    return taken_ns > most_ns ? taken_ns - most_ns : 0;
}

static int64_t ask(throttle_t *throttle, const table_t *table, slice_t text,
                   const throttle_attempt_t *attempt)
{
    uint64_t name;
    if (text.len == 0)
        return 0;
    const bucket_t *bucket = find_place(throttle, table, text, &name);
    return bucket == NULL || bucket->name != name ? 0 : wait_ns(bucket->full_at_ns, attempt);
}

static int64_t charge(throttle_t *throttle, const table_t *table, slice_t text,
                      const throttle_attempt_t *attempt)
{
    int64_t now_ns = attempt->now_ms * NS_PER_MS;
    uint64_t name;
    if (text.len == 0)
        return 0;
    bucket_t *bucket = find_place(throttle, table, text, &name);
    if (bucket == NULL)
        return 0;
    if (bucket->name != name)
        *bucket = (bucket_t){.name = name};
    int64_t wait = wait_ns(bucket->full_at_ns, attempt);
    if (wait == 0) {
        if (bucket->full_at_ns < now_ns)
            bucket->full_at_ns = now_ns;
        bucket->full_at_ns += failure_ns(attempt->failures_a_minute);
    }
    return wait;
}

typedef int64_t visit_fn(throttle_t *throttle, const table_t *table, slice_t text,
                         const throttle_attempt_t *attempt);

/* Seconds until both buckets have room. */
static unsigned visit(throttle_t *throttle, const throttle_attempt_t *attempt, visit_fn *visit_bucket)
{
    ip_address_t host = ip_address_of_host(attempt->peer);
    slice_t address = {NULL, 0};
    if (attempt->failures_a_minute == 0)
        return 0;
    if (host.family != IP_FAMILY_NONE)
        address = (slice_t){(const char *)host.bytes, sizeof(host.bytes)};
    pthread_mutex_lock(&throttle->mutex);
    int64_t address_ns = visit_bucket(throttle, &throttle->addresses, address, attempt);
    int64_t client_ns = visit_bucket(throttle, &throttle->clients, attempt->client_id, attempt);
    pthread_mutex_unlock(&throttle->mutex);
    int64_t longer_ns = address_ns > client_ns ? address_ns : client_ns;
    return (unsigned)((longer_ns + NS_PER_S - 1) / NS_PER_S);
}

unsigned throttle_refuses(throttle_t *throttle, const throttle_attempt_t *attempt)
{
    return visit(throttle, attempt, ask);
}

unsigned throttle_charge(throttle_t *throttle, const throttle_attempt_t *attempt)
{
    return visit(throttle, attempt, charge);
}
