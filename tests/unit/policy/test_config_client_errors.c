#include "config_refusal.h"

static void test_clients(void **state)
{
    static const char LONG[] = "0123456789012345678901234567890123456789012345678901234567890123"
                               "0123456789012345678901234567890123456789012345678901234567890123"
                               "0123456789012345678901234567890123456789012345678901234567890123"
                               "0123456789012345678901234567890123456789012345678901234567890123";
    static const refusal_t CHANGES[] = {
        {"front\n", "''\n", ":9: clients[0].client_id: must not be empty"},
        {"front\n", "[]\n", ":9: clients[0].client_id: must be a single value, not a list or a mapping"},
        {"front\n", "\"a\\tb\"\n", ":9: clients[0].client_id: must not hold control characters"},
        {"front\n", "fr\xC3\xB6nt\n", ":9: clients[0].client_id: must hold only printable ASCII characters"},
        {"", "  - { client_id: front, client_secret_files: [front.secret], profile: rfc7662 }\n",
         ":12: clients[1].client_id: \"front\" is the client_id of clients[0] already"},
        {"front_private", "front",
         ":11: clients[0].profile: must be one of front_private, front_shared, rfc7662, not \"front\""},
        {"front_private", "[rfc7662]",
         ":11: clients[0].profile: must be a single value, not a list or a mapping"},
        {"front_private\n", "front_private\n    issuers: https://idp.example.com/\n",
         ":12: clients[0].issuers: must be a list"},
        {"front_private\n", "front_private\n    issuers: []\n", ":12: clients[0].issuers: must not be empty"},
        {"front_private\n", "front_private\n    issuers: [https://idp.example.com]\n",
         ":12: clients[0].issuers[0]: \"https://idp.example.com\" is not among the issuers of this file"},
        {"front_private\n", "front_private\n    issuers: [a, a]\n",
         ":12: clients[0].issuers[0]: \"a\" is not among the issuers of this file"},
        {"front_private\n", "front_private\n    inactive_status: 204\n",
         ":12: clients[0].inactive_status: must be 200 or 401"},
        {"front_private\n", "front_private\n    inactive_status: '200'\n",
         ":12: clients[0].inactive_status: must be 200 or 401"},
        {"front_private\n", "front_private\n    inactive_status: [200]\n",
         ":12: clients[0].inactive_status: must be 200 or 401"},
    };
    REFUSAL_APPLY_ALL(CHANGES);

    char id[300];
    snprintf(id, sizeof(id), "%s\n", LONG);
    refusal_apply(*state, &(refusal_t){"front\n", id,
                                       ":9: clients[0].client_id: must have at most 255 bytes, not 256"});
}

static void test_repeated_allowed_issuer(void **state)
{
    refusal_apply(
        *state,
        &(refusal_t){
            "clients:\n",
            "  - { issuer: b, jwks_file: jwks.json, algorithms: [RS256], audience: any }\n"
            "clients:\n"
            "  - { client_id: x, client_secret_files: [front.secret], profile: rfc7662, issuers: [b, b] }\n",
            ":10: clients[0].issuers[1]: \"b\" is given twice"});
}

static void test_secrets(void **state)
{
    const fixture_t *fixture = *state;
    fixture_write(fixture, "empty", "");
    fixture_write(fixture, "newline", "\r\n");
    fixture_write_bytes(fixture, "nul", FIXTURE_SECRET "\0x\n", sizeof(FIXTURE_SECRET "\0x\n") - 1);
    char text[4097];
    memset(text, 's', sizeof(text));
    memcpy(text, FIXTURE_SECRET, sizeof(FIXTURE_SECRET) - 1);
    fixture_write_bytes(fixture, "long", text, CLIENT_MAX_SECRET_BYTES + 1);
    fixture_write_bytes(fixture, "edge", text, sizeof(text) - 1);
    fixture_write_bytes(fixture, "huge", text, sizeof(text));
    static const refusal_t CHANGES[] = {
        {"[front.secret]", "front.secret", ":10: clients[0].client_secret_files: must be a list"},
        {"[front.secret]", "[]", ":10: clients[0].client_secret_files: must not be empty"},
        {"[front.secret]", "['']", ":10: clients[0].client_secret_files[0]: must not be empty"},
        {"[front.secret]", "[a, b, c, d, e]",
         ":10: clients[0].client_secret_files: must have at most 4 items, not 5"},
        {"[front.secret]", "[empty]", ":10: clients[0].client_secret_files[0]: the secret is empty"},
        {"[front.secret]", "[front.secret, newline]",
         ":10: clients[0].client_secret_files[1]: the secret is empty"},
        {"[front.secret]", "[nul]", ":10: clients[0].client_secret_files[0]: the secret holds a NUL byte"},
        {"[front.secret]", "[long]",
         ":10: clients[0].client_secret_files[0]: the secret is longer than 1024 bytes"},
        {"[front.secret]", "[edge]",
         ":10: clients[0].client_secret_files[0]: the secret is longer than 1024 bytes"},
        {"[front.secret]", "[huge]",
         ":10: clients[0].client_secret_files[0]: the file of the secret is over 4 KiB"},
        /* The secret itself in the place of its file's name, in each place where a slip can put it. */
        {"[front.secret]", "[" FIXTURE_SECRET "]",
         ":10: clients[0].client_secret_files[0]: cannot read the file of the secret: No such file or "
         "directory"},
        {"[front.secret]", FIXTURE_SECRET, ":10: clients[0].client_secret_files: must be a list"},
        {"client_secret_files: [front.secret]", "client_secret: " FIXTURE_SECRET,
         ":10: clients[0].client_secret: unknown key; did you mean client_secret_files?"},
    };
    REFUSAL_APPLY_ALL(CHANGES);
}

