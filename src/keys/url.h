/*
 * url: as much of a URL (RFC 3986) as has to be known before it is fetched or shown.
 *
 * libcurl has the last word on what a URL means; here only what is surely not wanted is refused. Pure; any
 * thread.
 */
#ifndef KEYS_URL_H
#define KEYS_URL_H

#include "introspectd/slice.h"

/* Borrowed from the URL. */
typedef struct url_parts {
    slice_t origin; /* scheme, "://" and authority, without the path */
    slice_t path;   /* from the first '/', may be empty */
    bool has_query_or_fragment;
} url_parts_t;

/*
 * Whether url is an absolute https URL (http too if allow_http) with a host, without userinfo, of printable
 * ASCII without spaces; its parts are then in *parts, which may be NULL.
 */
bool url_split(slice_t url, bool allow_http, url_parts_t *parts);

enum { URL_BARE_SIZE = 256 };

/* Writes the URL without userinfo, query and fragment into out, which holds URL_BARE_SIZE bytes: cut to fit,
 * and printable ASCII only. */
void url_copy_bare(const char *url, char *out);

/* Replaces what is not printable ASCII, so that a text of a stranger's can be logged. */
void url_make_printable(char *text);

#endif
