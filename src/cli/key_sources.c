#include "key_sources.h"

bool key_sources_are_fetched(const config_t *config)
{
    for (size_t i = 0; i < config->issuer_count; i++) {
        if (config->issuers[i].jwks_file == NULL)
            return true;
    }
    return false;
}

static key_source_settings_t settings_of(const config_issuer_t *issuer)
{
    const config_fetch_t *fetch = &issuer->fetch;
    return (key_source_settings_t){.issuer = issuer->rules.issuer,
                                   .jwks_url = fetch->jwks_url,
                                   .allow_http = fetch->allow_http,
                                   .ca_file = fetch->ca_file,
                                   .algorithms = issuer->algorithms,
                                   .connect_timeout_s = fetch->connect_timeout_s,
                                   .fetch_timeout_s = fetch->fetch_timeout_s,
                                   .max_bytes = fetch->max_bytes,
                                   .refresh_min_s = fetch->refresh_min_s,
                                   .refresh_max_s = fetch->refresh_max_s,
                                   .cooldown_s = fetch->cooldown_s,
                                   .stale_max_s = fetch->stale_max_s};
}

bool key_sources_open(refresher_t *refresher, config_t *config)
{
    for (size_t i = 0; i < config->issuer_count; i++) {
        config_issuer_t *issuer = &config->issuers[i];
        if (issuer->jwks_file != NULL)
            continue;
        key_source_settings_t settings = settings_of(issuer);
        issuer->keys = refresher_open(refresher, &settings);
        if (issuer->keys == NULL)
            return false;
    }
    return true;
}
