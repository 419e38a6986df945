/*
 * What a provider answers: the first line says which issuer was asked, the second to sixth are the fields of
 * the header, the rest is the metadata document.
 */
#include "fuzz.h"

#include "caching.h"
#include "discovery.h"
#include "url.h"

static const char *next_line(char **rest)
{
    char *line = *rest;
    char *end = strchr(line, '\n');
    if (end == NULL)
        return NULL;
    *end = '\0';
    *rest = end + 1;
    return line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (text == NULL)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    char *rest = text;
    const char *issuer = next_line(&rest);
    const char *fields[5] = {NULL};
    for (size_t i = 0; i < 5; i++)
        fields[i] = next_line(&rest);
    const caching_fields_t caching = {fields[0], fields[1], fields[2], fields[3], fields[4]};
    int64_t lifetime_s = 0;
    FUZZ_CHECK(!caching_lifetime(&caching, &lifetime_s) || (lifetime_s >= 0 && lifetime_s <= CACHING_MAX_S));
    int64_t retry_s = caching_retry_after(&caching);
    FUZZ_CHECK(retry_s >= 0 && retry_s <= CACHING_MAX_S);
    char *jwks_uri = NULL;
    if (issuer != NULL && discovery_is_possible(issuer, false)) {
        slice_t document = {rest, size - (size_t)(rest - text)};
        char bare[URL_BARE_SIZE];
        char *url = discovery_url(issuer, DISCOVERY_OAUTH);
        FUZZ_CHECK(url == NULL || url_split(slice_of(url), false, NULL));
        url_copy_bare(issuer, bare);
        free(url);
        if (discovery_read(document, issuer, false, &jwks_uri) == NULL)
            FUZZ_CHECK(url_split(slice_of(jwks_uri), false, NULL));
    }
    free(jwks_uri);
    free(text);
    return 0;
}
