/*
 * Replays a trace of introspections over replicas that know nothing of each other, each with a cache of the
 * product's own, and counts how many are answered from one.
 *
 * As many tokens are alive at any time; each lives as long and is then followed by another one in its place.
 * Requests come at an even pace and choose a place by Zipf's law. A seed gives one trace, and the same for
 * any number of replicas.
 */
#include "introspectd/cache.h"

#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the product makes of its setting cache.max_bytes: the rest is for inactive answers. */
enum { INACTIVE_SHARE = 16, STRIPES = 64 };

static const char ANSWER[] = "{\"active\":true,\"front_channel_name\":\"Acme Support (EU)\","
                             "\"front_channel_address\":\"tenant-0001:channel-00000017\"}";

typedef enum balancing { BALANCE_RANDOM, BALANCE_ROUND_ROBIN, BALANCE_BY_TOKEN } balancing_t;
static const char *const BALANCINGS[] = {"random", "round-robin", "by-token"};

typedef struct options {
    unsigned replicas;
    size_t tokens;
    double exponent;
    double rate_per_s;
    int64_t life_s;
    int64_t max_ttl_s;
    size_t max_bytes; /* of each replica */
    balancing_t balancing;
    int64_t warm_up_s;
    int64_t measured_s;
    uint64_t seed;
    bool is_traced;
} options_t;

/* Vose's alias method: a place in constant time, whatever the distribution. */
typedef struct places {
    size_t count;
    double *kept;  /* the chance to stay at the place that was drawn */
    size_t *alias; /* where one goes else */
} places_t;

typedef struct counts {
    uint64_t requests;
    uint64_t hits;
} counts_t;

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "replay: %s\n", what);
    exit(1);
}

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (memory == NULL)
        fail("no memory");
    return memory;
}

/* The finalizer of splitmix64. */
static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint64_t next_random(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    return mix(*state);
}

/* From 0 up to 1. */
static double next_fraction(uint64_t *state)
{
    return (double)(next_random(state) >> 11) * 0x1p-53;
}

static void fill_aliases(places_t *places, double *weights)
{
    size_t *small = allocate(places->count, sizeof(*small));
    size_t *large = allocate(places->count, sizeof(*large));
    size_t small_count = 0, large_count = 0;
    for (size_t i = 0; i < places->count; i++) {
        if (weights[i] < 1)
            small[small_count++] = i;
        else
            large[large_count++] = i;
    }
    while (small_count > 0 && large_count > 0) {
        size_t less = small[--small_count], more = large[large_count - 1];
        places->kept[less] = weights[less];
        places->alias[less] = more;
        weights[more] -= 1 - weights[less];
        if (weights[more] < 1) {
            large_count--;
            small[small_count++] = more;
        }
    }
    /* What is left is one, but for rounding. */
    while (large_count > 0)
        places->kept[large[--large_count]] = 1;
    while (small_count > 0)
        places->kept[small[--small_count]] = 1;
    free(small);
    free(large);
}

static places_t places_new(size_t count, double exponent)
{
    places_t places = {count, allocate(count, sizeof(double)), allocate(count, sizeof(size_t))};
    double *weights = allocate(count, sizeof(*weights));
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        weights[i] = pow((double)(i + 1), -exponent);
        sum += weights[i];
    }
    for (size_t i = 0; i < count; i++)
        weights[i] *= (double)count / sum;
    fill_aliases(&places, weights);
    free(weights);
    return places;
}

static size_t places_draw(const places_t *places, uint64_t *random)
{
    size_t place = next_random(random) % places->count;
    return next_fraction(random) < places->kept[place] ? place : places->alias[place];
}

static void places_free(places_t *places)
{
    free(places->kept);
    free(places->alias);
}

/* The digest of the token that is the number-th of its place. */
static digest_t digest_of(size_t place, int64_t number)
{
    digest_t digest;
    uint64_t state = mix(place + 1) ^ mix((uint64_t)number << 32);
    for (size_t i = 0; i < DIGEST_SIZE; i += sizeof(uint64_t)) {
        uint64_t word = next_random(&state);
        memcpy(digest.bytes + i, &word, sizeof(word));
    }
    return digest;
}

static unsigned choose_replica(const options_t *options, uint64_t request, size_t place, uint64_t *random)
{
    switch (options->balancing) {
    case BALANCE_ROUND_ROBIN:
        return (unsigned)(request % options->replicas);
    case BALANCE_BY_TOKEN:
        return (unsigned)(mix(place + 1) % options->replicas);
    case BALANCE_RANDOM:
        break;
    }
    return (unsigned)(next_random(random) % options->replicas);
}

/* One request; true when the answer was in the cache. */
static bool ask(cache_t *cache, const digest_t *token, int64_t now_s, int64_t not_after_s)
{
    char buffer[sizeof(ANSWER)];
    cache_hit_t hit;
    if (cache_get(cache, token, now_s, buffer, sizeof(buffer), &hit))
        return true;
    cache_put(cache, token, not_after_s, 1, 1, (slice_t){ANSWER, sizeof(ANSWER) - 1});
    return false;
}

