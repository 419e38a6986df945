#include "introspectd/introspect.h"

#include "introspectd/compact.h"
#include "introspectd/json.h"
#include "introspectd/lookup_digest.h"
#include "introspectd/verify.h"

#include "client_memo.h"
#include "header_memo.h"

#include <openssl/crypto.h>

#include <stdatomic.h>
#include <stdlib.h>

struct introspector {
    atomic_size_t holders;
    config_t *config;
    digest_seed_t seed; /* of the digests that tables are looked up by */
    cache_t *active;
    cache_t *inactive;
};

struct introspect_worker {
    introspector_t *introspector;
    digester_t *digester;
    lookup_digester_t *lookup_digester;
    client_memo_t callers;
    header_memo_t headers;
    bool has_new_header; /* the token that was evaluated last: it is good, and its header not remembered */
    verifier_t *verifier;
    char *answer;
    size_t answer_size;
};

/* The share of the cache's bytes that inactive verdicts may take: a flood of bad tokens must not evict good
 * ones. */
enum { INACTIVE_SHARE = 16 };

static const char INACTIVE_ANSWER[] = "{\"active\":false}";

/* Tokens are digested under the index of their client, Authorization headers under a label that is no index.
 */
static const uint64_t AUTHORIZATION_LABEL = UINT64_MAX;

/* What an entry's tag says: the reason in the low byte, the issuer's index plus one above (0: none of ours).
 */
enum { TAG_ISSUER_SHIFT = 8 };

static uint32_t tag_of(const config_t *config, const config_issuer_t *issuer, reason_t reason)
{
    uint32_t place = issuer == NULL ? 0 : (uint32_t)(issuer - config->issuers) + 1;
    return place << TAG_ISSUER_SHIFT | (uint32_t)reason;
}

static const config_issuer_t *tag_issuer(const config_t *config, uint32_t tag)
{
    uint32_t place = tag >> TAG_ISSUER_SHIFT;
    return place == 0 ? NULL : &config->issuers[place - 1];
}

static reason_t tag_reason(uint32_t tag)
{
    return (reason_t)(tag & ((1u << TAG_ISSUER_SHIFT) - 1));
}

static bool init_caches(introspector_t *introspector)
{
    size_t max_bytes = introspector->config->cache.max_bytes;
    unsigned stripes = introspector->config->cache.stripes;
    introspector->active = cache_new(max_bytes - max_bytes / INACTIVE_SHARE, stripes);
    introspector->inactive = cache_new(max_bytes / INACTIVE_SHARE, stripes);
    return introspector->active != NULL && introspector->inactive != NULL;
}

introspector_t *introspector_new(config_t *take_config)
{
    introspector_t *introspector = calloc(1, sizeof(*introspector));
    if (introspector == NULL)
        return NULL;
    atomic_init(&introspector->holders, 1);
    introspector->config = take_config;
    if (!digest_seed_random(&introspector->seed) || !init_caches(introspector)) {
        introspector->config = NULL;
        introspector_release(introspector);
        return NULL;
    }
    return introspector;
}

introspector_t *introspector_acquire(introspector_t *introspector)
{
    atomic_fetch_add_explicit(&introspector->holders, 1, memory_order_relaxed);
    return introspector;
}

void introspector_release(introspector_t *introspector)
{
    /* Every holder's use comes before the free. */
    if (introspector == NULL ||
        atomic_fetch_sub_explicit(&introspector->holders, 1, memory_order_acq_rel) != 1)
        return;
    OPENSSL_cleanse(&introspector->seed, sizeof(introspector->seed));
    cache_free(introspector->active);
    cache_free(introspector->inactive);
    config_free(introspector->config);
    free(introspector);
}

const config_t *introspector_config(const introspector_t *introspector)
{
    return introspector->config;
}

void introspector_get_cache_stats(const introspector_t *introspector, introspect_cache_stats_t *stats)
{
    cache_get_stats(introspector->active, &stats->active);
    cache_get_stats(introspector->inactive, &stats->inactive);
}

introspect_worker_t *introspect_worker_new(introspector_t *introspector)
{
    introspect_worker_t *worker = calloc(1, sizeof(*worker));
    if (worker == NULL)
        return NULL;
    worker->introspector = introspector_acquire(introspector);
    worker->digester = digester_new();
    worker->lookup_digester = lookup_digester_new(&introspector->seed);
    worker->verifier = verifier_new();
    worker->answer_size = INTROSPECT_MAX_ANSWER;
    worker->answer = malloc(worker->answer_size);
    if (worker->digester == NULL || worker->lookup_digester == NULL || worker->verifier == NULL ||
        worker->answer == NULL) {
        introspect_worker_free(worker);
        return NULL;
    }
    return worker;
}

