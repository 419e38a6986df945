#include "claims_fixture.h"

typedef struct provider {
    char *issuer;
    char *audience;
    const char *audience_claim; /* NULL: aud */
    const char *required_claim; /* NULL: none */
    char *required_value;
    char *token_type; /* NULL: any */
    const char *typ;
    const char *payload;
    const char *dead_payload;
    reason_t dead_reason;
} provider_t;

static void check_provider(const provider_t *provider)
{
    claims_requirement_t requirement = {.value = provider->required_value};
    char *provider_audiences[] = {provider->audience};
    char *types[] = {provider->token_type};
    claims_rules_t rules = {
        .issuer = provider->issuer,
        .audiences = provider_audiences,
        .audience_count = 1,
        .token_types = types,
        .token_type_count = provider->token_type != NULL,
        .leeway_s = 30,
    };

    if (provider->audience_claim != NULL)
        rules.audience_claim = path_of(provider->audience_claim);
    if (provider->required_claim != NULL) {
        requirement.claim = path_of(provider->required_claim);
        rules.requirements = &requirement;
        rules.requirement_count = 1;
    }
    expect(&rules, slice_of(provider->typ), provider->payload, 1700000000, REASON_NONE);
    expect(&rules, slice_of(provider->typ), provider->payload, 1700003630, REASON_EXPIRED);
    expect(&rules, slice_of(provider->typ), provider->dead_payload, 1700000000, provider->dead_reason);
    claim_path_free(rules.audience_claim);
    claim_path_free(requirement.claim);
}

static void test_providers(void **state)
{
    (void)state;
    static char audience[] = "https://api.example";
    static char hydra_audience[] = "channel";
    static char auth0[] = "https://tenant.auth0.example/";
    static char okta[] = "https://org.okta.example/oauth2/default";
    static char okta_audience[] = "api://default";
    static char keycloak[] = "https://sso.example/realms/front";
    static char keycloak_audience[] = "account";
    static char bearer[] = "Bearer";
    static char entra[] = "https://login.example/7d3f/v2.0";
    static char entra_audience[] = "api://channel";
    static char two[] = "2.0";
    static char cognito[] = "https://cognito-idp.eu-west-1.example/eu-west-1_AbC";
    static char cognito_client[] = "4k2example";
    static char access[] = "access";
    static char hydra[] = "https://hydra.example/";
    static char at_jwt[] = "at+jwt";
    const provider_t providers[] = {
        {auth0, audience, NULL, NULL, NULL, at_jwt, "at+jwt",
         "{\"iss\":\"https://tenant.auth0.example/\",\"sub\":\"auth0|5f7c\",\"aud\":[\"https://api.example\","
         "\"https://tenant.auth0.example/userinfo\"],\"iat\":1700000000,\"exp\":1700003600,"
         "\"https://ns.example/channel\":\"c1\"}",
         "{\"iss\":\"https://tenant.auth0.example/\",\"aud\":[\"https://tenant.auth0.example/userinfo\"],"
         "\"exp\":1700003600}",
         REASON_WRONG_AUDIENCE},
        {okta, okta_audience, NULL, NULL, NULL, NULL, NULL,
         "{\"ver\":1,\"jti\":\"AT.1\",\"iss\":\"https://org.okta.example/oauth2/default\",\"aud\":\"api://"
         "default\","
         "\"iat\":1700000000,\"exp\":1700003600,\"cid\":\"0oa1\",\"uid\":\"00u1\",\"scp\":[\"openid\"]}",
         "{\"iss\":\"https://org.okta.example/oauth2/other\",\"aud\":\"api://default\",\"exp\":1700003600}",
         REASON_WRONG_ISSUER},
        {keycloak, keycloak_audience, NULL, "typ", bearer, NULL, "JWT",
         "{\"exp\":1700003600,\"iat\":1700000000,\"iss\":\"https://sso.example/realms/"
         "front\",\"aud\":\"account\","
         "\"typ\":\"Bearer\",\"azp\":\"front.app\",\"realm_access\":{\"roles\":[\"user\"]}}",
         "{\"exp\":1700003600,\"iss\":\"https://sso.example/realms/"
         "front\",\"aud\":\"account\",\"typ\":\"ID\"}",
         REASON_CLAIM_MISMATCH},
        {entra, entra_audience, NULL, "ver", two, NULL, "JWT",
         "{\"aud\":\"api://channel\",\"iss\":\"https://login.example/7d3f/v2.0\",\"iat\":1699999990,"
         "\"nbf\":1700000030,\"exp\":1700003600,\"tid\":\"7d3f\",\"oid\":\"9e1c\",\"sub\":\"pairwise\","
         "\"scp\":\"channel.use\",\"ver\":\"2.0\"}",
         "{\"aud\":\"api://channel\",\"iss\":\"https://login.example/7d3f/v2.0\",\"nbf\":1700000031,"
         "\"exp\":1700003600,\"ver\":\"2.0\"}",
         REASON_NOT_YET_VALID},
        {cognito, cognito_client, "client_id", "token_use", access, NULL, NULL,
         "{\"sub\":\"a1b2\",\"cognito:groups\":[\"agents\"],"
         "\"iss\":\"https://cognito-idp.eu-west-1.example/eu-west-1_AbC\",\"client_id\":\"4k2example\","
         "\"token_use\":\"access\",\"exp\":1700003600,\"iat\":1700000000}",
         "{\"iss\":\"https://cognito-idp.eu-west-1.example/eu-west-1_AbC\",\"aud\":\"4k2example\","
         "\"token_use\":\"id\",\"exp\":1700003600}",
         REASON_WRONG_AUDIENCE},
        {hydra, hydra_audience, NULL, NULL, NULL, NULL, NULL,
         "{\"aud\":[\"channel\"],\"client_id\":\"c\",\"exp\":1700003600,\"ext\":{\"channel\":\"c1\"},"
         "\"iat\":1700000000,\"iss\":\"https://hydra.example/\",\"nbf\":1700000000,\"scp\":[\"offline\"],"
         "\"sub\":\"u\"}",
         "{\"aud\":[],\"exp\":1700003600,\"iss\":\"https://hydra.example/\"}", REASON_WRONG_AUDIENCE},
    };

    for (size_t i = 0; i < COUNT(providers); i++)
        check_provider(&providers[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_providers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
