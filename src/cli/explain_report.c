#include "explain_report.h"

#include "introspectd/clock.h"
#include "introspectd/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

int explain_status(const explanation_t *explanation)
{
    switch (explanation->story.outcome) {
    case INTROSPECT_ACTIVE:
        return 200;
    case INTROSPECT_INACTIVE:
        return explanation->client->inactive_status;
    default:
        return 503;
    }
}

static const char *outcome_name(introspect_outcome_t outcome)
{
    return outcome == INTROSPECT_ACTIVE     ? "active"
           : outcome == INTROSPECT_INACTIVE ? "inactive"
                                            : "unavailable";
}

/* The body that the client would get. The caller releases it; NULL out of memory. */
static json_t *answer_of(const introspect_story_t *story)
{
    if (story->outcome == INTROSPECT_ACTIVE)
        return json_incref(story->answer);
    if (story->outcome == INTROSPECT_INACTIVE)
        return json_pack("{s:b}", "active", 0);
    return json_pack("{s:s}", "error", "temporarily_unavailable");
}

/* A date claim as whole seconds; false when it is no number that a date can be. */
static bool get_date(const json_t *payload, const char *claim, int64_t *out)
{
    const json_t *value = json_object_get(payload, claim);
    double seconds = json_number_value(value);
    if (!json_is_number(value) || seconds < 0 || seconds > (double)CLAIMS_MAX_DATE)
        return false;
    *out = (int64_t)seconds;
    return true;
}

/* "in 4 minutes", "2 hours ago": the largest unit that is there once at least. */
static void describe_distance(int64_t time_s, int64_t now_s, char *out, size_t size)
{
    static const struct {
        int64_t seconds;
        const char *name;
    } UNITS[] = {{86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}};
    int64_t distance = time_s > now_s ? time_s - now_s : now_s - time_s;
    size_t unit = 0;
    while (unit < 3 && distance < UNITS[unit].seconds)
        unit++;
    int64_t count = distance / UNITS[unit].seconds;
    snprintf(out, size, "%s%" PRId64 " %s%s%s", time_s > now_s ? "in " : "", count, UNITS[unit].name,
             count == 1 ? "" : "s", time_s > now_s ? "" : " ago");
}

static void print_date(const char *label, const introspect_story_t *story, const char *claim, int64_t now_s)
{
    int64_t time_s;
    char date[CLOCK_RFC3339_SIZE];
    char distance[64];
    if (!get_date(story->payload, claim, &time_s))
        return;
    clock_format_rfc3339(time_s, date);
    describe_distance(time_s, now_s, distance, sizeof(distance));
    printf("%-11s %s (%s)\n", label, date, distance);
}

/* Prints a text out of the token with what could steer a terminal replaced. */
static void print_untrusted(const char *label, slice_t text)
{
    if (text.base == NULL)
        return;
    printf("%-11s ", label);
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.base[i];
        /* U+0080 to U+009F, the second set of control characters, begin with C2 in UTF-8. */
        bool is_control = byte < 0x20 || byte == 0x7f ||
                          (byte == 0xc2 && i + 1 < text.len && (unsigned char)text.base[i + 1] < 0xa0);
        if (is_control && byte == 0xc2)
            i++;
        putchar(is_control ? '?' : byte);
    }
    putchar('\n');
}

static void print_story(const explain_report_t *report, const introspect_story_t *story)
{
    printf("%-11s %s\n", "verdict:", outcome_name(story->outcome));
    printf("%-11s %s: %s\n", "reason:", reason_name(story->reason), reason_text(story->reason));
    if (story->missing_member != NULL)
        printf("%-11s %s has no value in this token\n", "missing:", story->missing_member);
    printf("%-11s %s\n", "token:", report->token_name);
    if (story->issuer != NULL)
        printf("%-11s %s\n", "issuer:", story->issuer->rules.issuer);
    else
        print_untrusted("issuer:", json_get_string(story->payload, "iss"));
    print_untrusted("algorithm:", json_get_string(story->header, "alg"));
    print_untrusted("type:", json_get_string(story->header, "typ"));
    print_untrusted("key id:", story->kid);
    if (story->key != NULL)
        printf("%-11s %s\n", "key:", story->key);
    printf("%-11s %s\n",
           "signature:", story->signature_is_good ? "good" : "not verified: nothing in it can be trusted");
    print_date("issued:", story, "iat", report->now_s);
    print_date("not before:", story, "nbf", report->now_s);
    print_date("expires:", story, "exp", report->now_s);
}

