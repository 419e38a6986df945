#include "metrics_writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* What write writes. Free it. */
static char *written(void (*write)(metrics_writer_t *writer))
{
    char *text = NULL;
    size_t len;
    metrics_writer_t writer = {.out = open_memstream(&text, &len)};
    assert_non_null(writer.out);
    write(&writer);
    assert_int_equal(fclose(writer.out), 0);
    return text;
}

static void write_labels(metrics_writer_t *writer)
{
    metrics_family(writer, "x_total", "counter", "Some help.");
    metrics_sample(writer, "", METRICS_LABELS({"a", "1"}, {"b", "two"}), 7);
    metrics_sample(writer, "_bucket", METRICS_LABELS({"le", "+Inf"}), UINT64_MAX);
    metrics_sample_real(writer, "_sum", METRICS_NO_LABELS, 0.25);
}

static void a_family_and_its_samples(void **state)
{
    (void)state;
    char *text = written(write_labels);
    assert_string_equal(text, "# HELP x_total Some help.\n"
                              "# TYPE x_total counter\n"
                              "x_total{a=\"1\",b=\"two\"} 7\n"
                              "x_total_bucket{le=\"+Inf\"} 18446744073709551615\n"
                              "x_total_sum 0.250000\n");
    free(text);
}

static void write_hostile(metrics_writer_t *writer)
{
    metrics_family(writer, "x", "gauge", "Help.");
    metrics_sample(writer, "", METRICS_LABELS({"issuer", "a\"} 1\nb\\c\xc3\xa4"}), 1);
}

static void a_value_cannot_leave_its_quotes(void **state)
{
    (void)state;
    char *text = written(write_hostile);
    assert_string_equal(text, "# HELP x Help.\n# TYPE x gauge\nx{issuer=\"a\\\"} 1\\nb\\\\c\xc3\xa4\"} 1\n");
    free(text);
}

static void write_singles(metrics_writer_t *writer)
{
    metrics_single(writer, "a", "gauge", "A.", 0);
    metrics_single_real(writer, "b", "gauge", "B.", 1795432562.5);
}

static void families_of_one_line(void **state)
{
    (void)state;
    char *text = written(write_singles);
    assert_string_equal(
        text, "# HELP a A.\n# TYPE a gauge\na 0\n# HELP b B.\n# TYPE b gauge\nb 1795432562.500000\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_family_and_its_samples),
        cmocka_unit_test(a_value_cannot_leave_its_quotes),
        cmocka_unit_test(families_of_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