static void test_fields(void **state)
{
    static const char OLD[] = "front_private\n";
    static const refusal_t CHANGES[] = {
        {OLD, "front_private\n    fields:\n", ":12: clients[0].fields: must be a mapping"},
        {OLD, "front_private\n    fields: [a]\n", ":12: clients[0].fields: must be a mapping"},
        {OLD, "front_private\n    fields:\n      active: a\n",
         ":13: clients[0].fields.active: is not a member that profile front_private can have"},
        {OLD, "front_private\n    fields:\n      x: y\n      resource_owner_id: a\n",
         ":14: clients[0].fields.resource_owner_id: is not a member that profile front_private can have"},
        {OLD, "rfc7662\n    fields: { active: a }\n",
         ":12: clients[0].fields.active: is not a member that profile rfc7662 can have"},
        {OLD, "front_private\n    fields: { '': a }\n",
         ":12: clients[0].fields[\"\"]: a key must not be empty"},
        {OLD, "front_private\n    fields: { \"a\\n\": a }\n",
         ":12: clients[0].fields[\"a?\"]: a member's name must not hold control characters"},
        {OLD, "front_private\n    fields:\n      x: y\n      x: z\n",
         ":14: clients[0].fields.x: given twice (first on line 13)"},
        {OLD, "front_private\n    fields:\n      x:\n", ":13: clients[0].fields.x: must have a value"},
        {OLD, "front_private\n    fields:\n      x: ''\n", ":13: clients[0].fields.x: must not be empty"},
        {OLD, "front_private\n    fields:\n      x: []\n", ":13: clients[0].fields.x: must not be empty"},
        {OLD, "front_private\n    fields:\n      x: {a: b}\n",
         ":13: clients[0].fields.x: must be a single value, not a list or a mapping"},
        {OLD, "front_private\n    fields:\n      x: [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]\n",
         ":13: clients[0].fields.x: must have at most 16 items, not 17"},
        {OLD, "front_private\n    fields:\n      x: '{a'\n", ":13: clients[0].fields.x: *"},
        {OLD, "front_private\n    fields:\n      x:\n        - a\n        - '{a}{b}'\n        - c\n",
         ":15: clients[0].fields.x[1]: *"},
        {OLD, "front_private\n    fields:\n      front_channel_name:\n        - a\n        - /~\n",
         ":15: clients[0].fields.front_channel_name[1]: *"},
        {OLD, "front_private\n    fields:\n      front_channel_name: '{}'\n",
         ":13: clients[0].fields.front_channel_name: *"},
    };
    REFUSAL_APPLY_ALL(CHANGES);
}

static void test_too_many_fields(void **state)
{
    char text[4096] = "front_private\n    fields:\n";
    size_t len = strlen(text);
    for (int i = 0; i < 65; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "      m%d: c\n", i);
    refusal_apply(*state, &(refusal_t){"front_private\n", text,
                                       ":13: clients[0].fields: must have at most 64 entries, not 65"});
}

static void test_long_member_name(void **state)
{
    char text[512];
    char name[130];
    memset(name, 'n', 129);
    name[129] = '\0';
    char expected[512];
    snprintf(text, sizeof(text), "front_private\n    fields: { %s: c }\n", name);
    snprintf(expected, sizeof(expected),
             ":12: clients[0].fields[\"%s\"]: a member's name must have at most 128 bytes", name);
    refusal_apply(*state, &(refusal_t){"front_private\n", text, expected});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_clients),         FIXTURE_TEST(test_repeated_allowed_issuer),
        FIXTURE_TEST(test_secrets),         FIXTURE_TEST(test_fields),
        FIXTURE_TEST(test_too_many_fields), FIXTURE_TEST(test_long_member_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
