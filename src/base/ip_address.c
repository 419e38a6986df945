#include "introspectd/ip_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>

/* RFC 4291 section 2.5.5.2 */
static const unsigned char MAPPED[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

enum { ADDRESS_BITS = 128, MAPPED_BITS = 96 };

_Static_assert(IP_ADDRESS_TEXT_SIZE == INET6_ADDRSTRLEN, "the C library's size");

ip_address_t ip_address_from_v4(const unsigned char bytes[4])
{
    ip_address_t address = {.family = IP_FAMILY_V4};
    memcpy(address.bytes, MAPPED, sizeof(MAPPED));
    memcpy(address.bytes + sizeof(MAPPED), bytes, 4);
    return address;
}

ip_address_t ip_address_from_v6(const unsigned char bytes[16])
{
    ip_address_t address = {.family = IP_FAMILY_V6};
    memcpy(address.bytes, bytes, sizeof(address.bytes));
    if (memcmp(bytes, MAPPED, sizeof(MAPPED)) == 0)
        address.family = IP_FAMILY_V4;
    return address;
}

ip_address_t ip_address_from_sockaddr(const struct sockaddr *address, socklen_t len)
{
    ip_address_t none = {.family = IP_FAMILY_NONE};
    if (len < offsetof(struct sockaddr, sa_data))
        return none;
    /* Copied, since who has a struct sockaddr need not have it aligned for the family. */
    if (address->sa_family == AF_INET && len >= sizeof(struct sockaddr_in)) {
        struct in_addr v4;
        memcpy(&v4, (const char *)address + offsetof(struct sockaddr_in, sin_addr), sizeof(v4));
        return ip_address_from_v4((const unsigned char *)&v4);
    }
    if (address->sa_family == AF_INET6 && len >= sizeof(struct sockaddr_in6)) {
        struct in6_addr v6;
        memcpy(&v6, (const char *)address + offsetof(struct sockaddr_in6, sin6_addr), sizeof(v6));
        return ip_address_from_v6(v6.s6_addr);
    }
    return none;
}

bool ip_address_parse(slice_t text, ip_address_t *out)
{
    char host[INET6_ADDRSTRLEN];
    unsigned char bytes[16];
    if (text.len == 0 || text.len >= sizeof(host) || memchr(text.base, '\0', text.len) != NULL)
        return false;
    memcpy(host, text.base, text.len);
    host[text.len] = '\0';
    if (inet_pton(AF_INET, host, bytes) == 1) {
        *out = ip_address_from_v4(bytes);
        return true;
    }
    if (inet_pton(AF_INET6, host, bytes) != 1)
        return false;
    *out = ip_address_from_v6(bytes);
    return true;
}

/* A decimal number of at most max_digits without leading zeros. */
static bool parse_number(slice_t text, size_t max_digits, unsigned *out)
{
    unsigned number = 0;
    if (text.len == 0 || text.len > max_digits || (text.len > 1 && text.base[0] == '0'))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.base[i] < '0' || text.base[i] > '9')
            return false;
        number = number * 10 + (unsigned)(text.base[i] - '0');
    }
    *out = number;
    return true;
}

bool ip_port_is_valid(slice_t text)
{
    unsigned port;
    return parse_number(text, 5, &port) && port <= UINT16_MAX;
}

/* What stands behind the first len bytes. */
static slice_t behind(slice_t text, size_t len)
{
    return (slice_t){text.base + len, text.len - len};
}

static bool parse_in_brackets(slice_t text, ip_address_t *out)
{
    const char *end = memchr(text.base, ']', text.len);
    if (end == NULL)
        return false;
    slice_t host = {text.base + 1, (size_t)(end - text.base) - 1};
    slice_t rest = behind(text, host.len + 2);
    if (rest.len != 0 && (rest.base[0] != ':' || !ip_port_is_valid(behind(rest, 1))))
        return false;
    return memchr(host.base, ':', host.len) != NULL && ip_address_parse(host, out);
}

bool ip_address_parse_with_port(slice_t text, ip_address_t *out)
{
    if (text.len == 0)
        return false;
    if (text.base[0] == '[')
        return parse_in_brackets(text, out);
    const char *colon = memchr(text.base, ':', text.len);
    size_t host_len = colon == NULL ? text.len : (size_t)(colon - text.base);
    bool has_port = colon != NULL && memchr(text.base, '.', host_len) != NULL;
    if (!has_port)
        return ip_address_parse(text, out);
    return ip_port_is_valid(behind(text, host_len + 1)) &&
           ip_address_parse((slice_t){text.base, host_len}, out);
}

