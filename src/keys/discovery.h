/*
 * discovery: where an issuer says that its keys are.
 *
 * The URLs of the two metadata documents, and the reading of one (OpenID Connect Discovery 1.0 section 4,
 * RFC 8414 section 3). Pure; any thread.
 */
#ifndef KEYS_DISCOVERY_H
#define KEYS_DISCOVERY_H

#include "introspectd/slice.h"

/* OpenID's stands behind the issuer's path, RFC 8414's between host and path. */
typedef enum discovery_form { DISCOVERY_OPENID, DISCOVERY_OAUTH } discovery_form_t;

/*
 * Whether an issuer has such documents: an https URL (http too if allow_http) without userinfo, query and
 * fragment.
 */
bool discovery_is_possible(const char *issuer, bool allow_http);

/* The document's URL; the issuer is one that discovery_is_possible holds of. NULL when memory cannot be had;
 * free with free(). */
char *discovery_url(const char *issuer, discovery_form_t form) __attribute__((warn_unused_result));

/*
 * Takes the `jwks_uri` of a document that names exactly this issuer. Returns NULL with *jwks_uri to free with
 * free(), or a static text that says what is wrong, with *jwks_uri untouched.
 */
const char *discovery_read(slice_t document, const char *issuer, bool allow_http, char **jwks_uri)
    __attribute__((warn_unused_result));

#endif
