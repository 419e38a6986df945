/*
 * Signs with libjwt what libjwt can sign. libjwt 1.10 knows neither PS* nor EdDSA, and its every token has
 * the `typ` JWT, whatever it was given; other tokens are put together here.
 */
#include "introspectd/base64url.h"
#include "introspectd/clock.h"
#include "introspectd/file.h"
#include "introspectd/json.h"
#include "introspectd/private_key.h"

#include "command.h"
#include "input.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <jwt.h>

/* libjwt 1.10 builds tokens on the stack: a megabyte of claims is safe there, eight are not. */
enum { MAX_KEY_BYTES = 64 * 1024, MAX_JSON_BYTES = 1024 * 1024 };

static const char USAGE[] =
    "Usage: introspectd mint --key FILE --claims FILE [OPTIONS]\n"
    "\n"
    "Signs a token and prints it, for trying things out. A FILE `-` is standard input.\n"
    "\n"
    "  --key FILE       the private key: a JWK or PEM\n"
    "  --claims FILE    the claims: a JSON object\n"
    "  --algorithm A    how to sign; by default what the key is for\n"
    "  --kid K          the header's key id; by default the key's own\n"
    "  --typ T          the header's type; by default at+jwt, none when T is empty\n"
    "  --header FILE    more members of the header: a JSON object without alg\n"
    "  --expires-in S   set `exp` S seconds from now, and `iat` to now when the claims have none\n"
    "  --help           this text\n"
    "  --version        the version\n"
    "\n"
    "Exit status: 0, or 78 when a FILE cannot be used.\n";

typedef struct options {
    const char *key;
    const char *claims;
    const char *header;
    const char *algorithm; /* NULL: the key's */
    const char *kid;       /* NULL: the header file's, else the key's */
    const char *typ;       /* NULL: the header file's, else at+jwt */
    bool has_expiry;
    int64_t expires_in_s;
} options_t;

/* Far from where adding to the clock could overflow. */
enum { EXPIRY_MAX_S = 1000000000 };

static bool parse_seconds(const char *text, int64_t *out)
{
    char *end = NULL;
    errno = 0;
    intmax_t value = strtoimax(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value > EXPIRY_MAX_S || value < -(intmax_t)EXPIRY_MAX_S)
        return false;
    *out = value;
    return true;
}

static const char *check_options(const options_t *options)
{
    if (options->key == NULL)
        return "--key FILE is missing";
    if (options->claims == NULL)
        return "--claims FILE is missing";
    int from_stdin = (strcmp(options->key, "-") == 0) + (strcmp(options->claims, "-") == 0) +
                     (options->header != NULL && strcmp(options->header, "-") == 0);
    return from_stdin > 1 ? "only one FILE can be standard input" : NULL;
}

/* COMMAND_CONTINUE, or the exit status. */
static int parse_options(int argc, char **argv, options_t *out)
{
    static const struct option OPTIONS[] = {
        {"key", required_argument, NULL, 'K'},        {"claims", required_argument, NULL, 'c'},
        {"header", required_argument, NULL, 'H'},     {"algorithm", required_argument, NULL, 'a'},
        {"kid", required_argument, NULL, 'k'},        {"typ", required_argument, NULL, 't'},
        {"expires-in", required_argument, NULL, 'e'}, {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},          {NULL, 0, NULL, 0}};
    options_t options = {0};
    const char *problem = NULL;
    int option;
    while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
        switch (option) {
        case 'K':
            options.key = optarg;
            break;
        case 'c':
            options.claims = optarg;
            break;
        case 'H':
            options.header = optarg;
            break;
        case 'a':
            options.algorithm = optarg;
            break;
        case 'k':
            options.kid = optarg;
            break;
        case 't':
            options.typ = optarg;
            break;
        case 'e':
            options.has_expiry = true;
            if (!parse_seconds(optarg, &options.expires_in_s))
                problem = "--expires-in: not a number of seconds";
            break;
        default:
            return command_common_option(option, argv[0], USAGE);
        }
    }
    if (problem == NULL)
        problem = optind != argc ? "takes options only" : check_options(&options);
    if (problem != NULL) {
        fprintf(stderr, "introspectd mint: %s\n", problem);
        return command_common_option('?', argv[0], USAGE);
    }
    *out = options;
    return COMMAND_CONTINUE;
}