void introspect_worker_free(introspect_worker_t *worker)
{
    if (worker == NULL)
        return;
    digester_free(worker->digester);
    lookup_digester_free(worker->lookup_digester);
    verifier_free(worker->verifier);
    header_memo_deinit(&worker->headers);
    free(worker->answer);
    introspector_release(worker->introspector);
    free(worker);
}

const config_t *introspect_worker_config(const introspect_worker_t *worker)
{
    return worker->introspector->config;
}

const client_t *introspect_authenticate(introspect_worker_t *worker, const client_credentials_t *credentials)
{
    return client_authenticate(&worker->introspector->config->clients, worker->digester, credentials);
}

static const client_t *find_named(introspect_worker_t *worker, const client_credentials_t *credentials)
{
    const client_set_t *clients = &worker->introspector->config->clients;
    const client_t *as_sent = client_set_find(clients, credentials->client_id);
    return as_sent != NULL ? as_sent : client_set_find(clients, credentials->decoded_client_id);
}

typedef const client_t *find_client_fn(introspect_worker_t *worker, const client_credentials_t *credentials);

static const client_t *find_by_basic(introspect_worker_t *worker, slice_t authorization, find_client_fn *find)
{
    char buffer[CLIENT_BASIC_BUFFER_SIZE];
    client_credentials_t credentials;
    const client_t *client = NULL;
    if (client_parse_basic(authorization, buffer, &credentials) == CLIENT_BASIC_OK)
        client = find(worker, &credentials);
    /* Two spellings of what was decoded never need more than twice the header's length. */
    size_t used = 2 * authorization.len;
    OPENSSL_cleanse(buffer, used < sizeof(buffer) ? used : sizeof(buffer));
    return client;
}

const client_t *introspect_named_by_basic(introspect_worker_t *worker, slice_t authorization)
{
    return find_by_basic(worker, authorization, find_named);
}

const client_t *introspect_recall_basic(introspect_worker_t *worker, slice_t authorization)
{
    digest_t header;
    if (!lookup_digest(worker->lookup_digester, AUTHORIZATION_LABEL, authorization, &header))
        return NULL;
    return client_memo_get(&worker->callers, &header);
}

const client_t *introspect_authenticate_basic(introspect_worker_t *worker, slice_t authorization)
{
    digest_t header;
    if (!lookup_digest(worker->lookup_digester, AUTHORIZATION_LABEL, authorization, &header))
        return find_by_basic(worker, authorization, introspect_authenticate);
    const client_t *client = client_memo_get(&worker->callers, &header);
    if (client == NULL) {
        client = find_by_basic(worker, authorization, introspect_authenticate);
        if (client != NULL)
            client_memo_put(&worker->callers, &header, client);
    }
    return client;
}

void introspect_token_name(introspect_worker_t *worker, slice_t token, char out[DIGEST_NAME_SIZE])
{
    digest_name(worker->digester, token, out);
}

static introspect_outcome_t outcome_of(reason_t reason)
{
    switch (reason) {
    case REASON_NONE:
        return INTROSPECT_ACTIVE;
    case REASON_KEYS_UNAVAILABLE:
    case REASON_INTERNAL_ERROR:
        return INTROSPECT_UNAVAILABLE;
    default:
        return INTROSPECT_INACTIVE;
    }
}

static void set_verdict(introspect_verdict_t *verdict, reason_t reason, const config_issuer_t *issuer)
{
    *verdict = (introspect_verdict_t){.outcome = outcome_of(reason), .reason = reason, .issuer = issuer};
    if (verdict->outcome == INTROSPECT_INACTIVE)
        verdict->answer = (slice_t){INACTIVE_ANSWER, sizeof(INACTIVE_ANSWER) - 1};
}

/* Cut on a character's boundary, so that what is logged stays UTF-8. */
static void copy_kid(slice_t kid, char out[INTROSPECT_KID_SIZE])
{
    size_t len = kid.len;
    if (len > INTROSPECT_KID_SIZE - 1) {
        len = INTROSPECT_KID_SIZE - 1;
        while (len > 0 && ((unsigned char)kid.base[len] & 0xC0u) == 0x80u)
            len--;
    }
    if (len > 0)
        memcpy(out, kid.base, len);
    out[len] = '\0';
}

/* The generation of the keys that a verdict about the issuer's tokens depends on. */
static uint64_t generation_of(const config_issuer_t *issuer)
{
    return issuer == NULL ? 0 : keyset_slot_generation(issuer->keys);
}

/*
 * Where newer keys could turn a verdict, asks for them: the token names a key that is not there, or names
 * none and no key that is there made it.
 */
