#include "same_origin.h"

#include "introspectd/ip_address.h"

#include <strings.h>

static bool is_alike(slice_t text, slice_t other)
{
    return text.len == other.len && (text.len == 0 || strncasecmp(text.base, other.base, text.len) == 0);
}

static bool is_localhost(slice_t host)
{
    slice_t localhost = slice_of("localhost");
    if (host.len <= localhost.len)
        return is_alike(host, localhost);
    slice_t port = {host.base + localhost.len + 1, host.len - localhost.len - 1};
    return is_alike((slice_t){host.base, localhost.len}, localhost) && host.base[localhost.len] == ':' &&
           ip_port_is_valid(port);
}

bool same_origin_host_is_safe(slice_t host)
{
    ip_address_t address;
    return ip_address_parse_with_port(host, &address) || is_localhost(host);
}

static bool is_origin_of(slice_t origin, slice_t host)
{
    static const char *const SCHEMES[] = {"http://", "https://"};
    for (size_t i = 0; i < sizeof(SCHEMES) / sizeof(SCHEMES[0]); i++) {
        size_t len = strlen(SCHEMES[i]);
        if (origin.len > len && is_alike((slice_t){origin.base, len}, slice_of(SCHEMES[i])) &&
            is_alike((slice_t){origin.base + len, origin.len - len}, host))
            return true;
    }
    return false;
}

bool same_origin_sender_is_own(slice_t host, slice_t origin, slice_t fetch_site)
{
    if (fetch_site.base != NULL && !slice_equal(fetch_site, slice_of("same-origin")) &&
        !slice_equal(fetch_site, slice_of("none")))
        return false;
    return origin.base == NULL || is_origin_of(origin, host);
}
