#include "introspectd/private_key.h"

#include "introspectd/file.h"

#include "command.h"
#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAX_KEY_BYTES = 64 * 1024, KEY_FILE_MODE = 0600 };

static const char USAGE[] =
    "Usage: introspectd keygen --algorithm A [--kid K] [--out FILE]\n"
    "       introspectd keygen --public FILE...\n"
    "\n"
    "The first form makes a signing key and prints it as a private JWK. The second reads private keys (JWK "
    "or\n"
    "PEM, `-` for standard input) and prints the JWK Set of their public halves, which is what an issuer\n"
    "publishes.\n"
    "\n"
    "  --algorithm A  what the key is for: HS256 HS384 HS512 RS256 RS384 RS512 PS256 PS384 PS512 ES256 "
    "ES384\n"
    "                 ES512 EdDSA\n"
    "  --kid K        its key id\n"
    "  --out FILE     write the key to this new file, which only its owner can read\n"
    "  --public       print public halves\n"
    "  --help         this text\n"
    "  --version      the version\n"
    "\n"
    "Exit status: 0, or 78 when a FILE cannot be read or written.\n";

typedef struct options {
    const char *algorithm_name;
    algorithm_t algorithm;
    const char *kid;
    const char *out;
    bool is_public;
    char **files; /* NULL-terminated */
} options_t;

static const char *check_options(options_t *options)
{
    if (options->is_public) {
        if (options->algorithm_name != NULL || options->kid != NULL || options->out != NULL)
            return "--public takes FILEs only";
        return options->files[0] == NULL ? "--public: no FILE" : NULL;
    }
    if (options->files[0] != NULL)
        return "takes options only";
    if (options->algorithm_name == NULL)
        return "--algorithm A is missing";
    if (!algorithm_from_name(slice_of(options->algorithm_name), &options->algorithm))
        return "--algorithm: no such algorithm";
    return NULL;
}

/* COMMAND_CONTINUE, or the exit status. */
static int parse_options(int argc, char **argv, options_t *out)
{
    static const struct option OPTIONS[] = {{"algorithm", required_argument, NULL, 'a'},
                                            {"kid", required_argument, NULL, 'k'},
                                            {"out", required_argument, NULL, 'o'},
                                            {"public", no_argument, NULL, 'p'},
                                            {"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, 'v'},
                                            {NULL, 0, NULL, 0}};
    options_t options = {0};
    int option;
    while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
        switch (option) {
        case 'a':
            options.algorithm_name = optarg;
            break;
        case 'k':
            options.kid = optarg;
            break;
        case 'o':
            options.out = optarg;
            break;
        case 'p':
            options.is_public = true;
            break;
        default:
            return command_common_option(option, argv[0], USAGE);
        }
    }
    options.files = argv + optind;
    const char *problem = check_options(&options);
    if (problem != NULL) {
        fprintf(stderr, "introspectd keygen: %s\n", problem);
        return command_common_option('?', argv[0], USAGE);
    }
    *out = options;
    return COMMAND_CONTINUE;
}

static bool print_json(const json_t *json, FILE *out)
{
    return json_dumpf(json, out, JSON_INDENT(2)) == 0 && fputc('\n', out) != EOF && fflush(out) == 0;
}

/* A new file: overwriting a signing key by mistake cannot be undone. */
static bool write_key(const json_t *json, const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, KEY_FILE_MODE);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    if (file == NULL) {
        fprintf(stderr, "introspectd keygen: %s: %s\n", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return false;
    }
    bool is_written = print_json(json, file);
    is_written = fclose(file) == 0 && is_written;
    if (!is_written) {
        fprintf(stderr, "introspectd keygen: %s: %s\n", path, strerror(errno));
        unlink(path);
    }
    return is_written;
}

static int generate(const options_t *options)
{
    private_key_t *key = private_key_generate(options->algorithm, options->kid);
    json_t *json = key == NULL ? NULL : private_key_to_jwk(key, true);
    int status = 0;
    if (json == NULL) {
        fputs("introspectd keygen: no key could be made (a --kid must be UTF-8)\n", stderr);
        status = EXIT_SOFTWARE;
    } else if (options->out != NULL) {
        status = write_key(json, options->out) ? 0 : EXIT_CONFIG;
    } else if (!print_json(json, stdout)) {
        fprintf(stderr, "introspectd keygen: standard output: %s\n", strerror(errno));
        status = EXIT_OSERR;
    }
    json_decref(json);
    private_key_free(key);
    return status;
}

/* The public half of the key in a file; NULL after saying what is wrong. */
static json_t *read_public(const char *path)
{
    char *text = NULL;
    size_t len = 0;
    int error = input_read(path, MAX_KEY_BYTES, &text, &len);
    if (error != 0) {
        fprintf(stderr, "introspectd keygen: %s: %s\n", path, strerror(error));
        return NULL;
    }
    const char *problem = NULL;
    private_key_t *key = private_key_parse((slice_t){text, len}, &problem);
    file_free_secret(text, len);
    json_t *json = NULL;
    if (key != NULL && private_key_algorithm(key) <= ALGORITHM_HS512)
        problem = "a symmetric key has no public half; the file itself serves as a key set";
    else if (key != NULL && (json = private_key_to_jwk(key, false)) == NULL)
        problem = "out of memory";
    if (json == NULL)
        fprintf(stderr, "introspectd keygen: %s: %s\n", path, problem);
    private_key_free(key);
    return json;
}

static int print_public(char **files)
{
    json_t *keys = json_array();
    json_t *set = json_pack("{s:o}", "keys", keys);
    int status = set == NULL ? EXIT_OSERR : 0;
    for (size_t i = 0; status == 0 && files[i] != NULL; i++) {
        json_t *jwk = read_public(files[i]);
        if (jwk == NULL)
            status = EXIT_CONFIG;
        else if (json_array_append_new(keys, jwk) != 0)
            status = EXIT_OSERR;
    }
    if (status == 0 && !print_json(set, stdout))
        status = EXIT_OSERR;
    if (status == EXIT_OSERR)
        fprintf(stderr, "introspectd keygen: %s\n", strerror(errno));
    json_decref(set);
    return status;
}

int command_keygen(int argc, char **argv)
{
    options_t options = {0};
    int status = parse_options(argc, argv, &options);
    if (status != COMMAND_CONTINUE)
        return status;
    return options.is_public ? print_public(options.files) : generate(&options);
}