const char *ip_address_text(ip_address_t address, char out[IP_ADDRESS_TEXT_SIZE])
{
    if (address.family == IP_FAMILY_V4)
        inet_ntop(AF_INET, address.bytes + sizeof(MAPPED), out, IP_ADDRESS_TEXT_SIZE);
    else if (address.family == IP_FAMILY_V6)
        inet_ntop(AF_INET6, address.bytes, out, IP_ADDRESS_TEXT_SIZE);
    else
        memcpy(out, "none", sizeof("none"));
    return out;
}

ip_address_t ip_address_of_host(ip_address_t address)
{
    enum { NETWORK_BYTES = 8 };
    if (address.family == IP_FAMILY_V6)
        memset(address.bytes + NETWORK_BYTES, 0, sizeof(address.bytes) - NETWORK_BYTES);
    return address;
}

bool ip_address_equal(ip_address_t a, ip_address_t b)
{
    return a.family == b.family && memcmp(a.bytes, b.bytes, sizeof(a.bytes)) == 0;
}

/* The bits of the i-th byte that the first `bits` bits cover. */
static unsigned char mask_at(unsigned bits, size_t i)
{
    size_t before = i * 8;
    if (bits <= before)
        return 0;
    return (unsigned char)(bits >= before + 8 ? 0xFFu : 0xFF00u >> (bits - before));
}

/* Clears what stands behind the prefix. Whether anything was set there. */
static bool clear_host_bits(ip_prefix_t *prefix)
{
    bool was_set = false;
    for (size_t i = 0; i < sizeof(prefix->address.bytes); i++) {
        unsigned char kept = (unsigned char)(prefix->address.bytes[i] & mask_at(prefix->bits, i));
        was_set = was_set || kept != prefix->address.bytes[i];
        prefix->address.bytes[i] = kept;
    }
    return was_set;
}

/* The bits of the 128 that text, behind the slash, tells. An IPv4 address in IPv6's spelling counts 128. */
static bool parse_bits(slice_t text, bool is_dotted, unsigned *out)
{
    unsigned bits;
    unsigned mapped = is_dotted ? MAPPED_BITS : 0;
    if (!parse_number(text, 3, &bits) || bits > ADDRESS_BITS - mapped)
        return false;
    *out = bits + mapped;
    return true;
}

ip_prefix_fault_t ip_prefix_parse(slice_t text, ip_prefix_t *out)
{
    ip_prefix_t prefix = {.bits = ADDRESS_BITS};
    const char *slash = text.len == 0 ? NULL : memchr(text.base, '/', text.len);
    slice_t host = {text.base, slash == NULL ? text.len : (size_t)(slash - text.base)};
    if (!ip_address_parse(host, &prefix.address))
        return IP_PREFIX_IS_MALFORMED;
    bool is_dotted = memchr(host.base, ':', host.len) == NULL;
    if (slash != NULL && !parse_bits(behind(text, host.len + 1), is_dotted, &prefix.bits))
        return IP_PREFIX_IS_MALFORMED;
    bool has_host_bits = clear_host_bits(&prefix);
    /* A prefix that ends within the mapped form's mark is one of IPv6. */
    if (prefix.bits < MAPPED_BITS)
        prefix.address.family = IP_FAMILY_V6;
    *out = prefix;
    return has_host_bits ? IP_PREFIX_HAS_HOST_BITS : IP_PREFIX_IS_GOOD;
}

const char *ip_prefix_text(const ip_prefix_t *prefix, char out[IP_PREFIX_TEXT_SIZE])
{
    char address[IP_ADDRESS_TEXT_SIZE];
    unsigned mapped = prefix->address.family == IP_FAMILY_V4 ? MAPPED_BITS : 0;
    snprintf(out, IP_PREFIX_TEXT_SIZE, "%s/%u", ip_address_text(prefix->address, address),
             prefix->bits - mapped);
    return out;
}

static bool prefix_matches(const ip_prefix_t *prefix, ip_address_t address)
{
    size_t whole = prefix->bits / 8;
    if (prefix->address.family != address.family || memcmp(prefix->address.bytes, address.bytes, whole) != 0)
        return false;
    return whole == sizeof(address.bytes) ||
           (address.bytes[whole] & mask_at(prefix->bits, whole)) == prefix->address.bytes[whole];
}

bool ip_prefixes_match(const ip_prefix_t *prefixes, size_t count, ip_address_t address)
{
    if (address.family == IP_FAMILY_NONE)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (prefix_matches(&prefixes[i], address))
            return true;
    }
    return false;
}
