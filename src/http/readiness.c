#include "readiness.h"

#include "introspectd/clock.h"

size_t readiness_count_lacking(const config_t *config)
{
    size_t lacking_count = 0;
    for (size_t i = 0; i < config->issuer_count; i++)
        lacking_count += !config_issuer_has_keys(&config->issuers[i]);
    return lacking_count;
}

bool readiness_of(const config_t *config, size_t lacking_count)
{
    return config->is_ready_with_any ? lacking_count < config->issuer_count : lacking_count == 0;
}

static json_t *problem_of(const config_issuer_t *issuer)
{
    keyset_slot_status_t status;
    keyset_slot_get_status(issuer->keys, &status);
    char since[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(status.changed_s, since);
    return json_pack("{s:s, s:s, s:s?, s:s}", "issuer", issuer->rules.issuer, "problem", "no usable key",
                     "detail", status.problem[0] == '\0' ? NULL : status.problem, "since", since);
}

json_t *readiness_problems(const config_t *config)
{
    json_t *problems = json_array();
    bool is_complete = problems != NULL;
    for (size_t i = 0; is_complete && i < config->issuer_count; i++) {
        const config_issuer_t *issuer = &config->issuers[i];
        if (!config_issuer_has_keys(issuer))
            is_complete = json_array_append_new(problems, problem_of(issuer)) == 0;
    }
    if (is_complete)
        return problems;
    json_decref(problems);
    return NULL;
}
