#include "url.h"

#include <stdio.h>
#include <strings.h>

static bool is_printable(char c)
{
    return c > ' ' && c <= '~';
}

static size_t scheme_length(slice_t url, bool allow_http)
{
    static const char https[] = "https://";
    static const char http[] = "http://";
    if (url.len >= sizeof(https) - 1 && strncasecmp(url.base, https, sizeof(https) - 1) == 0)
        return sizeof(https) - 1;
    if (allow_http && url.len >= sizeof(http) - 1 && strncasecmp(url.base, http, sizeof(http) - 1) == 0)
        return sizeof(http) - 1;
    return 0;
}

/* Where the first of the bytes of set stands from `from` on; the end when there is none. */
static size_t find_any(slice_t text, size_t from, const char *set)
{
    size_t i = from;
    while (i < text.len && strchr(set, text.base[i]) == NULL)
        i++;
    return i;
}

bool url_split(slice_t url, bool allow_http, url_parts_t *parts)
{
    if (url.base == NULL)
        return false;
    for (size_t i = 0; i < url.len; i++) {
        if (!is_printable(url.base[i]))
            return false;
    }
    size_t host = scheme_length(url, allow_http);
    size_t path = find_any(url, host, "/?#");
    /* A backslash ends the host for some parsers and not for others. */
    if (host == 0 || path == host || url.base[host] == ':' || find_any(url, host, "@\\") < path)
        return false;
    if (parts != NULL) {
        size_t end = find_any(url, path, "?#");
        parts->origin = (slice_t){url.base, path};
        parts->path = (slice_t){url.base + path, end - path};
        parts->has_query_or_fragment = end < url.len;
    }
    return true;
}

void url_copy_bare(const char *url, char *out)
{
    const char *separator = strstr(url, "://");
    const char *host = separator == NULL ? url : separator + 3;
    /* Everything up to the last '@' goes, so that no reading of the URL leaves a password behind. */
    const char *at = memrchr(host, '@', strcspn(host, "/?#"));
    int scheme_len = host - url < 16 ? (int)(host - url) : 0;
    if (at != NULL)
        host = at + 1;
    size_t len = strcspn(host, "?#");
    snprintf(out, URL_BARE_SIZE, "%.*s%.*s", scheme_len, url,
             (int)(len < URL_BARE_SIZE ? len : URL_BARE_SIZE), host);
    url_make_printable(out);
}

void url_make_printable(char *text)
{
    for (; *text != '\0'; text++) {
        if (!is_printable(*text) && *text != ' ')
            *text = '?';
    }
}
