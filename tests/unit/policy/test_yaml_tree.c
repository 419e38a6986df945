#include "yaml_tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

static yaml_tree_t *parse(const char *text)
{
    yaml_tree_error_t error = {0, ""};
    yaml_tree_t *tree = yaml_tree_parse(slice_of(text), &error);
    if (tree == NULL)
        fail_msg("%u: %s", error.line, error.text);
    return tree;
}

static void assert_refused(slice_t text, unsigned line, const char *expected)
{
    yaml_tree_error_t error = {0, ""};
    yaml_tree_t *tree = yaml_tree_parse(text, &error);
    if (tree != NULL)
        fail_msg("%s was taken", text.base);
    assert_string_equal(error.text, expected);
    assert_int_equal(error.line, line);
}

static void assert_scalar(const yaml_tree_t *tree, yaml_tree_node_t node, const char *expected, bool is_plain)
{
    assert_int_equal(yaml_tree_kind(tree, node), YAML_TREE_SCALAR);
    assert_true(slice_equal(yaml_tree_scalar(tree, node), slice_of(expected)));
    assert_int_equal(yaml_tree_is_plain(tree, node), is_plain);
    assert_int_equal(yaml_tree_count(tree, node), 0);
}

static void test_walk(void **state)
{
    (void)state;
    yaml_tree_t *tree = parse("# comment\n"
                              "b: plain\n"
                              "a:\n"
                              "  - 'single'\n"
                              "  - \"double\"\n"
                              "  - |-\n"
                              "    block\n"
                              "c: {}\n"
                              "d:\n");
    yaml_tree_node_t root = yaml_tree_root(tree);
    assert_int_equal(yaml_tree_kind(tree, root), YAML_TREE_MAPPING);
    assert_int_equal(yaml_tree_count(tree, root), 4);
    assert_int_equal(yaml_tree_line(tree, root), 2);
    assert_scalar(tree, yaml_tree_key(tree, root, 0), "b", true);
    assert_scalar(tree, yaml_tree_value(tree, root, 0), "plain", true);
    assert_scalar(tree, yaml_tree_key(tree, root, 1), "a", true);
    assert_int_equal(yaml_tree_line(tree, yaml_tree_key(tree, root, 1)), 3);

    yaml_tree_node_t list = yaml_tree_value(tree, root, 1);
    assert_int_equal(yaml_tree_kind(tree, list), YAML_TREE_LIST);
    assert_int_equal(yaml_tree_count(tree, list), 3);
    assert_int_equal(yaml_tree_line(tree, list), 4);
    assert_scalar(tree, yaml_tree_item(tree, list, 0), "single", false);
    assert_scalar(tree, yaml_tree_item(tree, list, 1), "double", false);
    assert_scalar(tree, yaml_tree_item(tree, list, 2), "block", false);
    assert_int_equal(yaml_tree_line(tree, yaml_tree_item(tree, list, 2)), 6);

    assert_int_equal(yaml_tree_kind(tree, yaml_tree_value(tree, root, 2)), YAML_TREE_MAPPING);
    assert_int_equal(yaml_tree_count(tree, yaml_tree_value(tree, root, 2)), 0);
    /* Nothing is a plain, empty scalar on the line of its key. */
    assert_scalar(tree, yaml_tree_value(tree, root, 3), "", true);
    assert_int_equal(yaml_tree_line(tree, yaml_tree_value(tree, root, 3)), 9);
    yaml_tree_free(tree);
}

static void test_repeated_keys_and_odd_keys_are_given(void **state)
{
    (void)state;
    yaml_tree_t *tree = parse("{a: 1, a: 2, [x]: 3}");
    assert_int_equal(yaml_tree_count(tree, 1), 3);
    assert_scalar(tree, yaml_tree_value(tree, 1, 1), "2", true);
    assert_int_equal(yaml_tree_kind(tree, yaml_tree_key(tree, 1, 2)), YAML_TREE_LIST);
    yaml_tree_free(tree);
}

static void test_nul_in_a_scalar(void **state)
{
    (void)state;
    yaml_tree_t *tree = parse("\"a\\0b\"");
    slice_t scalar = yaml_tree_scalar(tree, yaml_tree_root(tree));
    assert_int_equal(scalar.len, 3);
    assert_memory_equal(scalar.base, "a\0b", 4);
    yaml_tree_free(tree);
}

static void test_document_marks_and_byte_order_mark(void **state)
{
    (void)state;
    yaml_tree_free(parse("\xEF\xBB\xBF"
                         "a: b"));
    yaml_tree_free(parse("%YAML 1.1\n---\na: b\n...\n"));
    yaml_tree_free(parse("--- !!map\na: !!str b\nc: !!int 1\nd: !!bool true\ne: !!seq []\n"));
    yaml_tree_free(parse("a: b\r\nc: d\r\n"));
}

static void test_aliases(void **state)
{
    (void)state;
    yaml_tree_t *tree = parse("a: &x [1]\nb: *x\n");
    assert_int_equal(yaml_tree_value(tree, 1, 0), yaml_tree_value(tree, 1, 1));
    assert_int_equal(yaml_tree_line(tree, yaml_tree_value(tree, 1, 1)), 1);
    yaml_tree_free(tree);
}

