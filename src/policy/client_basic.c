#include "introspectd/client.h"
#include "introspectd/form.h"

#include <assert.h>
#include <strings.h>

/* What the request sent is at the beginning of the buffer, its decoded spelling, which is shorter, right
 * behind. */
enum { HALF = CLIENT_BASIC_BUFFER_SIZE / 2 };

/* Form-encoding turns one byte into three at most. */
static_assert(HALF >= 3 * CLIENT_MAX_ID_BYTES + 1 + 3 * CLIENT_MAX_SECRET_BYTES,
              "the longest credentials fit");

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+')
        return 62;
    return c == '/' ? 63 : -1;
}

/* Padding may be left out, as some callers do; where there is any, it must be right. */
static bool strip_padding(slice_t *text)
{
    size_t padding = 0;

    while (padding < 2 && padding < text->len && text->base[text->len - 1 - padding] == '=')
        padding++;
    if (padding != 0 && text->len % 4 != 0)
        return false;
    text->len -= padding;
    return text->len % 4 != 1;
}

/* RFC 4648 section 4, strictly: no other characters, no non-zero trailing bits. out holds HALF bytes. */
static bool decode_base64(slice_t text, char *out, size_t *out_len)
{
    unsigned bits = 0;
    unsigned bit_count = 0;
    size_t len = 0;

    if (!strip_padding(&text) || text.len / 4 * 3 + 2 > HALF)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        int value = base64_value(text.base[i]);
        if (value < 0)
            return false;
        bits = (bits << 6 | (unsigned)value) & 0xFFFF;
        bit_count += 6;
        if (bit_count >= 8) {
            bit_count -= 8;
            out[len++] = (char)(bits >> bit_count & 0xFF);
        }
    }
    if ((bits & ((1U << bit_count) - 1)) != 0)
        return false;
    *out_len = len;
    return true;
}

/* RFC 7617 section 2 allows none in user-id and password. */
static bool has_control(slice_t text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.base[i];
        if (byte < 0x20 || byte == 0x7F)
            return true;
    }
    return false;
}

static bool decode_part(slice_t part, char *out, slice_t *decoded)
{
    decoded->base = out;
    return form_decode(part, out, &decoded->len) && !has_control(*decoded);
}

static void add_second_spelling(client_credentials_t *credentials, char *room)
{
    slice_t client_id;
    slice_t client_secret;

    if (!form_is_encoded(credentials->client_id) && !form_is_encoded(credentials->client_secret))
        return;
    if (!decode_part(credentials->client_id, room, &client_id) ||
        !decode_part(credentials->client_secret, room + credentials->client_id.len, &client_secret))
        return;
    credentials->decoded_client_id = client_id;
    credentials->decoded_client_secret = client_secret;
}

client_basic_t client_parse_basic(slice_t header_value, char *buffer, client_credentials_t *out)
{
    static const char scheme[] = "Basic";
    const size_t scheme_len = sizeof(scheme) - 1;
    slice_t text = header_value;

    if (text.len < scheme_len || strncasecmp(text.base, scheme, scheme_len) != 0 ||
        (text.len > scheme_len && text.base[scheme_len] != ' '))
        return CLIENT_BASIC_OTHER_SCHEME;
    text.base += scheme_len;
    text.len -= scheme_len;
    for (; text.len != 0 && text.base[0] == ' '; text.base++)
        text.len--;

    slice_t pair = {buffer, 0};
    if (!decode_base64(text, buffer, &pair.len) || has_control(pair))
        return CLIENT_BASIC_MALFORMED;
    const char *colon = memchr(pair.base, ':', pair.len);
    if (colon == NULL || colon == pair.base)
        return CLIENT_BASIC_MALFORMED;

    size_t id_len = (size_t)(colon - pair.base);
    client_credentials_t credentials = {
        .client_id = {pair.base, id_len},
        .client_secret = {colon + 1, pair.len - id_len - 1},
    };
    add_second_spelling(&credentials, buffer + pair.len);
    *out = credentials;
    return CLIENT_BASIC_OK;
}
