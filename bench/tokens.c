/*
 * tokens: many signed tokens that differ, quickly, one a line and all of one length.
 *
 * tokens --key PRIVATE.jwk --claims CLAIMS.json --count N --out FILE [--threads N] [--forged]
 *
 * Eight '#' in the claims become the token's number, so that each has a jti and a channel of its own. Every
 * token expires in a day. With --forged each carries the signature of another one: as well formed, and as
 * much work to refuse, as a good one is to accept.
 */
#include "introspectd/base64url.h"
#include "introspectd/clock.h"
#include "introspectd/file.h"
#include "introspectd/json.h"
#include "introspectd/private_key.h"

#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    NUMBER_LEN = 8,
    COUNT_MAX = 99999999,
    MAX_FILE_BYTES = 64 * 1024,
    THREADS_MAX = 256,
    LIFETIME_S = 86400
};

static const char PLACEHOLDER[] = "########";

typedef struct options {
    const char *key;
    const char *claims;
    const char *out;
    size_t count;
    size_t threads;
    bool is_forged;
} options_t;

/* What every token is made of. Shared by the threads, which read it. */
typedef struct pattern {
    slice_t key; /* text: a private key belongs to one thread */
    slice_t header;
    slice_t claims;
    size_t signing_input_len;
    size_t line_len;              /* with its newline */
    const char *forged_signature; /* base64url; NULL: each gets its own */
    char *lines;
} pattern_t;

typedef struct job {
    pthread_t thread;
    const pattern_t *pattern;
    size_t first;
    size_t end;
} job_t;

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "tokens: %s\n", what);
    exit(1);
}

static size_t parse_count(const char *text, size_t max)
{
    char *end = NULL;
    uintmax_t value = strtoumax(text, &end, 10);
    if (end == text || *end != '\0' || value == 0 || value > max)
        fail("not a number, or out of range");
    return (size_t)value;
}

static options_t parse_options(int argc, char **argv)
{
    static const struct option OPTIONS[] = {{"key", required_argument, NULL, 'k'},
                                            {"claims", required_argument, NULL, 'c'},
                                            {"out", required_argument, NULL, 'o'},
                                            {"count", required_argument, NULL, 'n'},
                                            {"threads", required_argument, NULL, 't'},
                                            {"forged", no_argument, NULL, 'f'},
                                            {NULL, 0, NULL, 0}};
    options_t options = {.threads = (size_t)sysconf(_SC_NPROCESSORS_ONLN)};
    int option;
    while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
        switch (option) {
        case 'k':
            options.key = optarg;
            break;
        case 'c':
            options.claims = optarg;
            break;
        case 'o':
            options.out = optarg;
            break;
        case 'n':
            options.count = parse_count(optarg, COUNT_MAX);
            break;
        case 't':
            options.threads = parse_count(optarg, THREADS_MAX);
            break;
        case 'f':
            options.is_forged = true;
            break;
        default:
            exit(64);
        }
    }
    if (options.key == NULL || options.claims == NULL || options.out == NULL || options.count == 0)
        fail("--key, --claims, --count and --out are needed");
    return options;
}

static slice_t read_text(const char *path)
{
    char *text = NULL;
    size_t len = 0;
    if (file_read(path, MAX_FILE_BYTES, &text, &len) != 0)
        fail("a file cannot be read");
    return (slice_t){text, len};
}

static private_key_t *parse_key(slice_t text)
{
    const char *problem = NULL;
    private_key_t *key = private_key_parse(text, &problem);
    if (key == NULL)
        fail(problem);
    return key;
}

static slice_t dump(json_t *take_json)
{
    char *text = json_dumps(take_json, JSON_COMPACT);
    json_decref(take_json);
    if (text == NULL)
        fail("the header or the claims cannot be written");
    return slice_of(text);
}

static slice_t build_claims(const char *path)
{
    slice_t text = read_text(path);
    json_t *claims = json_parse_object(text);
    int64_t now_s = clock_now_s();
    if (claims == NULL || json_object_set_new(claims, "iat", json_integer(now_s)) != 0 ||
        json_object_set_new(claims, "exp", json_integer(now_s + LIFETIME_S)) != 0)
        fail("the claims are no JSON object");
    free((char *)text.base);
    return dump(claims);
}

static slice_t build_header(const private_key_t *key)
{
    json_t *header = json_pack("{s:s, s:s, s:s?}", "alg", algorithm_name(private_key_algorithm(key)), "typ",
                               "at+jwt", "kid", private_key_kid(key));
    slice_t text = dump(header);
    size_t len = base64url_encoded_len(text.len);
    char *encoded = malloc(len + 1);
    if (encoded == NULL)
        fail("out of memory");
    base64url_encode((const unsigned char *)text.base, text.len, encoded);
    free((char *)text.base);
    return (slice_t){encoded, len};
}

