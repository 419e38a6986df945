#include "html_template.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* What page becomes with values, a JSON text; NULL when its marks are wrong. For free(). The page's bytes lie
 * at the end of a block of their own, so that a sanitizer sees what is read behind them. */
static char *fill(const char *page, const char *values)
{
    size_t page_len = strlen(page);
    char *copy = malloc(page_len + (page_len == 0));
    assert_non_null(copy);
    memcpy(copy, page, page_len);
    json_t *json = json_loads(values, 0, NULL);
    assert_non_null(json);
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    bool is_good = html_template_write((slice_t){copy, page_len}, json, out);
    assert_int_equal(fclose(out), 0);
    json_decref(json);
    free(copy);
    if (is_good)
        return text;
    free(text);
    return NULL;
}

typedef struct sample {
    const char *page;
    const char *values;
    const char *filled; /* NULL: the marks are wrong */
} sample_t;

static void assert_filled(const sample_t *samples, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *filled = fill(samples[i].page, samples[i].values);
        if (samples[i].filled == NULL)
            assert_null(filled);
        else
            assert_string_equal(filled, samples[i].filled);
        free(filled);
    }
}

#define ASSERT_FILLED(samples) assert_filled(samples, sizeof(samples) / sizeof((samples)[0]))

static void test_text_is_escaped(void **state)
{
    static const sample_t SAMPLES[] = {
        {"", "{}", ""},
        {"as {it} is <b>", "{}", "as {it} is <b>"},
        {"<i title=\"{{text a}}\">", "{\"a\":\"\\\"><script>alert('1')&amp;\"}",
         "<i title=\"&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&amp;amp;\">"},
        {"{{text a}}", "{\"a\":\"schl\\u00fcssel \\u2013 \\ud83d\\ude00\"}",
         "schl\xc3\xbcssel \xe2\x80\x93 \xf0\x9f\x98\x80"},
        /* What marks mean nothing in a value. */
        {"{{text a}}", "{\"a\":\"{{text b}}\",\"b\":\"no\"}", "{{text b}}"},
        {"{{text a}}", "{\"a\":\"1\\u0007\\u001b[2J\\u007f\\u009b\\t\\n2\"}",
         "1\xef\xbf\xbd\xef\xbf\xbd[2J\xef\xbf\xbd\xef\xbf\xbd\t\n2"},
        {"{{text a}}|{{text b}}|{{text c}}", "{\"a\":null,\"b\":1234567}", "|1234567|"},
    };
    (void)state;
    ASSERT_FILLED(SAMPLES);
}

static void test_text_that_is_cut_within_a_character(void **state)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    (void)state;
    assert_non_null(out);
    char *cut = malloc(1);
    assert_non_null(cut);
    *cut = '\xc2';
    html_escape((slice_t){cut, 1}, out);
    free(cut);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, "\xc2");
    free(text);
}

static void test_numbers(void **state)
{
    static const sample_t SAMPLES[] = {
        {"{{count a}} {{count b}} {{count c}}", "{\"a\":0,\"b\":999,\"c\":1000}", "0 999 1,000"},
        {"{{count a}}", "{\"a\":1234567890}", "1,234,567,890"},
        {"{{rate a}} {{rate b}} {{rate c}}", "{\"a\":0.04,\"b\":99.94,\"c\":12345.6}", "0.0 99.9 12,346"},
        {"{{bytes a}} {{bytes b}} {{bytes c}}", "{\"a\":1023,\"b\":1536,\"c\":67108864}",
         "1023 B 1.5 KiB 64.0 MiB"},
        {"{{bytes a}}", "{\"a\":1125899906842624}", "1024.0 TiB"},
        {"{{span a}} {{span b}} {{span c}} {{span d}}", "{\"a\":59,\"b\":60,\"c\":7500,\"d\":266400}",
         "59 s 1 min 0 s 2 h 5 min 3 d 2 h"},
        {"{{micros a}} {{micros b}} {{micros c}} {{micros d}}",
         "{\"a\":8.5,\"b\":85,\"c\":1200,\"d\":2500000}", "8.50 \xc2\xb5s 85.0 \xc2\xb5s 1.20 ms 2.50 s"},
        {"{{ratio a}} {{ratio b}}", "{\"a\":0.9871,\"b\":1}", "98.7 % 100.0 %"},
        {"{{count a}} {{ratio b}} {{span c}} {{rate d}}", "{\"a\":null,\"c\":\"7\",\"d\":-1}",
         "\xe2\x80\x93 \xe2\x80\x93 \xe2\x80\x93 \xe2\x80\x93"},
    };
    (void)state;
    ASSERT_FILLED(SAMPLES);
}

