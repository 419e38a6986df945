#include "fixture.h"

#include "introspectd/base64url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void fixture_note(void *data, const keyset_note_t *note)
{
    fixture_notes_t *notes = data;
    assert_in_range(notes->count, 0, FIXTURE_NOTES_MAX - 1);
    snprintf(notes->notes[notes->count].kid, sizeof(notes->notes[0].kid), "%.*s", (int)note->kid.len,
             note->kid.base == NULL ? "" : note->kid.base);
    notes->notes[notes->count].index = note->index;
    notes->notes[notes->count].is_skipped = note->is_skipped;
    notes->notes[notes->count].text = note->text;
    notes->count++;
}

keyset_t *fixture_keyset(const char *json, fixture_notes_t *notes)
{
    const char *error = NULL;
    keyset_t *keyset = keyset_parse(slice_of(json), notes == NULL ? NULL : fixture_note, notes, &error);
    if (keyset == NULL)
        fail_msg("%s: %s", error, json);
    return keyset;
}

keyset_t *fixture_public_keyset(private_key_t *const *keys, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *jwk = private_key_to_jwk(keys[i], false);
        assert_non_null(jwk);
        assert_int_equal(json_array_append_new(array, jwk), 0);
    }
    json_t *set = json_pack("{s:o}", "keys", array);
    char *text = json_dumps(set, JSON_COMPACT);
    assert_non_null(text);
    keyset_t *keyset = fixture_keyset(text, NULL);
    assert_int_equal(keyset_size(keyset), count);
    free(text);
    json_decref(set);
    return keyset;
}

private_key_t *fixture_generate(algorithm_t algorithm, const char *kid)
{
    private_key_t *key = private_key_generate(algorithm, kid);
    assert_non_null(key);
    return key;
}

char *fixture_base64url(const void *bytes, size_t len)
{
    char *text = malloc(base64url_encoded_len(len) + 1);
    assert_non_null(text);
    base64url_encode(bytes, len, text);
    return text;
}

static char *joined(const char *left, const char *right)
{
    size_t len = strlen(left) + 1 + strlen(right) + 1;
    char *text = malloc(len);
    assert_non_null(text);
    snprintf(text, len, "%s.%s", left, right);
    return text;
}

char *fixture_signing_input(const char *header, const char *payload)
{
    char *left = fixture_base64url(header, strlen(header));
    char *right = fixture_base64url(payload, strlen(payload));
    char *text = joined(left, right);
    free(left);
    free(right);
    return text;
}

char *fixture_join(const char *signing_input, const void *signature, size_t len)
{
    char *right = fixture_base64url(signature, len);
    char *token = joined(signing_input, right);
    free(right);
    return token;
}

char *fixture_token(const private_key_t *key, algorithm_t algorithm, const char *header, const char *payload)
{
    char *input = fixture_signing_input(header, payload);
    unsigned char *signature = NULL;
    size_t len = 0;
    assert_true(private_key_sign(key, algorithm, slice_of(input), &signature, &len));
    char *token = fixture_join(input, signature, len);
    free(signature);
    free(input);
    return token;
}

unsigned char *fixture_signature(const char *token, size_t *len)
{
    const char *text = strrchr(token, '.') + 1;
    unsigned char *signature = malloc(base64url_decoded_max(strlen(text)));
    assert_non_null(signature);
    assert_true(base64url_decode(slice_of(text), signature, len));
    return signature;
}

char *fixture_with_signature(const char *token, const void *signature, size_t len)
{
    char *input = strndup(token, (size_t)(strrchr(token, '.') - token));
    assert_non_null(input);
    char *other = fixture_join(input, signature, len);
    free(input);
    return other;
}

reason_t fixture_verify(verifier_t *verifier, const keyset_t *keyset, algorithm_set_t allowed,
                        const char *token, const jwk_t **used)
{
    const verify_rules_t rules = {allowed, VERIFY_DEFAULT_KEYS_TRIED};
    return fixture_verify_by(verifier, keyset, &rules, token, used);
}

reason_t fixture_verify_by(verifier_t *verifier, const keyset_t *keyset, const verify_rules_t *rules,
                           const char *token, const jwk_t **used)
{
    compact_t compact;
    compact_header_t header;
    reason_t reason = compact_split(slice_of(token), &compact);
    if (reason != REASON_NONE)
        return reason;
    reason = compact_parse_header(&compact, &header);
    if (reason != REASON_NONE)
        return reason;
    reason = verify_compact(verifier, keyset, rules, &compact, &header, used);
    compact_header_deinit(&header);
    return reason;
}