/* Header "." claims of the token with this number, into out, which has room for one NUL more. */
static void write_signing_input(const pattern_t *pattern, size_t number, char *claims, char *out)
{
    char digits[NUMBER_LEN + 1];
    snprintf(digits, sizeof(digits), "%08zu", number);
    memcpy(claims, pattern->claims.base, pattern->claims.len + 1);
    for (char *at = claims; (at = strstr(at, PLACEHOLDER)) != NULL;)
        memcpy(at, digits, NUMBER_LEN);
    memcpy(out, pattern->header.base, pattern->header.len);
    out[pattern->header.len] = '.';
    base64url_encode((const unsigned char *)claims, pattern->claims.len, out + pattern->header.len + 1);
}

/* The base64url of a signature; the caller frees it. */
static char *sign(const private_key_t *key, slice_t input)
{
    unsigned char *signature = NULL;
    size_t len = 0;
    if (!private_key_sign(key, private_key_algorithm(key), input, &signature, &len))
        fail("OpenSSL does not sign");
    char *text = malloc(base64url_encoded_len(len) + 1);
    if (text == NULL)
        fail("out of memory");
    base64url_encode(signature, len, text);
    free(signature);
    return text;
}

static void write_token(const pattern_t *pattern, const private_key_t *key, size_t number, char *claims)
{
    char *line = pattern->lines + number * pattern->line_len;
    write_signing_input(pattern, number, claims, line);
    char *own = NULL;
    const char *signature = pattern->forged_signature;
    if (signature == NULL)
        signature = own = sign(key, (slice_t){line, pattern->signing_input_len});
    size_t signature_len = pattern->line_len - pattern->signing_input_len - 2;
    line[pattern->signing_input_len] = '.';
    memcpy(line + pattern->signing_input_len + 1, signature, signature_len);
    line[pattern->line_len - 1] = '\n';
    free(own);
}

static void *run_job(void *data)
{
    job_t *job = data;
    private_key_t *key = parse_key(job->pattern->key);
    char *claims = malloc(job->pattern->claims.len + 1);
    if (claims == NULL)
        fail("out of memory");
    for (size_t number = job->first; number < job->end; number++)
        write_token(job->pattern, key, number, claims);
    free(claims);
    private_key_free(key);
    return NULL;
}

/* Signs the token behind the last one: that gives the length of all, and the signature of forged ones. */
static char *sign_another(pattern_t *pattern, const private_key_t *key, size_t number)
{
    char *claims = malloc(pattern->claims.len + 1);
    char *input = malloc(pattern->signing_input_len + 1);
    if (claims == NULL || input == NULL)
        fail("out of memory");
    write_signing_input(pattern, number, claims, input);
    char *signature = sign(key, (slice_t){input, pattern->signing_input_len});
    pattern->line_len = pattern->signing_input_len + 1 + strlen(signature) + 1;
    free(input);
    free(claims);
    return signature;
}

static char *map_output(const char *path, size_t size)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, (off_t)size) != 0)
        fail("the output cannot be made");
    char *lines = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (lines == MAP_FAILED)
        fail("the output cannot be mapped");
    return lines;
}

static void run_jobs(const pattern_t *pattern, const options_t *options)
{
    job_t jobs[THREADS_MAX];
    for (size_t i = 0; i < options->threads; i++) {
        jobs[i] = (job_t){.pattern = pattern,
                          .first = options->count * i / options->threads,
                          .end = options->count * (i + 1) / options->threads};
        if (pthread_create(&jobs[i].thread, NULL, run_job, &jobs[i]) != 0)
            fail("no thread can be had");
    }
    for (size_t i = 0; i < options->threads; i++)
        pthread_join(jobs[i].thread, NULL);
}

int main(int argc, char **argv)
{
    const options_t options = parse_options(argc, argv);
    pattern_t pattern = {.key = read_text(options.key), .claims = build_claims(options.claims)};
    private_key_t *key = parse_key(pattern.key);
    pattern.header = build_header(key);
    pattern.signing_input_len = pattern.header.len + 1 + base64url_encoded_len(pattern.claims.len);
    char *another = sign_another(&pattern, key, options.count);
    if (options.is_forged)
        pattern.forged_signature = another;
    pattern.lines = map_output(options.out, options.count * pattern.line_len);
    run_jobs(&pattern, &options);
    bool is_written = munmap(pattern.lines, options.count * pattern.line_len) == 0;
    free(another);
    free((char *)pattern.header.base);
    free((char *)pattern.claims.base);
    file_free_secret((char *)pattern.key.base, pattern.key.len);
    private_key_free(key);
    return is_written ? 0 : 1;
}
