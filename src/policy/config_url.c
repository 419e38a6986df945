#include "config_internal.h"

#include <arpa/inet.h>
#include <strings.h>

enum { MAX_URL_BYTES = 2048 };

static bool is_hex_digit(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_letter_or_digit(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* What no part of a URL may hold. Whatever is legal here means the same to every library that reads it. */
static const char *character_fault(slice_t url)
{
    for (size_t i = 0; i < url.len; i++) {
        char c = url.base[i];
        if (c == ' ')
            return "must not hold white space";
        if (c == '%' && !(i + 2 < url.len && is_hex_digit(url.base[i + 1]) && is_hex_digit(url.base[i + 2])))
            return "must have two hexadecimal digits behind each %";
        if (!is_letter_or_digit(c) && (c == '\0' || strchr("-._~:/?#[]@!$&'()*+,;=%", c) == NULL))
            return "must hold only the characters of a URL (RFC 3986), others percent-encoded";
    }
    return NULL;
}

/* The length of the scheme with its ://, 0 when it is neither https nor http. */
static size_t scheme_len(slice_t url, bool *is_http)
{
    static const char HTTPS[] = "https://";
    static const char HTTP[] = "http://";
    *is_http = url.len >= sizeof(HTTP) - 1 && strncasecmp(url.base, HTTP, sizeof(HTTP) - 1) == 0;
    if (*is_http)
        return sizeof(HTTP) - 1;
    bool is_https = url.len >= sizeof(HTTPS) - 1 && strncasecmp(url.base, HTTPS, sizeof(HTTPS) - 1) == 0;
    return is_https ? sizeof(HTTPS) - 1 : 0;
}

static slice_t slice_behind(slice_t text, size_t len)
{
    return (slice_t){text.base + len, text.len - len};
}

static bool is_ipv6(slice_t text)
{
    char host[INET6_ADDRSTRLEN];
    struct in6_addr binary;
    if (text.len >= sizeof(host))
        return false;
    memcpy(host, text.base, text.len);
    host[text.len] = '\0';
    return inet_pton(AF_INET6, host, &binary) == 1;
}

static const char *port_fault(slice_t rest)
{
    uint16_t port;
    if (rest.len == 0)
        return NULL;
    if (rest.base[0] != ':' || !config_parse_port(slice_behind(rest, 1), &port) || port == 0)
        return "must have nothing but a port from 1 to 65535 behind its host";
    return NULL;
}

static const char *authority_fault(slice_t authority)
{
    if (memchr(authority.base, '@', authority.len) != NULL)
        return "must not hold a user name or a password";
    size_t host_len = 0;
    if (authority.len > 0 && authority.base[0] == '[') {
        const char *end = memchr(authority.base, ']', authority.len);
        host_len = end == NULL ? 0 : (size_t)(end - authority.base);
        if (end == NULL || !is_ipv6((slice_t){authority.base + 1, host_len - 1}))
            return "must have an IPv6 address in its brackets";
        return port_fault(slice_behind(authority, host_len + 1));
    }
    while (host_len < authority.len && authority.base[host_len] != ':') {
        char c = authority.base[host_len++];
        if (!is_letter_or_digit(c) && c != '-' && c != '.' && c != '_')
            return "must have a host of letters, digits, - and .";
    }
    if (host_len == 0)
        return "must have a host";
    return port_fault(slice_behind(authority, host_len));
}

const char *config_url_fault(slice_t url, bool allow_http, bool may_have_query)
{
    if (url.len > MAX_URL_BYTES)
        return "must have at most 2048 bytes";
    bool is_http;
    size_t scheme = scheme_len(url, &is_http);
    if (scheme == 0)
        return "must be a URL that begins with https://";
    if (is_http && !allow_http)
        return "must begin with https://; http:// is only legal with allow_http: true";
    const char *fault = character_fault(url);
    if (fault != NULL)
        return fault;
    slice_t rest = slice_behind(url, scheme);
    size_t authority = 0;
    while (authority < rest.len && strchr("/?#", rest.base[authority]) == NULL)
        authority++;
    fault = authority_fault((slice_t){rest.base, authority});
    if (fault != NULL)
        return fault;
    rest = slice_behind(rest, authority);
    if (memchr(rest.base, '#', rest.len) != NULL)
        return "must not have a fragment";
    if (!may_have_query && memchr(rest.base, '?', rest.len) != NULL)
        return "must not have a query";
    return NULL;
}
