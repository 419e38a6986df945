/* A token: split, header, payload. What is accepted has one spelling only. */
#include "fuzz.h"

#include "introspectd/base64url.h"
#include "introspectd/compact.h"

/* A part that decodes must encode to itself, or one token would have two cache entries. */
static void check_one_spelling(slice_t part)
{
    unsigned char *bytes = malloc(base64url_decoded_max(part.len));
    size_t len = 0;
    if (bytes != NULL && base64url_decode(part, bytes, &len)) {
        char *text = malloc(base64url_encoded_len(len) + 1);
        if (text != NULL) {
            base64url_encode(bytes, len, text);
            FUZZ_CHECK(slice_equal(slice_of(text), part));
        }
        free(text);
    }
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    compact_t compact;
    if (compact_split((slice_t){(const char *)data, size}, &compact) != REASON_NONE)
        return 0;
    FUZZ_CHECK(compact.signing_input.len + 1 + compact.signature.len == size);
    FUZZ_CHECK(compact.header.len + 1 + compact.payload.len == compact.signing_input.len);
    check_one_spelling(compact.header);
    check_one_spelling(compact.signature);

    compact_header_t header;
    if (compact_parse_header(&compact, &header) == REASON_NONE) {
        FUZZ_CHECK(json_is_object(header.json));
        FUZZ_CHECK(header.algorithm_name.base != NULL);
        FUZZ_CHECK(!header.has_algorithm ||
                   slice_equal(header.algorithm_name, slice_of(algorithm_name(header.algorithm))));
        compact_header_deinit(&header);
    }
    json_t *payload = NULL;
    if (compact_parse_payload(&compact, &payload) == REASON_NONE) {
        FUZZ_CHECK(json_is_object(payload));
        json_decref(payload);
    }
    return 0;
}