static void ask_for_newer_keys(const config_issuer_t *issuer, reason_t reason, slice_t kid)
{
    if (reason == REASON_KEYS_UNAVAILABLE || reason == REASON_UNKNOWN_KEY ||
        (reason == REASON_BAD_SIGNATURE && kid.len == 0))
        keyset_slot_want(issuer->keys);
}

/* A cached value that was decided with the current keys. */
static bool get_cached(introspect_worker_t *worker, cache_t *cache, const digest_t *key, int64_t now_s,
                       cache_hit_t *hit)
{
    return cache_get(cache, key, now_s, worker->answer, worker->answer_size, hit) &&
           hit->generation == generation_of(tag_issuer(worker->introspector->config, hit->tag));
}

bool introspect_lookup(introspect_worker_t *worker, const client_t *client, slice_t token, int64_t now_s,
                       digest_t *key, introspect_verdict_t *verdict)
{
    introspector_t *introspector = worker->introspector;
    const config_t *config = introspector->config;
    if (token.len > config->limits.max_token_bytes) {
        set_verdict(verdict, REASON_TOO_LONG, NULL);
        return true;
    }
    if (!lookup_digest(worker->lookup_digester, client->index, token, key)) {
        set_verdict(verdict, REASON_INTERNAL_ERROR, NULL);
        return true;
    }

    cache_hit_t hit;
    if (get_cached(worker, introspector->active, key, now_s, &hit)) {
        set_verdict(verdict, REASON_NONE, tag_issuer(config, hit.tag));
        verdict->answer = (slice_t){worker->answer, hit.len};
        verdict->is_from_cache = true;
        return true;
    }
    if (get_cached(worker, introspector->inactive, key, now_s, &hit)) {
        set_verdict(verdict, tag_reason(hit.tag), tag_issuer(config, hit.tag));
        copy_kid((slice_t){worker->answer, hit.len}, verdict->kid);
        verdict->is_from_cache = true;
        if (verdict->issuer != NULL)
            ask_for_newer_keys(verdict->issuer, verdict->reason, slice_of(verdict->kid));
        return true;
    }
    return false;
}

static reason_t find_issuer(const config_t *config, const client_t *client, const json_t *payload,
                            const config_issuer_t **issuer)
{
    slice_t name = json_get_string(payload, "iss");
    const config_issuer_t *found = name.base == NULL ? NULL : config_find_issuer(config, name);
    if (found == NULL || !client->issuer_is_allowed[found - config->issuers])
        return REASON_WRONG_ISSUER;
    *issuer = found;
    return REASON_NONE;
}

static reason_t try_keys(introspect_worker_t *worker, const compact_t *compact,
                         const compact_header_t *header, introspect_story_t *story)
{
    const config_issuer_t *issuer = story->issuer;
    story->keys = keyset_slot_acquire_keys(issuer->keys);
    if (story->keys == NULL)
        return REASON_KEYS_UNAVAILABLE;
    const verify_rules_t rules = {.allowed = issuer->algorithms, .max_keys_tried = issuer->max_keys_tried};
    const jwk_t *used = NULL;
    reason_t reason = verify_compact(worker->verifier, story->keys, &rules, compact, header, &used);
    if (reason == REASON_UNKNOWN_KEY && !keyset_is_usable(story->keys, issuer->algorithms))
        return REASON_KEYS_UNAVAILABLE;
    if (reason != REASON_NONE)
        return reason;
    story->signature_is_good = true;
    story->key = jwk_describe(used);
    return REASON_NONE;
}

static reason_t verify_token(introspect_worker_t *worker, const compact_t *compact,
                             const compact_header_t *header, introspect_story_t *story)
{
    if (!header->has_algorithm || !algorithm_set_has(story->issuer->algorithms, header->algorithm))
        return REASON_ALGORITHM_NOT_ALLOWED;
    reason_t reason = try_keys(worker, compact, header, story);
    ask_for_newer_keys(story->issuer, reason, header->kid);
    return reason;
}

static reason_t build_answer(const client_t *client, const json_t *payload, introspect_story_t *story)
{
    story->answer = json_object();
    if (story->answer == NULL || json_object_set_new(story->answer, "active", json_true()) != 0 ||
        !profile_add_standard_members(client->profile, payload, story->answer))
        return REASON_INTERNAL_ERROR;
    return mapping_apply(client->mapping, payload, story->answer, &story->missing_member);
}

/*
 * The signature comes before the claims, so that a reason about a claim speaks of a token that the issuer
 * made, and nobody can fill the log with reasons that are made up.
 */
