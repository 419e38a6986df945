#include "discovery.h"

#include "url.h"

#include "introspectd/json.h"

#include <stdio.h>
#include <stdlib.h>

bool discovery_is_possible(const char *issuer, bool allow_http)
{
    url_parts_t parts;
    return url_split(slice_of(issuer), allow_http, &parts) && !parts.has_query_or_fragment;
}

char *discovery_url(const char *issuer, discovery_form_t form)
{
    static const char openid[] = "/.well-known/openid-configuration";
    static const char oauth[] = "/.well-known/oauth-authorization-server";
    url_parts_t parts;
    char *url = NULL;
    if (!url_split(slice_of(issuer), true, &parts))
        return NULL;
    int origin_len = (int)parts.origin.len;
    int path_len = (int)parts.path.len;
    if (path_len > 0 && parts.path.base[path_len - 1] == '/')
        path_len--;
    int len = form == DISCOVERY_OPENID
                  ? asprintf(&url, "%.*s%.*s%s", origin_len, issuer, path_len, parts.path.base, openid)
                  : asprintf(&url, "%.*s%s%.*s", origin_len, issuer, oauth, path_len, parts.path.base);
    return len < 0 ? NULL : url;
}

static const char *read_members(const json_t *json, const char *issuer, bool allow_http, char **jwks_uri)
{
    slice_t named = json_get_string(json, "issuer");
    slice_t uri = json_get_string(json, "jwks_uri");
    if (named.base == NULL)
        return "the document has no `issuer`";
    if (!slice_equal(named, slice_of(issuer)))
        return "the document's issuer is another one";
    if (uri.base == NULL)
        return "the document has no `jwks_uri`";
    if (!url_split(uri, allow_http, NULL))
        return allow_http ? "the document's jwks_uri is not an http or https URL"
                          : "the document's jwks_uri is not an https URL";
    /* Printable throughout, so there is no NUL in it. */
    char *copy = strdup(uri.base);
    if (copy == NULL)
        return "out of memory";
    *jwks_uri = copy;
    return NULL;
}

const char *discovery_read(slice_t document, const char *issuer, bool allow_http, char **jwks_uri)
{
    json_t *json = json_parse_object(document);
    if (json == NULL)
        return "the document is not a JSON object";
    const char *problem = read_members(json, issuer, allow_http, jwks_uri);
    json_decref(json);
    return problem;
}