static void test_a_node_may_hold_itself(void **state)
{
    (void)state;
    yaml_tree_t *tree = parse("&x [*x]");
    assert_int_equal(yaml_tree_item(tree, yaml_tree_root(tree), 0), yaml_tree_root(tree));
    yaml_tree_free(tree);
}

static void test_not_exactly_one_document(void **state)
{
    (void)state;
    assert_refused(slice_of(""), 1, "the file is empty");
    assert_refused(slice_of("\n# comment\n"), 1, "the file is empty");
    assert_refused(slice_of("a: b\n---\nc: d\n"), 2, "a second document begins; only one is legal");
    assert_refused(slice_of("a: b\n---\n"), 2, "a second document begins; only one is legal");
}

static void test_syntax(void **state)
{
    (void)state;
    assert_refused(slice_of("a: b\nc: d\n  e: f\n"), 3, "mapping values are not allowed in this context");
    assert_refused(slice_of("a: [b\nc: d\n"), 2,
                   "did not find expected ',' or ']' while parsing a flow sequence (from line 1)");
    assert_refused(slice_of("a: \"\\q\"\n"), 1,
                   "found unknown escape character while parsing a quoted scalar");
    assert_refused(slice_of("a: *b\n"), 1, "found undefined alias");
    assert_refused(slice_of("a: &x b\nc: &x d\n"), 2, "found duplicate anchor; first occurrence on line 1");
    /* Also behind the end of the first document. */
    assert_refused(slice_of("a: b\n---\nc: [\n"), 4,
                   "did not find expected node content while parsing a flow node");
}

static void test_bytes(void **state)
{
    (void)state;
    assert_refused(slice_of("a: b\nc: \xFF\n"), 2, "invalid leading UTF-8 octet");
    assert_refused(slice_of("a: b\n\nc: \xC3(\n"), 3, "invalid trailing UTF-8 octet");
    assert_refused(slice_of("a: \xED\xA0\x80\n"), 1, "invalid Unicode character");
    assert_refused((slice_t){"a: b\n\0", 6}, 2, "control characters are not allowed");
    /* UTF-16 with a byte order mark. */
    assert_refused((slice_t){"\xFF\xFE"
                             "a\0:\0 \0b\0",
                             10},
                   1, "invalid leading UTF-8 octet");
}

static void test_tags(void **state)
{
    (void)state;
    assert_refused(slice_of("a: b\nc: !secret d\n"), 2, "a tag that is not known here");
    assert_refused(slice_of("a: !!float 1\n"), 1, "a tag that is not known here");
    assert_refused(slice_of("a: !!int [1]\n"), 1, "a tag that is not known here");
    assert_refused(slice_of("a: !!binary aGk=\n"), 1, "a tag that is not known here");
}

/* count times piece, to be freed. */
static char *repeat(const char *piece, size_t count)
{
    size_t len = strlen(piece);
    char *text = malloc(len * count + 1);
    assert_non_null(text);
    for (size_t i = 0; i < count; i++)
        memcpy(text + i * len, piece, len);
    text[len * count] = '\0';
    return text;
}

/* Each of these takes libyaml minutes when it is not stopped early. */
static void test_depth_and_anchors_are_bounded(void **state)
{
    (void)state;
    static const char *const PIECES[] = {"[", "{a: ", "- ", "? "};
    for (size_t i = 0; i < sizeof(PIECES) / sizeof(PIECES[0]); i++) {
        char *text = repeat(PIECES[i], 200000);
        assert_refused(slice_of(text), 1, "nested too deep");
        free(text);
    }
    size_t size = 1 << 20;
    char *text = malloc(size);
    assert_non_null(text);
    size_t len = 0;
    for (unsigned i = 0; i < 60000; i++)
        len += (size_t)snprintf(text + len, size - len, "- &a%u x\n", i);
    assert_refused((slice_t){text, len}, 1001, "too many anchors");
    free(text);
}

static void test_deepest_legal_nesting(void **state)
{
    (void)state;
    char text[131];
    memset(text, '[', 65);
    memset(text + 65, ']', 65);
    text[130] = '\0';
    assert_refused(slice_of(text), 1, "nested too deep");
    yaml_tree_error_t error;
    yaml_tree_t *tree = yaml_tree_parse((slice_t){text + 1, 128}, &error);
    assert_non_null(tree);
    yaml_tree_free(tree);
}

static void test_free_of_nothing(void **state)
{
    (void)state;
    yaml_tree_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_walk),
        cmocka_unit_test(test_repeated_keys_and_odd_keys_are_given),
        cmocka_unit_test(test_nul_in_a_scalar),
        cmocka_unit_test(test_document_marks_and_byte_order_mark),
        cmocka_unit_test(test_aliases),
        cmocka_unit_test(test_a_node_may_hold_itself),
        cmocka_unit_test(test_not_exactly_one_document),
        cmocka_unit_test(test_syntax),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_tags),
        cmocka_unit_test(test_depth_and_anchors_are_bounded),
        cmocka_unit_test(test_deepest_legal_nesting),
        cmocka_unit_test(test_free_of_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
