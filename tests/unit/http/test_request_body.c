#include "introspectd/request_body.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Parses a copy of exactly len bytes on the heap, so that a read past the end is seen. */
static const char *parse(request_body_type_t type, const char *text, size_t len, request_body_t *body,
                         char **copy)
{
    *copy = malloc(len == 0 ? 1 : len);
    assert_non_null(*copy);
    memcpy(*copy, text, len);
    return request_body_parse(type, *copy, len, body);
}

static void assert_slice(slice_t slice, const char *expected)
{
    if (expected == NULL) {
        assert_null(slice.base);
        return;
    }
    assert_int_equal(slice.len, strlen(expected));
    assert_memory_equal(slice.base, expected, slice.len);
}

static void assert_token(request_body_type_t type, const char *text, const char *token)
{
    request_body_t body;
    char *copy;
    const char *problem = parse(type, text, strlen(text), &body, &copy);
    if (problem != NULL)
        fail_msg("%s: %s", text, problem);
    assert_slice(body.token, token);
    request_body_deinit(&body);
    free(copy);
}

static void assert_refused(request_body_type_t type, const char *text, size_t len)
{
    request_body_t body = {.token = {"untouched", 9}};
    char *copy;
    if (parse(type, text, len, &body, &copy) == NULL)
        fail_msg("accepted: %s", text);
    assert_string_equal(body.token.base, "untouched");
    free(copy);
}

static void finds_the_token_in_json(void **state)
{
    (void)state;
    assert_token(REQUEST_BODY_JSON, "{\"token\":\"a.b.c\"}", "a.b.c");
    assert_token(REQUEST_BODY_JSON, " { \"token\" :\t\"a.b.c\"\r\n} \n", "a.b.c");
    assert_token(REQUEST_BODY_JSON, "{\"token\":\"a\\u002eb.c\"}", "a.b.c");
    assert_token(REQUEST_BODY_JSON, "{\"token_type_hint\":\"x\",\"token\":\"a.b.c\"}", "a.b.c");
    assert_token(REQUEST_BODY_JSON, "{\"token\":\"a.b.c\",\"n\":{\"token\":[1,2]}}", "a.b.c");
    assert_token(REQUEST_BODY_JSON, "{\"token\":\"\xc3\xa9\"}", "\xc3\xa9");
    assert_token(REQUEST_BODY_JSON, "{}", NULL);
    assert_token(REQUEST_BODY_JSON, "{\"token\":\"\"}", NULL);
    assert_token(REQUEST_BODY_JSON, "{\"Token\":\"a\"}", NULL);
    /* Credentials in JSON are no way of authenticating. */
    request_body_t body;
    char *copy;
    const char *text = "{\"token\":\"t\",\"client_id\":\"i\",\"client_secret\":\"s\"}";
    assert_null(parse(REQUEST_BODY_JSON, text, strlen(text), &body, &copy));
    assert_null(body.client_id.base);
    assert_null(body.client_secret.base);
    request_body_deinit(&body);
    free(copy);
}

/* Wherever it stands, a byte that a parser must look at is looked at; others cost no parser. */
static void sees_every_byte_of_a_json_token(void **state)
{
    (void)state;
    for (size_t len = 1; len <= 40; len++) {
        for (size_t place = 0; place < len; place++) {
            for (int byte = 0; byte < 256; byte++) {
                char text[64] = "{\"token\":\"";
                size_t start = strlen(text);
                memset(text + start, 'A', len);
                text[start + place] = (char)byte;
                memcpy(text + start + len, "\"}", 2);
                bool is_plain = byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
                request_body_t body;
                char *copy;
                const char *problem = parse(REQUEST_BODY_JSON, text, start + len + 2, &body, &copy);
                assert_int_equal(problem == NULL, is_plain || byte == 0x7f);
                if (problem == NULL) {
                    assert_int_equal(body.json == NULL, is_plain);
                    assert_int_equal(body.token.len, len);
                    assert_memory_equal(body.token.base, text + start, len);
                    request_body_deinit(&body);
                }
                free(copy);
            }
        }
    }
}

static void refuses_json_that_is_not_one_object(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {"",
                                        " ",
                                        "null",
                                        "[]",
                                        "\"a\"",
                                        "{",
                                        "{\"token\"",
                                        "{\"token\":",
                                        "{\"token\":\"",
                                        "{\"token\":\"a",
                                        "{\"token\":\"a\"",
                                        "{\"token\":\"a\",}",
                                        "{\"token\":\"a\"}x",
                                        "{\"token\":\"a\"}{}",
                                        "{\"token\":\"a\",\"token\":\"a\"}",
                                        "{\"token\":\"a\",\"x\":1,\"x\":2}",
                                        "{\"token\":1}",
                                        "{\"token\":null}",
                                        "{\"token\":[\"a\"]}",
                                        "{\"token\":\"\n\"}",
                                        "{\"token\":\"\xff\"}",
                                        "{token:\"a\"}",
                                        "{'token':'a'}"};
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++)
        assert_refused(REQUEST_BODY_JSON, TEXTS[i], strlen(TEXTS[i]));
    assert_refused(REQUEST_BODY_JSON, "{\"token\":\"a\0\"}", 14);
    assert_refused(REQUEST_BODY_JSON, "{\"token\":\"a\"}\0", 14);
}