static void complain(const char *subject, const char *problem)
{
    fprintf(stderr, "introspectd mint: %s: %s\n", subject, problem);
}

/* NULL after saying what is wrong. */
static json_t *read_object(const char *path)
{
    char *text = NULL;
    size_t len = 0;
    int error = input_read(path, MAX_JSON_BYTES, &text, &len);
    if (error != 0) {
        complain(path, strerror(error));
        return NULL;
    }
    json_t *json = json_parse_object((slice_t){text, len});
    file_free_secret(text, len);
    if (json == NULL)
        complain(path, "not a JSON object (or members are repeated, or it is nested too deeply)");
    return json;
}

static private_key_t *read_key(const char *path)
{
    char *text = NULL;
    size_t len = 0;
    int error = input_read(path, MAX_KEY_BYTES, &text, &len);
    if (error != 0) {
        complain(path, strerror(error));
        return NULL;
    }
    const char *problem = NULL;
    private_key_t *key = private_key_parse((slice_t){text, len}, &problem);
    file_free_secret(text, len);
    if (key == NULL)
        complain(path, problem);
    return key;
}

static json_t *build_claims(const options_t *options)
{
    json_t *claims = read_object(options->claims);
    if (claims == NULL || !options->has_expiry)
        return claims;
    int64_t now = clock_now_s();
    if (json_object_set_new(claims, "exp", json_integer(now + options->expires_in_s)) == 0 &&
        (json_object_get(claims, "iat") != NULL ||
         json_object_set_new(claims, "iat", json_integer(now)) == 0))
        return claims;
    complain(options->claims, "out of memory");
    json_decref(claims);
    return NULL;
}

/* Sets a member that an option gives, or that has a default and is not there; an empty typ goes. */
static bool set_member(json_t *header, const char *name, const char *given, const char *fallback)
{
    const char *value = given;
    if (value == NULL && json_object_get(header, name) == NULL)
        value = fallback;
    return value == NULL || json_object_set_new(header, name, json_string(value)) == 0;
}

/* The header without alg. */
static json_t *build_header(const options_t *options, const private_key_t *key)
{
    json_t *header = options->header == NULL ? json_object() : read_object(options->header);
    if (header == NULL)
        return NULL;
    const char *problem = NULL;
    if (json_object_get(header, "alg") != NULL)
        problem = "has `alg`, which --algorithm sets";
    else if (!set_member(header, "typ", options->typ, "at+jwt") ||
             !set_member(header, "kid", options->kid, private_key_kid(key)))
        problem = "--kid or --typ is not UTF-8";
    if (problem != NULL) {
        complain(options->header == NULL ? "header" : options->header, problem);
        json_decref(header);
        return NULL;
    }
    if (options->typ != NULL && options->typ[0] == '\0')
        json_object_del(header, "typ");
    return header;
}

/* The algorithm of --algorithm or of the key; false after saying what is wrong. */
static bool choose_algorithm(const options_t *options, const private_key_t *key, algorithm_t *out)
{
    if (options->algorithm == NULL) {
        *out = private_key_algorithm(key);
        return true;
    }
    if (!algorithm_from_name(slice_of(options->algorithm), out)) {
        complain("--algorithm", "no such algorithm");
        return false;
    }
    if (!private_key_fits(key, *out)) {
        complain("--algorithm", "the key is not for this algorithm");
        return false;
    }
    return true;
}

static jwt_alg_t libjwt_algorithm(algorithm_t algorithm)
{
    switch (algorithm) {
    case ALGORITHM_HS256:
        return JWT_ALG_HS256;
    case ALGORITHM_HS384:
        return JWT_ALG_HS384;
    case ALGORITHM_HS512:
        return JWT_ALG_HS512;
    case ALGORITHM_RS256:
        return JWT_ALG_RS256;
    case ALGORITHM_RS384:
        return JWT_ALG_RS384;
    case ALGORITHM_RS512:
        return JWT_ALG_RS512;
    case ALGORITHM_ES256:
        return JWT_ALG_ES256;
    case ALGORITHM_ES384:
        return JWT_ALG_ES384;
    case ALGORITHM_ES512:
        return JWT_ALG_ES512;
    default:
        return JWT_ALG_NONE;
    }
}

