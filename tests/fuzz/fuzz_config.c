/*
 * A config file. It is written to the working directory, beside a key set, a certificate and a secret that it
 * may name.
 */
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

static void check_fetch(const config_issuer_t *issuer)
{
    const config_fetch_t *fetch = &issuer->fetch;
    FUZZ_CHECK(issuer->keys == NULL);
    FUZZ_CHECK(fetch->jwks_url == NULL || strchr(fetch->jwks_url, '#') == NULL);
    FUZZ_CHECK(fetch->allow_http ||
               strncasecmp(fetch->jwks_url == NULL ? issuer->rules.issuer : fetch->jwks_url, "https://", 8) ==
                   0);
    FUZZ_CHECK(fetch->connect_timeout_s > 0 && fetch->fetch_timeout_s > 0 && fetch->max_bytes > 0);
    FUZZ_CHECK(fetch->refresh_min_s > 0 && fetch->refresh_min_s <= fetch->refresh_max_s);
    FUZZ_CHECK(fetch->refresh_max_s <= fetch->stale_max_s && fetch->cooldown_s > 0);
}

static void check_config(const config_t *config)
{
    FUZZ_CHECK(config->listener_count > 0 && config->issuer_count > 0 && config->clients.count > 0);
    for (size_t i = 0; i < config->issuer_count; i++) {
        const config_issuer_t *issuer = &config->issuers[i];
        FUZZ_CHECK(config_find_issuer(config, slice_of(issuer->rules.issuer)) == issuer);
        FUZZ_CHECK(issuer->algorithms != 0 && issuer->max_keys_tried > 0);
        if (issuer->jwks_file == NULL)
            check_fetch(issuer);
        else
            FUZZ_CHECK(issuer->keys != NULL && !keyset_slot_is_fetched(issuer->keys));
        FUZZ_CHECK(issuer->rules.audience_is_any || issuer->rules.audience_count > 0);
    }
    for (size_t i = 0; i < config->clients.count; i++)
        FUZZ_CHECK(client_set_find(&config->clients, slice_of(config->clients.clients[i].client_id)) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char JWKS[] = "{\"keys\":[]}", SECRET[] = "a secret of the fuzzer\n",
                      CA[] = "-----BEGIN CERTIFICATE-----\n";
    static bool is_ready;
    if (!is_ready) {
        write_file("jwks.json", JWKS, sizeof(JWKS) - 1);
        write_file("front.secret", SECRET, sizeof(SECRET) - 1);
        write_file("ca.pem", CA, sizeof(CA) - 1);
        is_ready = true;
    }
    write_file("introspectd.yaml", data, size);
    config_error_t error = {""};
    size_t files = 0;
    config_t *config = config_load("introspectd.yaml", count_file, &files, &error);
    FUZZ_CHECK(files > 0);
    if (config != NULL)
        check_config(config);
    else
        FUZZ_CHECK(error.text[0] != '\0' && strchr(error.text, '\n') == NULL);
    config_free(config);
    return 0;
}