static void test_conditions(void **state)
{
    static const char PAGE[] = "{{if a}}yes{{end}}{{unless a}}no{{end}}";
    static const sample_t SAMPLES[] = {
        {PAGE, "{\"a\":true}", "yes"},
        {PAGE, "{\"a\":1}", "yes"},
        {PAGE, "{\"a\":0.5}", "yes"},
        {PAGE, "{\"a\":\"x\"}", "yes"},
        {PAGE, "{\"a\":[0]}", "yes"},
        {PAGE, "{\"a\":{\"b\":0}}", "yes"},
        {PAGE, "{}", "no"},
        {PAGE, "{\"a\":null}", "no"},
        {PAGE, "{\"a\":false}", "no"},
        {PAGE, "{\"a\":0}", "no"},
        {PAGE, "{\"a\":\"\"}", "no"},
        {PAGE, "{\"a\":[]}", "no"},
        {PAGE, "{\"a\":{}}", "no"},
        {PAGE, "{\"a\":0.0}", "no"},
        {"{{if a}}1{{if b}}2{{end}}3{{end}}4", "{\"a\":1,\"b\":0}", "134"},
        {"{{if a}}1{{if b}}2{{end}}3{{end}}4", "{\"a\":0,\"b\":1}", "4"},
    };
    (void)state;
    ASSERT_FILLED(SAMPLES);
}

static void test_lists(void **state)
{
    static const sample_t SAMPLES[] = {
        {"{{each a}}<{{text b}}>{{end}}.", "{\"a\":[{\"b\":\"1\"},{\"b\":\"2\"}]}", "<1><2>."},
        {"{{each a}}<{{text b}}>{{end}}.", "{\"a\":[]}", "."},
        {"{{each a}}<{{text b}}>{{end}}.", "{}", "."},
        /* The item comes before what is around it, also where it has null. */
        {"{{each a}}{{text b}}{{text c}}{{end}}", "{\"a\":[{\"b\":1},{\"b\":null}],\"b\":8,\"c\":9}", "199"},
        {"{{each a.b}}{{each c}}{{text d}}{{end}};{{end}}",
         "{\"a\":{\"b\":[{\"c\":[{\"d\":1},{\"d\":2}]},{\"c\":[]}]}}", "12;;"},
        {"{{if no}}{{each a}}{{text b}}{{end}}{{end}}", "{\"a\":[{\"b\":1}]}", ""},
        {"{{each a}}{{if b}}{{text b}}{{end}}{{end}}", "{\"a\":[{\"b\":0},{\"b\":7}]}", "7"},
    };
    (void)state;
    ASSERT_FILLED(SAMPLES);
}

static void test_wrong_marks(void **state)
{
    static const sample_t SAMPLES[] = {
        {"{{unheard a}}", "{\"a\":1}", NULL},
        {"{{if a}}", "{\"a\":1}", NULL},
        {"{{end}}", "{}", NULL},
        {"{{each a}}{{text b}}", "{\"a\":[{}]}", NULL},
        {"{{if a}}{{end}}{{end}}", "{}", NULL},
        {"{{each a}}", "{}", NULL},
        {"{{each a}}{{no b}}{{end}}", "{\"a\":[{}]}", NULL},
        /* No mark at all. */
        {"{{text a", "{\"a\":1}", "{{text a"},
    };
    (void)state;
    ASSERT_FILLED(SAMPLES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_is_escaped), cmocka_unit_test(test_text_that_is_cut_within_a_character),
        cmocka_unit_test(test_numbers),         cmocka_unit_test(test_conditions),
        cmocka_unit_test(test_lists),           cmocka_unit_test(test_wrong_marks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