static void refuses_deep_json(void **state)
{
    (void)state;
    size_t depth = 20000;
    char *text = malloc(depth + 16);
    assert_non_null(text);
    memcpy(text, "{\"token\":", 9);
    memset(text + 9, '[', depth);
    assert_refused(REQUEST_BODY_JSON, text, depth + 9);
    free(text);
}

static void finds_parameters_in_a_form(void **state)
{
    (void)state;
    assert_token(REQUEST_BODY_FORM, "token=a.b.c", "a.b.c");
    assert_token(REQUEST_BODY_FORM, "token_type_hint=access_token&token=a.b.c", "a.b.c");
    assert_token(REQUEST_BODY_FORM, "&&token=a.b.c&", "a.b.c");
    assert_token(REQUEST_BODY_FORM, "%74oken=a%2Eb.c", "a.b.c");
    assert_token(REQUEST_BODY_FORM, "token=a+b=c", "a b=c");
    assert_token(REQUEST_BODY_FORM, "token", NULL);
    assert_token(REQUEST_BODY_FORM, "token=", NULL);
    assert_token(REQUEST_BODY_FORM, "", NULL);
    assert_token(REQUEST_BODY_FORM, "=token", NULL);

    request_body_t body;
    char *copy;
    const char *text = "client_id=s%3Ae&client_secret=a%2Bb+c&token=t&x=1";
    assert_null(parse(REQUEST_BODY_FORM, text, strlen(text), &body, &copy));
    assert_slice(body.client_id, "s:e");
    assert_slice(body.client_secret, "a+b c");
    assert_slice(body.token, "t");
    request_body_deinit(&body);
    free(copy);
}

static void refuses_forms_that_break_the_rules(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {"token=a&token=b",   "token=a&token=a",
                                        "token=a&%74oken=b", "token=a&token",
                                        "token=%",           "token=%4",
                                        "token=%zz",         "%=a",
                                        "x=1&x=2&token=a",   "token=a&resource=1&resource=2"};
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++)
        assert_refused(REQUEST_BODY_FORM, TEXTS[i], strlen(TEXTS[i]));
}

static void bounds_the_number_of_parameters(void **state)
{
    (void)state;
    char text[1024] = "token=a";
    for (int i = 1; i < REQUEST_BODY_MAX_PARAMETERS; i++)
        sprintf(text + strlen(text), "&p%d=1", i);
    assert_token(REQUEST_BODY_FORM, text, "a");
    strcat(text, "&q=1");
    assert_refused(REQUEST_BODY_FORM, text, strlen(text));
}

static void tells_media_types(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        int type; /* -1: neither */
    } CASES[] = {{"application/json", REQUEST_BODY_JSON},
                 {"Application/JSON", REQUEST_BODY_JSON},
                 {"application/json;charset=UTF-8", REQUEST_BODY_JSON},
                 {"application/json ; charset=utf-8", REQUEST_BODY_JSON},
                 {"application/x-www-form-urlencoded", REQUEST_BODY_FORM},
                 {"application/x-www-form-urlencoded; charset=UTF-8", REQUEST_BODY_FORM},
                 {"", -1},
                 {";", -1},
                 {"text/plain", -1},
                 {"application/jsonx", -1},
                 {"application/jso", -1},
                 {"application/json-patch+json", -1},
                 {"multipart/form-data", -1}};
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        request_body_type_t type;
        bool is_known = request_body_type_from_content_type(slice_of(CASES[i].header), &type);
        assert_int_equal(is_known, CASES[i].type != -1);
        if (is_known)
            assert_int_equal(type, CASES[i].type);
    }
    request_body_type_t type;
    assert_false(request_body_type_from_content_type((slice_t){NULL, 0}, &type));
}

static void leaves_nothing_behind_what_it_decodes(void **state)
{
    (void)state;
    char text[] = "client_secret=%73%65%63ret%2B&token=t";
    request_body_t body;
    assert_null(request_body_parse(REQUEST_BODY_FORM, text, sizeof(text) - 1, &body));
    assert_slice(body.client_secret, "secret+");
    for (const char *c = body.client_secret.base + body.client_secret.len; *c != '&'; c++)
        assert_int_equal(*c, 0);
    assert_slice(body.token, "t");
    request_body_deinit(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaves_nothing_behind_what_it_decodes),
        cmocka_unit_test(finds_the_token_in_json),
        cmocka_unit_test(sees_every_byte_of_a_json_token),
        cmocka_unit_test(refuses_json_that_is_not_one_object),
        cmocka_unit_test(refuses_deep_json),
        cmocka_unit_test(finds_parameters_in_a_form),
        cmocka_unit_test(refuses_forms_that_break_the_rules),
        cmocka_unit_test(bounds_the_number_of_parameters),
        cmocka_unit_test(tells_media_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