static bool print_answer(const explanation_t *explanation)
{
    const introspect_story_t *story = &explanation->story;
    json_t *answer = answer_of(story);
    char *text = answer == NULL ? NULL : json_dumps(answer, JSON_COMPACT);
    json_decref(answer);
    if (text == NULL)
        return false;
    printf("\nclient %s (%s): %s", explanation->client->client_id, profile_name(explanation->client->profile),
           outcome_name(story->outcome));
    if (story->reason != REASON_NONE)
        printf(", %s", reason_name(story->reason));
    if (story->missing_member != NULL)
        printf(" %s", story->missing_member);
    printf("\n  HTTP %d %s\n", explain_status(explanation), text);
    free(text);
    return true;
}

bool explain_report_print_text(const explain_report_t *report)
{
    print_story(report, &report->explanations[report->headline].story);
    for (size_t i = 0; i < report->count; i++) {
        if (!print_answer(&report->explanations[i]))
            return false;
    }
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
        if (!get_date(payload, CLAIMS[i], &time_s))
            continue;
        clock_format_rfc3339(time_s, date);
        if (json_object_set_new(dates, CLAIMS[i], json_string(date)) != 0) {
            json_decref(dates);
            return NULL;
        }
    }
    return dates;
}

static json_t *explanation_to_json(const explanation_t *explanation)
{
    const introspect_story_t *story = &explanation->story;
    return json_pack("{s:s, s:s, s:b, s:s, s:s, s:s?, s:i, s:o}", "client", explanation->client->client_id,
                     "profile", profile_name(explanation->client->profile), "active",
                     story->outcome == INTROSPECT_ACTIVE, "verdict", outcome_name(story->outcome), "reason",
                     reason_name(story->reason), "missing_member", story->missing_member, "status",
                     explain_status(explanation), "answer", answer_of(story));
}

static json_t *report_to_json(const explain_report_t *report)
{
    const introspect_story_t *story = &report->explanations[report->headline].story;
    json_t *json = explanation_to_json(&report->explanations[report->headline]);
    json_t *token = json_pack("{s:s, s:s?, s:o, s:o, s:o, s:s?, s:b, s:o}", "token", report->token_name,
                              "issuer", story->issuer == NULL ? NULL : story->issuer->rules.issuer,
                              "algorithm", string_or_null(json_get_string(story->header, "alg")), "typ",
                              string_or_null(json_get_string(story->header, "typ")), "kid",
                              string_or_null(story->kid), "key", story->key, "signature_is_good",
                              (int)story->signature_is_good, "times", dates_to_json(story->payload));
    json_t *clients = json_array();
    bool is_complete = json_object_update(json, token) == 0;
    for (size_t i = 0; i < report->count; i++)
        is_complete =
            json_array_append_new(clients, explanation_to_json(&report->explanations[i])) == 0 && is_complete;
    is_complete = json_object_set_new(json, "clients", clients) == 0 && is_complete;
    json_decref(token);
    if (!is_complete) {
        json_decref(json);
        return NULL;
    }
    return json;
}

bool explain_report_print_json(const explain_report_t *report)
{
    json_t *json = report_to_json(report);
    bool is_printed = json != NULL && json_dumpf(json, stdout, JSON_INDENT(2)) == 0;
    json_decref(json);
    putchar('\n');
    return is_printed;
}
