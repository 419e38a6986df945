/*
 * raw_verify: what OpenSSL alone takes to verify the signatures of real tokens: keys and contexts set up
 * once, signatures decoded before, nothing else done.
 *
 * raw_verify --key PRIVATE.jwk --tokens FILE [--seconds S]: prints the processor time of one verification,
 * the median over batches, as {"algorithm":"RS256","cpu_ns":16800.0,"batches":120}.
 */
#include "evp_verify.h"

#include "introspectd/file.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    MAX_FILE_BYTES = 64 * 1024,
    TOKENS_MAX = 1000,
    BATCH = 50,
    BATCHES_MAX = 100000,
    LINE_MAX_BYTES = 16 * 1024
};

typedef struct bench {
    algorithm_t algorithm;
    evp_verify_t *verify;
    char *texts[TOKENS_MAX];
    evp_token_t tokens[TOKENS_MAX];
    size_t token_count;
} bench_t;

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "raw_verify: %s\n", what);
    exit(1);
}

static void load_key(bench_t *bench, const char *path)
{
    char *text = NULL;
    size_t len = 0;
    const char *problem = "the key cannot be read";
    private_key_t *key = NULL;
    if (file_read(path, MAX_FILE_BYTES, &text, &len) != 0 ||
        (key = private_key_parse((slice_t){text, len}, &problem)) == NULL)
        fail(problem);
    bench->algorithm = private_key_algorithm(key);
    bench->verify = evp_verify_new(key, bench->algorithm);
    if (bench->verify == NULL)
        fail("the key cannot be used");
    file_free_secret(text, len);
    private_key_free(key);
}

static void add_token(bench_t *bench, const char *line, size_t len)
{
    char *copy = strndup(line, len);
    bench->texts[bench->token_count] = copy;
    if (copy == NULL ||
        !evp_token_read(bench->verify, (slice_t){copy, len}, &bench->tokens[bench->token_count]))
        fail("a line is no token");
    bench->token_count++;
}

static void load_tokens(bench_t *bench, const char *path)
{
    char line[LINE_MAX_BYTES];
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail("the tokens cannot be read");
    while (bench->token_count < TOKENS_MAX && fgets(line, sizeof(line), file) != NULL)
        add_token(bench, line, strcspn(line, "\n"));
    fclose(file);
    if (bench->token_count == 0)
        fail("there are no tokens");
}

/* Without it, a context that vouches for anything would be measured with joy. */
static void check_refusal(bench_t *bench)
{
    const evp_token_t *first = &bench->tokens[0];
    evp_token_t forged = *first;
    forged.input.len--;
    if (!evp_verify_token(bench->verify, first) || evp_verify_token(bench->verify, &forged) ||
        !evp_verify_token(bench->verify, first))
        fail("good and bad signatures are not told apart");
}

static double now_s(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int compare_doubles(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;
    return (left > right) - (left < right);
}

static size_t measure(bench_t *bench, double seconds, double *batch_ns)
{
    size_t batches = 0;
    size_t next = 0;
    double end_s = now_s(CLOCK_MONOTONIC) + seconds;
    while (batches < BATCHES_MAX && (batches == 0 || now_s(CLOCK_MONOTONIC) < end_s)) {
        double start_s = now_s(CLOCK_PROCESS_CPUTIME_ID);
        for (int i = 0; i < BATCH; i++) {
            if (!evp_verify_token(bench->verify, &bench->tokens[next]))
                fail("a signature is bad");
            next = (next + 1) % bench->token_count;
        }
        batch_ns[batches++] = (now_s(CLOCK_PROCESS_CPUTIME_ID) - start_s) * 1e9 / BATCH;
    }
    qsort(batch_ns, batches, sizeof(batch_ns[0]), compare_doubles);
    return batches;
}

static void deinit(bench_t *bench)
{
    for (size_t i = 0; i < bench->token_count; i++) {
        free(bench->texts[i]);
        free(bench->tokens[i].signature);
    }
    evp_verify_free(bench->verify);
}

int main(int argc, char **argv)
{
    static const struct option OPTIONS[] = {{"key", required_argument, NULL, 'k'},
                                            {"tokens", required_argument, NULL, 't'},
                                            {"seconds", required_argument, NULL, 's'},
                                            {NULL, 0, NULL, 0}};
    static bench_t bench;
    static double batch_ns[BATCHES_MAX];
    const char *key = NULL;
    const char *tokens = NULL;
    double seconds = 1;
    int option;
    while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
        if (option == 'k')
            key = optarg;
        else if (option == 't')
            tokens = optarg;
        else if (option == 's')
            seconds = strtod(optarg, NULL);
        else
            return 64;
    }
    if (key == NULL || tokens == NULL)
        fail("--key and --tokens are needed");
    load_key(&bench, key);
    load_tokens(&bench, tokens);
    check_refusal(&bench);
    size_t batches = measure(&bench, seconds, batch_ns);
    printf("{\"algorithm\":\"%s\",\"cpu_ns\":%.1f,\"batches\":%zu}\n", algorithm_name(bench.algorithm),
           batch_ns[batches / 2], batches);
    deinit(&bench);
    return 0;
}
