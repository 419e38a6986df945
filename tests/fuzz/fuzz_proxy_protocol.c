/* The beginning of a connection behind a proxy. What it is does not depend on how it is cut into reads. */
#include "fuzz.h"

#include "proxy_protocol.h"

#include <string.h>

static proxy_header_t parse(const uint8_t *data, size_t size)
{
    char *copy = malloc(size + 1); /* what is read behind the bytes is seen */
    if (copy == NULL)
        return (proxy_header_t){.status = PROXY_HEADER_NEED_MORE};
    if (size != 0)
        memcpy(copy + 1, data, size);
    proxy_header_t header = proxy_protocol_parse((slice_t){copy + 1, size});
    free(copy);
    return header;
}

static void check_header(const proxy_header_t *header, size_t size)
{
    char text[IP_ADDRESS_TEXT_SIZE];
    bool is_client = header->origin == PROXY_HEADER_ORIGIN_CLIENT;
    FUZZ_CHECK(header->len <= size && header->len <= PROXY_PROTOCOL_V2_MAX_BYTES);
    FUZZ_CHECK(is_client == (header->source.family != IP_FAMILY_NONE));
    ip_address_t again;
    FUZZ_CHECK(ip_address_parse(slice_of(ip_address_text(header->source, text)), &again) == is_client);
    FUZZ_CHECK(!is_client || ip_address_equal(again, header->source));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 2 * (size_t)PROXY_PROTOCOL_V2_MAX_BYTES)
        return 0;
    proxy_header_t whole = parse(data, size);
    FUZZ_CHECK((whole.status == PROXY_HEADER_BAD) == (whole.problem != NULL));
    if (whole.status == PROXY_HEADER_NEED_MORE) {
        FUZZ_CHECK(size < PROXY_PROTOCOL_V2_MAX_BYTES);
        for (size_t len = 0; len < size; len++)
            FUZZ_CHECK(parse(data, len).status == PROXY_HEADER_NEED_MORE);
        return 0;
    }
    if (whole.status == PROXY_HEADER_BAD) {
        for (size_t len = 0; len < size; len++)
            FUZZ_CHECK(parse(data, len).status != PROXY_HEADER_DONE);
        return 0;
    }
    check_header(&whole, size);
    /* The header alone, without what the client sent. */
    FUZZ_CHECK(parse(data, whole.len).len == whole.len);
    for (size_t len = 0; len < whole.len; len++)
        FUZZ_CHECK(parse(data, len).status == PROXY_HEADER_NEED_MORE);
    return 0;
}
