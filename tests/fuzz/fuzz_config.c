/* A config file, written to the working directory beside what it may name. */
#include "fuzz.h"

#include "introspectd/config.h"

#include <stdio.h>
#include <strings.h>

static void write_file(const char *path, const void *bytes, size_t len)
{
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(bytes, 1, len, file) != len || fclose(file) != 0) {
        perror(path);
        abort();
    }
}

static void count_file(void *data, const char *path)
{
    size_t *count = data;
    FUZZ_CHECK(path[0] == '/');
    (*count)++;
}

static void check_issuer(const config_t *config, const config_issuer_t *issuer)
{
    const config_fetch_t *fetch = &issuer->fetch;
    const char *place = fetch->jwks_url == NULL ? issuer->rules.issuer : fetch->jwks_url;
    FUZZ_CHECK(config_find_issuer(config, slice_of(issuer->rules.issuer)) == issuer);
    FUZZ_CHECK(issuer->algorithms != 0 && issuer->max_keys_tried > 0);
    FUZZ_CHECK(issuer->rules.audience_is_any || issuer->rules.audience_count > 0);
    FUZZ_CHECK((issuer->jwks_file == NULL) == (issuer->keys == NULL));
    if (issuer->jwks_file != NULL)
        return;
    FUZZ_CHECK(fetch->allow_http || strncasecmp(place, "https://", 8) == 0);
    FUZZ_CHECK(fetch->refresh_min_s > 0 && fetch->refresh_min_s <= fetch->refresh_max_s);
    FUZZ_CHECK(fetch->refresh_max_s <= fetch->stale_max_s && fetch->cooldown_s > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char JWKS[] = "{\"keys\":[]}", SECRET[] = "a secret of the fuzzer\n",
                      CA[] = "-----BEGIN CERTIFICATE-----\n";
    write_file("jwks.json", JWKS, sizeof(JWKS) - 1);
    write_file("front.secret", SECRET, sizeof(SECRET) - 1);
    write_file("ca.pem", CA, sizeof(CA) - 1);
    write_file("introspectd.yaml", data, size);
    config_error_t error = {""};
    size_t files = 0;
    config_t *config = config_load("introspectd.yaml", count_file, &files, &error);
    FUZZ_CHECK(files > 0);
    FUZZ_CHECK(config != NULL || (error.text[0] != '\0' && strchr(error.text, '\n') == NULL));
    for (size_t i = 0; config != NULL && i < config->issuer_count; i++)
        check_issuer(config, &config->issuers[i]);
    config_free(config);
    return 0;
}