static counts_t replay(const options_t *options, cache_t **caches)
{
    places_t places = places_new(options->tokens, options->exponent);
    uint64_t tokens_random = mix(options->seed + 1), balancing_random = mix(~options->seed);
    uint64_t total = (uint64_t)((double)(options->warm_up_s + options->measured_s) * options->rate_per_s);
    counts_t counts = {0};
    for (uint64_t request = 0; request < total; request++) {
        int64_t now_s = (int64_t)((double)request / options->rate_per_s);
        size_t place = places_draw(&places, &tokens_random);
        unsigned replica = choose_replica(options, request, place, &balancing_random);
        /* The places' tokens end at times of their own. */
        int64_t shift_s = (int64_t)(mix(place ^ options->seed) % (uint64_t)options->life_s);
        int64_t number = (now_s + shift_s) / options->life_s;
        int64_t expiry_s = (number + 1) * options->life_s - shift_s;
        int64_t ttl_end_s = now_s + options->max_ttl_s;
        digest_t token = digest_of(place, number);
        bool is_hit = ask(caches[replica], &token, now_s, expiry_s < ttl_end_s ? expiry_s : ttl_end_s);
        if (options->is_traced)
            printf("%" PRId64 " %u %zu %" PRId64 " %" PRId64 " %d\n", now_s, replica, place, number, expiry_s,
                   is_hit);
        if (now_s >= options->warm_up_s) {
            counts.requests++;
            counts.hits += is_hit;
        }
    }
    places_free(&places);
    return counts;
}

static double read_number(const char *text)
{
    char *end;
    double number = strtod(text, &end);
    if (end == text || *end != '\0' || !(number >= 0 && number < 1e15))
        fail("a number is wrong");
    return number;
}

static balancing_t read_balancing(const char *text)
{
    for (size_t i = 0; i < sizeof(BALANCINGS) / sizeof(*BALANCINGS); i++) {
        if (strcmp(text, BALANCINGS[i]) == 0)
            return (balancing_t)i;
    }
    fail("--balancing is random, round-robin or by-token");
}

static void read_option(options_t *options, int option, const char *text)
{
    double number = option == 'b' || option == 't' ? 0 : read_number(text);
    switch (option) {
    case 'r':
        options->replicas = (unsigned)number;
        break;
    case 'n':
        options->tokens = (size_t)number;
        break;
    case 'e':
        options->exponent = number;
        break;
    case 'p':
        options->rate_per_s = number;
        break;
    case 'l':
        options->life_s = (int64_t)number;
        break;
    case 'm':
        options->max_ttl_s = (int64_t)number;
        break;
    case 'c':
        options->max_bytes = (size_t)number;
        break;
    case 'b':
        options->balancing = read_balancing(text);
        break;
    case 'w':
        options->warm_up_s = (int64_t)number;
        break;
    case 'd':
        options->measured_s = (int64_t)number;
        break;
    case 's':
        options->seed = (uint64_t)number;
        break;
    case 't':
        options->is_traced = true;
        break;
    default:
        fail("an option is not known");
    }
}

static options_t read_options(int argc, char **argv)
{
    static const struct option known[] = {
        {"replicas", required_argument, NULL, 'r'},
        {"tokens", required_argument, NULL, 'n'},
        {"exponent", required_argument, NULL, 'e'},
        {"rate", required_argument, NULL, 'p'},
        {"life", required_argument, NULL, 'l'},
        {"max-ttl", required_argument, NULL, 'm'},
        {"max-bytes", required_argument, NULL, 'c'},
        {"balancing", required_argument, NULL, 'b'},
        {"warm-up", required_argument, NULL, 'w'},
        {"measured", required_argument, NULL, 'd'},
        {"seed", required_argument, NULL, 's'},
        {"trace", no_argument, NULL, 't'},
        {NULL, 0, NULL, 0},
    };
    options_t options = {.replicas = 1,
                         .tokens = 100000,
                         .exponent = 1,
                         .rate_per_s = 1000,
                         .life_s = 3600,
                         .max_ttl_s = 300,
                         .max_bytes = (size_t)64 << 20,
                         .warm_up_s = 600,
                         .measured_s = 1200,
                         .seed = 1};
    int option;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1)
        read_option(&options, option, optarg);
    if (optind != argc || options.replicas == 0 || options.tokens == 0 || options.rate_per_s <= 0 ||
        options.life_s == 0 || options.max_ttl_s == 0)
        fail("--replicas, --tokens, --rate, --life and --max-ttl must be above 0");
    return options;
}

int main(int argc, char **argv)
{
    options_t options = read_options(argc, argv);
    cache_t **caches = allocate(options.replicas, sizeof(*caches));
    for (unsigned i = 0; i < options.replicas; i++) {
        caches[i] = cache_new(options.max_bytes - options.max_bytes / INACTIVE_SHARE, STRIPES);
        if (caches[i] == NULL)
            fail("no memory");
    }
    counts_t counts = replay(&options, caches);
    cache_stats_t sum = {0};
    for (unsigned i = 0; i < options.replicas; i++) {
        cache_stats_t stats;
        cache_get_stats(caches[i], &stats);
        sum.entries += stats.entries;
        sum.bytes += stats.bytes;
        sum.evictions += stats.evictions;
        cache_free(caches[i]);
    }
    free(caches);
    if (counts.requests == 0)
        fail("no request was measured");
    if (!options.is_traced)
        printf("{\"requests\":%" PRIu64 ",\"hits\":%" PRIu64 ",\"entries\":%" PRIu64 ",\"bytes\":%" PRIu64
               ",\"evictions\":%" PRIu64 "}\n",
               counts.requests, counts.hits, sum.entries, sum.bytes, sum.evictions);
    return 0;
}
