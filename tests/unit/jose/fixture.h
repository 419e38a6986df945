/*
 * fixture: keys, tokens and collected notes for the tests of this layer. Every function fails the running
 * test when it cannot do its work.
 */
#ifndef JOSE_FIXTURE_H
#define JOSE_FIXTURE_H

#include "introspectd/keyset.h"
#include "introspectd/private_key.h"
#include "introspectd/verify.h"

#include <stdbool.h>
#include <stddef.h>

enum { FIXTURE_NOTES_MAX = 64 };

typedef struct fixture_notes {
    size_t count;
    struct {
        size_t index;
        bool is_skipped;
        char kid[128]; /* "" when absent */
        const char *text;
    } notes[FIXTURE_NOTES_MAX];
} fixture_notes_t;

void fixture_note(void *data, const keyset_note_t *note);

/* The set in a JSON text; notes may be NULL. */
keyset_t *fixture_keyset(const char *json, fixture_notes_t *notes);
/* The set of the public halves (the secrets of `oct` keys) of count keys. */
keyset_t *fixture_public_keyset(private_key_t *const *keys, size_t count);

private_key_t *fixture_generate(algorithm_t algorithm, const char *kid);

/* Text as base64url; free it. */
char *fixture_base64url(const void *bytes, size_t len);

/* header "." payload, both encoded; free it. */
char *fixture_signing_input(const char *header, const char *payload);
/* signing_input "." signature, encoded; free it. */
char *fixture_join(const char *signing_input, const void *signature, size_t len);
/* A whole token signed with key, whatever header says; free it. */
char *fixture_token(const private_key_t *key, algorithm_t algorithm, const char *header, const char *payload);

/* The decoded signature of a token; free it. */
unsigned char *fixture_signature(const char *token, size_t *len);
/* The token with another signature; free it. */
char *fixture_with_signature(const char *token, const void *signature, size_t len);

/* compact_split, compact_parse_header and verify_compact in a row. */
reason_t fixture_verify(verifier_t *verifier, const keyset_t *keyset, algorithm_set_t allowed,
                        const char *token, const jwk_t **used);
/* The same with rules of the test's own. */
reason_t fixture_verify_by(verifier_t *verifier, const keyset_t *keyset, const verify_rules_t *rules,
                           const char *token, const jwk_t **used);

#endif