static char *sign_with_libjwt(const private_key_t *key, jwt_alg_t algorithm, const json_t *header,
                              const json_t *claims)
{
    char *token = NULL;
    char *secret = NULL;
    size_t secret_len = 0;
    jwt_t *jwt = NULL;
    char *header_text = json_dumps(header, JSON_COMPACT);
    char *claims_text = json_dumps(claims, JSON_COMPACT);
    if (header_text != NULL && claims_text != NULL && private_key_export(key, &secret, &secret_len) &&
        jwt_new(&jwt) == 0 && jwt_add_headers_json(jwt, header_text) == 0 &&
        jwt_add_grants_json(jwt, claims_text) == 0 &&
        jwt_set_alg(jwt, algorithm, (const unsigned char *)secret, (int)secret_len) == 0)
        token = jwt_encode_str(jwt);
    jwt_free(jwt);
    file_free_secret(secret, secret_len);
    free(claims_text);
    free(header_text);
    return token;
}

/* The parts' base64url with a dot between them; NULL out of memory. */
static char *join(const void *left, size_t left_len, const void *right, size_t right_len)
{
    size_t left_size = base64url_encoded_len(left_len);
    char *text = malloc(left_size + 1 + base64url_encoded_len(right_len) + 1);
    if (text == NULL)
        return NULL;
    base64url_encode(left, left_len, text);
    text[left_size] = '.';
    base64url_encode(right, right_len, text + left_size + 1);
    return text;
}

static char *signing_input(const json_t *header, const json_t *claims)
{
    char *input = NULL;
    char *header_text = json_dumps(header, JSON_COMPACT);
    char *claims_text = json_dumps(claims, JSON_COMPACT);
    if (header_text != NULL && claims_text != NULL)
        input = join(header_text, strlen(header_text), claims_text, strlen(claims_text));
    free(claims_text);
    free(header_text);
    return input;
}

static char *sign_here(const private_key_t *key, algorithm_t algorithm, json_t *header, const json_t *claims)
{
    if (json_object_set_new(header, "alg", json_string(algorithm_name(algorithm))) != 0)
        return NULL;
    char *token = NULL;
    unsigned char *signature = NULL;
    size_t len = 0;
    char *input = signing_input(header, claims);
    if (input != NULL && private_key_sign(key, algorithm, slice_of(input), &signature, &len)) {
        size_t input_len = strlen(input);
        token = malloc(input_len + 1 + base64url_encoded_len(len) + 1);
        if (token != NULL) {
            memcpy(token, input, input_len);
            token[input_len] = '.';
            base64url_encode(signature, len, token + input_len + 1);
        }
    }
    free(signature);
    free(input);
    return token;
}

static int mint(const private_key_t *key, algorithm_t algorithm, json_t *header, const json_t *claims)
{
    jwt_alg_t libjwt = libjwt_algorithm(algorithm);
    bool has_its_typ = slice_equal(json_get_string(header, "typ"), slice_of("JWT"));
    char *token = libjwt != JWT_ALG_NONE && has_its_typ ? sign_with_libjwt(key, libjwt, header, claims)
                                                        : sign_here(key, algorithm, header, claims);
    if (token == NULL) {
        fputs("introspectd mint: the token could not be signed\n", stderr);
        return EXIT_SOFTWARE;
    }
    int status = puts(token) != EOF && fflush(stdout) == 0 ? 0 : EXIT_OSERR;
    free(token);
    return status;
}

int command_mint(int argc, char **argv)
{
    options_t options = {0};
    int status = parse_options(argc, argv, &options);
    if (status != COMMAND_CONTINUE)
        return status;

    status = EXIT_CONFIG;
    json_t *claims = NULL;
    json_t *header = NULL;
    algorithm_t algorithm;
    private_key_t *key = read_key(options.key);
    if (key == NULL)
        goto cleanup;
    if (!choose_algorithm(&options, key, &algorithm)) {
        status = EXIT_USAGE;
        goto cleanup;
    }
    claims = build_claims(&options);
    header = claims == NULL ? NULL : build_header(&options, key);
    if (header != NULL)
        status = mint(key, algorithm, header, claims);
cleanup:
    json_decref(header);
    json_decref(claims);
    private_key_free(key);
    return status;
}