static reason_t evaluate(introspect_worker_t *worker, const client_t *client, slice_t token, int64_t now_s,
                         introspect_story_t *story, compact_header_t *header)
{
    const config_t *config = worker->introspector->config;
    compact_t compact;
    reason_t reason;
    worker->has_new_header = false;
    if (token.len > config->limits.max_token_bytes)
        return REASON_TOO_LONG;
    if ((reason = compact_split(token, &compact)) != REASON_NONE)
        return reason;
    bool is_remembered = header_memo_get(&worker->headers, &compact, header);
    if (!is_remembered && (reason = compact_parse_header(&compact, header)) != REASON_NONE)
        return reason;
    story->header = header->json;
    if ((reason = compact_parse_payload(&compact, &story->payload)) != REASON_NONE ||
        (reason = find_issuer(config, client, story->payload, &story->issuer)) != REASON_NONE)
        return reason;
    /* Read before the keys are: a verdict must not carry a newer generation than the keys that made it. */
    story->generation = generation_of(story->issuer);
    if ((reason = verify_token(worker, &compact, header, story)) != REASON_NONE ||
        (reason = claims_check(&story->issuer->rules, header->typ, story->payload, now_s, &story->times)) !=
            REASON_NONE)
        return reason;
    worker->has_new_header = !is_remembered && compact.header.len <= HEADER_MEMO_MAX_BYTES;
    return build_answer(client, story->payload, story);
}

void introspect_tell(introspect_worker_t *worker, const client_t *client, slice_t token, int64_t now_s,
                     introspect_story_t *story)
{
    compact_header_t header = {0};
    *story = (introspect_story_t){0};
    story->reason = evaluate(worker, client, token, now_s, story, &header);
    story->outcome = outcome_of(story->reason);
    story->kid = header.kid;
    if (story->outcome != INTROSPECT_ACTIVE) {
        json_decref(story->answer);
        story->answer = NULL;
    }
}

void introspect_story_deinit(introspect_story_t *story)
{
    json_decref(story->header);
    json_decref(story->payload);
    json_decref(story->answer);
    keyset_release(story->keys);
    *story = (introspect_story_t){0};
}

/* Writes the answer into the worker's buffer, which grows for the rare one that is larger. */
static bool write_answer(introspect_worker_t *worker, json_t *answer, slice_t *out)
{
    size_t len = json_write(answer, worker->answer, worker->answer_size);
    if (len > worker->answer_size) {
        char *larger = realloc(worker->answer, len);
        if (larger == NULL)
            return false;
        worker->answer = larger;
        worker->answer_size = len;
        (void)json_write(answer, worker->answer, worker->answer_size);
    }
    *out = (slice_t){worker->answer, len};
    return true;
}

static int64_t min_s(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void remember(introspect_worker_t *worker, const digest_t *key, int64_t now_s,
                     const introspect_story_t *story, const introspect_verdict_t *verdict)
{
    introspector_t *introspector = worker->introspector;
    const config_t *config = introspector->config;
    uint32_t tag = tag_of(config, story->issuer, story->reason);
    int64_t not_after_s = now_s + config->cache.max_ttl_s;
    if (verdict->outcome == INTROSPECT_ACTIVE) {
        cache_put(introspector->active, key, min_s(not_after_s, story->times.exp_s), story->generation, tag,
                  verdict->answer);
    } else if (verdict->outcome == INTROSPECT_INACTIVE) {
        if (story->reason == REASON_NOT_YET_VALID)
            not_after_s = min_s(not_after_s, story->times.nbf_s - story->issuer->rules.leeway_s);
        cache_put(introspector->inactive, key, not_after_s, story->generation, tag, slice_of(verdict->kid));
    }
}

/* What is kept must not lie in the arena. */
static void remember_header(introspect_worker_t *worker, slice_t token)
{
    compact_t compact;
    if (compact_split(token, &compact) == REASON_NONE)
        header_memo_put(&worker->headers, &compact);
}

static void decide(introspect_worker_t *worker, const client_t *client, slice_t token, int64_t now_s,
                   const digest_t *key, introspect_verdict_t *verdict)
{
    introspect_story_t story;
    introspect_tell(worker, client, token, now_s, &story);
    slice_t answer = {NULL, 0};
    if (story.outcome == INTROSPECT_ACTIVE && !write_answer(worker, story.answer, &answer)) {
        story.outcome = INTROSPECT_UNAVAILABLE;
        story.reason = REASON_INTERNAL_ERROR;
    }
    set_verdict(verdict, story.reason, story.issuer);
    if (verdict->outcome == INTROSPECT_ACTIVE)
        verdict->answer = answer;
    copy_kid(story.kid, verdict->kid);
    remember(worker, key, now_s, &story, verdict);
    introspect_story_deinit(&story);
}

void introspect_decide(introspect_worker_t *worker, const client_t *client, slice_t token, int64_t now_s,
                       const digest_t *key, introspect_verdict_t *verdict)
{
    json_arena_open();
    decide(worker, client, token, now_s, key, verdict);
    json_arena_close();
    if (worker->has_new_header)
        remember_header(worker, token);
}
