#include "access_line.h"

#include "introspectd/clock.h"
#include "introspectd/profile.h"
#include "introspectd/utf8.h"

enum {
    /* The most that one byte becomes, and one character. */
    ESCAPED_MAX = 6,
    CHARACTER_MAX = 2 * ESCAPED_MAX,
    CLIENT_MAX = CLIENT_MAX_ID_BYTES * ESCAPED_MAX,
    ISSUER_MAX = 1024,
    /* All that is of ours: member names, times, numbers, names, an address. */
    REST_MAX = 1024
};

_Static_assert(CLIENT_MAX + ISSUER_MAX + REST_MAX <= ACCESS_LINE_SIZE, "a line has room");

/* Bytes are written one behind the other; the sum above says that they find room. */
typedef struct text {
    char *end;
} text_t;

static void put(text_t *text, slice_t bytes)
{
    memcpy(text->end, bytes.base, bytes.len);
    text->end += bytes.len;
}

#define PUT(text, literal) put(text, (slice_t){literal, sizeof(literal) - 1})

static void put_number(text_t *text, uint64_t number)
{
    char digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    put(text, (slice_t){digits + at, sizeof(digits) - at});
}

static void put_hex4(text_t *text, uint32_t unit)
{
    static const char HEX[] = "0123456789abcdef";
    char escape[ESCAPED_MAX] = {
        '\\', 'u', HEX[unit >> 12 & 15], HEX[unit >> 8 & 15], HEX[unit >> 4 & 15], HEX[unit & 15]};
    put(text, (slice_t){escape, sizeof(escape)});
}

/* The character that bytes begin with, of which *len is the length. */
static uint32_t character_at(slice_t bytes, size_t *len)
{
    const unsigned char *b = (const unsigned char *)bytes.base;
    *len = utf8_valid_char_len(bytes);
    switch (*len) {
    case 1:
        return b[0];
    case 2:
        return (b[0] & 0x1fU) << 6 | (b[1] & 0x3fU);
    case 3:
        return (b[0] & 0x0fU) << 12 | (b[1] & 0x3fU) << 6 | (b[2] & 0x3fU);
    case 4:
        return (b[0] & 0x07U) << 18 | (b[1] & 0x3fU) << 12 | (b[2] & 0x3fU) << 6 | (b[3] & 0x3fU);
    default:
        *len = 1;
        return 0xfffd;
    }
}

static bool is_plain(char c)
{
    return c >= ' ' && c <= '~' && c != '"' && c != '\\';
}

static void put_escaped(text_t *text, uint32_t character)
{
    if (character >= 0x10000) {
        put_hex4(text, 0xd800 + ((character - 0x10000) >> 10));
        put_hex4(text, 0xdc00 + ((character - 0x10000) & 0x3ff));
    } else {
        put_hex4(text, character);
    }
}

/* In quotes; cut on a character's boundary once max bytes are written. */
static void put_string(text_t *text, slice_t value, size_t max)
{
    const char *limit = text->end + max;
    PUT(text, "\"");
    while (value.len > 0 && limit - text->end >= CHARACTER_MAX) {
        size_t len = 1;
        if (is_plain(value.base[0]))
            *text->end++ = value.base[0];
        else
            put_escaped(text, character_at(value, &len));
        value = (slice_t){value.base + len, value.len - len};
    }
    PUT(text, "\"");
}

/* A day's lines begin with the same date: what a second has in common is made once. */
static void put_time(text_t *text, struct timespec time)
{
    static _Thread_local struct {
        int64_t second;
        size_t len;
        char text[CLOCK_RFC3339_SIZE];
    } last;
    if (last.len == 0 || last.second != time.tv_sec) {
        clock_format_rfc3339(time.tv_sec, last.text);
        last.second = time.tv_sec;
        last.len = strcspn(last.text, "Z");
    }
    unsigned ms = (unsigned)(time.tv_nsec / 1000000);
    char fraction[] = {'.', (char)('0' + ms / 100), (char)('0' + ms / 10 % 10), (char)('0' + ms % 10), 'Z'};
    PUT(text, "{\"time\":\"");
    put(text, (slice_t){last.text, last.len});
    put(text, (slice_t){fraction, sizeof(fraction)});
    PUT(text, "\"");
}

static void put_caller(text_t *text, const client_t *client)
{
    if (client == NULL) {
        PUT(text, ",\"client\":null");
        return;
    }
    PUT(text, ",\"client\":");
    put_string(text, slice_of(client->client_id), CLIENT_MAX + CHARACTER_MAX);
    PUT(text, ",\"profile\":\"");
    put(text, slice_of(profile_name(client->profile)));
    PUT(text, "\"");
}

static void put_verdict(text_t *text, const answer_note_t *note, const char *token_name)
{
    if (note->reason != REASON_NONE) {
        PUT(text, ",\"reason\":\"");
        put(text, slice_of(reason_name(note->reason)));
        PUT(text, "\"");
    }
    if (note->issuer != NULL) {
        PUT(text, ",\"issuer\":");
        put_string(text, slice_of(note->issuer->rules.issuer), ISSUER_MAX);
    }
    if (token_name == NULL)
        return;
    PUT(text, ",\"token\":\"");
    put(text, slice_of(token_name));
    PUT(text, "\",\"cached\":");
    put(text, slice_of(note->is_from_cache ? "true" : "false"));
}

static void put_peer(text_t *text, ip_address_t peer)
{
    char address[IP_ADDRESS_TEXT_SIZE];
    if (peer.family == IP_FAMILY_NONE)
        return;
    PUT(text, ",\"peer\":\"");
    put(text, slice_of(ip_address_text(peer, address)));
    PUT(text, "\"");
}

size_t access_line_format(const access_line_t *line, const answer_note_t *note, char out[ACCESS_LINE_SIZE])
{
    text_t text = {out};
    put_time(&text, line->time);
    if (line->is_among_events)
        PUT(&text, ",\"level\":\"info\",\"event\":\"request\"");
    put_caller(&text, note->client);
    PUT(&text, ",\"protocol\":\"");
    put(&text, slice_of(line->is_http2 ? "http2" : "http1"));
    PUT(&text, "\",\"status\":");
    put_number(&text, (uint64_t)note->status);
    PUT(&text, ",\"outcome\":\"");
    put(&text, slice_of(outcome_name(note->outcome)));
    PUT(&text, "\"");
    put_verdict(&text, note, line->token_name);
    PUT(&text, ",\"duration_us\":");
    put_number(&text, note->duration_us > 0 ? (uint64_t)note->duration_us : 0);
    put_peer(&text, line->peer);
    if (line->sample > 1) {
        PUT(&text, ",\"sample\":");
        put_number(&text, line->sample);
    }
    if (line->left_out > 0) {
        PUT(&text, ",\"left_out\":");
        put_number(&text, line->left_out);
    }
    PUT(&text, "}\n");
    return (size_t)(text.end - out);
}
