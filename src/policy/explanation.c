#include "introspectd/explanation.h"

#include "introspectd/clock.h"
#include "introspectd/json.h"

#include <stdlib.h>

slice_t explanation_trim(slice_t text)
{
    static const char SPACES[] = " \t\r\n";
    while (text.len > 0 && memchr(SPACES, text.base[text.len - 1], sizeof(SPACES) - 1) != NULL)
        text.len--;
    while (text.len > 0 && memchr(SPACES, *text.base, sizeof(SPACES) - 1) != NULL) {
        text.base++;
        text.len--;
    }
    return text;
}

/* How far a decision came. */
static int progress_of(const introspect_story_t *story)
{
    if (story->outcome == INTROSPECT_ACTIVE)
        return 4;
    if (story->signature_is_good)
        return 3;
    if (story->keys != NULL)
        return 2;
    return story->issuer != NULL ? 1 : 0;
}

static size_t choose_headline(const explanation_t *explanation)
{
    size_t best = 0;
    for (size_t i = 1; i < explanation->client_count; i++) {
        if (progress_of(&explanation->clients[i].story) > progress_of(&explanation->clients[best].story))
            best = i;
    }
    return best;
}

explanation_t *explanation_new(introspect_worker_t *worker, slice_t token, const client_t *clients,
                               size_t client_count, int64_t now_s)
{
    explanation_t *explanation =
        calloc(1, sizeof(*explanation) + client_count * sizeof(explanation->clients[0]));
    if (explanation == NULL)
        return NULL;
    introspect_token_name(worker, token, explanation->token_name);
    explanation->now_s = now_s;
    explanation->client_count = client_count;
    for (size_t i = 0; i < client_count; i++) {
        explanation->clients[i].client = &clients[i];
        introspect_tell(worker, &clients[i], token, now_s, &explanation->clients[i].story);
    }
    explanation->headline = choose_headline(explanation);
    return explanation;
}

void explanation_free(explanation_t *explanation)
{
    if (explanation == NULL)
        return;
    for (size_t i = 0; i < explanation->client_count; i++)
        introspect_story_deinit(&explanation->clients[i].story);
    free(explanation);
}

bool explanation_is_active(const explanation_t *explanation)
{
    return explanation->clients[explanation->headline].story.outcome == INTROSPECT_ACTIVE;
}

const char *explanation_verdict(const explained_client_t *explained)
{
    introspect_outcome_t outcome = explained->story.outcome;
    return outcome == INTROSPECT_ACTIVE     ? "active"
           : outcome == INTROSPECT_INACTIVE ? "inactive"
                                            : "unavailable";
}

int explanation_status(const explained_client_t *explained)
{
    switch (explained->story.outcome) {
    case INTROSPECT_ACTIVE:
        return 200;
    case INTROSPECT_INACTIVE:
        return explained->client->inactive_status;
    default:
        return 503;
    }
}

json_t *explanation_answer(const explained_client_t *explained)
{
    if (explained->story.outcome == INTROSPECT_ACTIVE)
        return json_incref(explained->story.answer);
    if (explained->story.outcome == INTROSPECT_INACTIVE)
        return json_pack("{s:b}", "active", 0);
    return json_pack("{s:s}", "error", "temporarily_unavailable");
}

bool explanation_date(const json_t *payload, const char *claim, int64_t *out)
{
    const json_t *value = json_object_get(payload, claim);
    double seconds = json_number_value(value);
    if (!json_is_number(value) || seconds < 0 || seconds > (double)CLAIMS_MAX_DATE)
        return false;
    *out = (int64_t)seconds;
    return true;
}

static json_t *string_or_null(slice_t text)
{
    return text.base == NULL ? json_null() : json_stringn(text.base, text.len);
}

static json_t *dates_to_json(const json_t *payload)
{
    static const char *const CLAIMS[] = {"iat", "nbf", "exp"};
    json_t *dates = json_object();
    for (size_t i = 0; i < sizeof(CLAIMS) / sizeof(CLAIMS[0]); i++) {
        int64_t time_s;
        char date[CLOCK_RFC3339_SIZE];
        if (!explanation_date(payload, CLAIMS[i], &time_s))
            continue;
        clock_format_rfc3339(time_s, date);
        if (json_object_set_new(dates, CLAIMS[i], json_string(date)) != 0) {
            json_decref(dates);
            return NULL;
        }
    }
    return dates;
}

static json_t *client_to_json(const explained_client_t *explained)
{
    const introspect_story_t *story = &explained->story;
    return json_pack("{s:s, s:s, s:b, s:s, s:s, s:s?, s:i, s:o}", "client", explained->client->client_id,
                     "profile", profile_name(explained->client->profile), "active",
                     story->outcome == INTROSPECT_ACTIVE, "verdict", explanation_verdict(explained), "reason",
                     reason_name(story->reason), "missing_member", story->missing_member, "status",
                     explanation_status(explained), "answer", explanation_answer(explained));
}

json_t *explanation_to_json(const explanation_t *explanation)
{
    const explained_client_t *headline = &explanation->clients[explanation->headline];
    const introspect_story_t *story = &headline->story;
    json_t *json = client_to_json(headline);
    json_t *token = json_pack("{s:s, s:s?, s:o, s:o, s:o, s:s?, s:b, s:o}", "token", explanation->token_name,
                              "issuer", story->issuer == NULL ? NULL : story->issuer->rules.issuer,
                              "algorithm", string_or_null(json_get_string(story->header, "alg")), "typ",
                              string_or_null(json_get_string(story->header, "typ")), "kid",
                              string_or_null(story->kid), "key", story->key, "signature_is_good",
                              (int)story->signature_is_good, "times", dates_to_json(story->payload));
    json_t *clients = json_array();
    bool is_complete = json_object_update(json, token) == 0;
    for (size_t i = 0; i < explanation->client_count; i++)
        is_complete =
            json_array_append_new(clients, client_to_json(&explanation->clients[i])) == 0 && is_complete;
    is_complete = json_object_set_new(json, "clients", clients) == 0 && is_complete;
    json_decref(token);
    if (!is_complete) {
        json_decref(json);
        return NULL;
    }
    return json;
}
