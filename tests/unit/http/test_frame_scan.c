#include "frame_scan.h"
#include "http2_bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

enum { PREFACE_SIZE = 24, HEADER_SIZE = 9, PLENTY = 1 << 20 };

static const frame_limits_t LIMITS = {.max_block_bytes = 1000, .max_fields = 20};

static slice_t text(const char *bytes)
{
    return slice_of(bytes);
}

/* What one connection's input led to. */
typedef struct played {
    frame_scanner_t scanner;
    http2_bytes_t passed;
    size_t dropped;
    unsigned trailers;
    uint32_t last_trailers_stream_id;
    bool is_ended;
    frame_stop_t stop;
    size_t done;
} played_t;

static played_t *new_played(uint32_t final_stream_id)
{
    played_t *played = calloc(1, sizeof(*played));
    assert_non_null(played);
    played->scanner.final_stream_id = final_stream_id;
    return played;
}

/* Scans what is there of input as a connection does, in turns of allowance. */
static void play(played_t *played, slice_t input, int allowance)
{
    bool is_waiting = false;
    while (!is_waiting && !played->is_ended) {
        int left = allowance;
        size_t len = input.len - played->done;
        char *copy = malloc(len + 1); /* what is read behind the bytes is seen */
        assert_non_null(copy);
        memcpy(copy + 1, input.base + played->done, len);
        frame_scan_t scan = frame_scan(&played->scanner, &LIMITS, (slice_t){copy + 1, len}, &left);
        assert_true(scan.pass + scan.drop <= len);
        http2_put(&played->passed, copy + 1, scan.pass);
        free(copy);
        played->dropped += scan.drop;
        played->done += scan.pass + scan.drop;
        played->stop = scan.stop;
        is_waiting = scan.stop == FRAME_STOP_INCOMPLETE;
        played->is_ended = scan.stop == FRAME_STOP_TOO_LARGE || scan.stop == FRAME_STOP_BROKEN;
        played->trailers += scan.stop == FRAME_STOP_TRAILERS;
        if (scan.stop == FRAME_STOP_TRAILERS)
            played->last_trailers_stream_id = scan.trailers_stream_id;
        /* Each turn gets somewhere. */
        assert_true(is_waiting || played->is_ended || scan.pass + scan.drop > 0);
    }
}

static void assert_same(const played_t *one, const played_t *other)
{
    assert_int_equal(one->passed.len, other->passed.len);
    assert_memory_equal(one->passed.bytes, other->passed.bytes, one->passed.len);
    assert_int_equal(one->dropped, other->dropped);
    assert_int_equal(one->trailers, other->trailers);
    assert_int_equal(one->last_trailers_stream_id, other->last_trailers_stream_id);
    assert_int_equal(one->stop, other->stop);
    assert_int_equal(one->scanner.opened, other->scanner.opened);
    assert_int_equal(one->scanner.other_frames, other->scanner.other_frames);
    assert_int_equal(one->scanner.data_bytes, other->scanner.data_bytes);
    assert_int_equal(one->scanner.last_stream_id, other->scanner.last_stream_id);
    assert_int_equal(one->scanner.block.fields, other->scanner.block.fields);
}

/* The input at once; the same must come of it at any cut, byte by byte, and in the smallest turns. */
static played_t *play_all(const http2_bytes_t *input, uint32_t final_stream_id)
{
    slice_t all = http2_slice(input);
    played_t *whole = new_played(final_stream_id);
    play(whole, all, PLENTY);
    for (size_t cut = 0; cut <= all.len; cut++) {
        played_t *in_two = new_played(final_stream_id);
        play(in_two, (slice_t){all.base, cut}, PLENTY);
        play(in_two, all, PLENTY);
        assert_same(in_two, whole);
        free(in_two);
    }
    played_t *in_bytes = new_played(final_stream_id);
    for (size_t len = 0; len <= all.len; len++)
        play(in_bytes, (slice_t){all.base, len}, PLENTY);
    assert_same(in_bytes, whole);
    free(in_bytes);
    played_t *in_turns = new_played(final_stream_id);
    play(in_turns, all, 1);
    assert_same(in_turns, whole);
    free(in_turns);
    return whole;
}

static http2_bytes_t input; /* of the test that runs */

static void begin(void)
{
    input.len = 0;
    http2_put_preface(&input);
}

static void put(int type, int flags, uint32_t stream_id, const char *payload)
{
    http2_put_frame(&input, type, flags, stream_id, text(payload));
}

static int reset(void **state)
{
    (void)state;
    begin();
    return 0;
}

static void preface_is_awaited_whole(void **state)
{
    (void)state;
    played_t *played = new_played(0);
    play(played, (slice_t){(const char *)input.bytes, PREFACE_SIZE - 1}, PLENTY);
    assert_int_equal(played->done, 0);
    assert_false(played->scanner.has_preface);
    play(played, http2_slice(&input), PLENTY);
    assert_int_equal(played->passed.len, PREFACE_SIZE);
    assert_true(played->scanner.has_preface);
    free(played);
}

static void requests_pass_and_are_counted(void **state)
{
    (void)state;
    put(SETTINGS, 0, 0, "");
    put(HEADERS, END_HEADERS | END_STREAM, 1, "\x82");
    put(HEADERS, END_HEADERS, 3, "\x82\x84");
    http2_put_filled(&input, DATA, 0, 3, 'x', 64);
    http2_put_filled(&input, DATA, END_STREAM, 3, 'x', 10);
    put(HEADERS, END_STREAM, 9, "\x82");
    put(CONTINUATION, 0, 9, "");
    put(CONTINUATION, END_HEADERS, 9, "\x84");
    played_t *played = play_all(&input, 0);
    assert_int_equal(played->passed.len, input.len);
    assert_int_equal(played->dropped, 0);
    assert_int_equal(played->trailers, 0);
    assert_int_equal(played->scanner.opened, 3);
    assert_int_equal(played->scanner.last_stream_id, 9);
    assert_int_equal(played->scanner.data_bytes, 74);
    assert_int_equal(played->scanner.other_frames, 5); /* all that are no HEADERS */
    assert_false(played->scanner.is_in_block);
    free(played);
}

static void all_frames_that_open_nothing_are_counted(void **state)
{
    (void)state;
    put(HEADERS, END_HEADERS, 1, "\x82");
    http2_put_filled(&input, DATA, 0, 1, 'x', 0);
    http2_put_filled(&input, DATA, 0, 1, 'x', 64);
    http2_put_filled(&input, DATA, END_STREAM, 1, 'x', 0);
    for (int type = PRIORITY_FRAME; type <= WINDOW_UPDATE; type++)
        put(type, 0, 0, "1234");
    put(UNKNOWN, 0, 0, "");
    played_t *played = play_all(&input, 0);
    assert_int_equal(played->scanner.other_frames, 3 + (WINDOW_UPDATE - PRIORITY_FRAME + 1) + 1);
    free(played);
}

/* The library would open a stream for them; those that it must refuse are left to it. */
static void priorities_are_dropped_where_they_are_well_formed(void **state)
{
    (void)state;
    put(PRIORITY_FRAME, 0, 7, "12345");
    put(HEADERS, END_HEADERS | END_STREAM, 1, "\x82");
    put(PRIORITY_FRAME, 0, 0, "12345");
    put(PRIORITY_FRAME, 0, 7, "1234");
    played_t *played = play_all(&input, 0);
    assert_int_equal(played->dropped, 9 + 5);
    assert_int_equal(played->scanner.other_frames, 3);
    free(played);
}

static void unknown_frames_are_dropped(void **state)
{
    (void)state;
    put(SETTINGS, 0, 0, "");
    size_t len = input.len;
    for (int type = UNKNOWN; type <= 255; type += 35)
        put(type, 0xff, (uint32_t)type, "whatever");
    size_t dropped = input.len - len;
    put(PING, 0, 0, "12345678");
    put(UNKNOWN, 0, 1, "");
    played_t *played = play_all(&input, 0);
    assert_int_equal(played->dropped, dropped + HEADER_SIZE);
    assert_int_equal(played->passed.len, len + HEADER_SIZE + 8);
    assert_memory_equal(played->passed.bytes + len + HEADER_SIZE, "12345678", 8);
    free(played);
}

static void assert_broken(void)
{
    played_t *played = play_all(&input, 0);
    assert_int_equal(played->stop, FRAME_STOP_BROKEN);
    free(played);
}

static void nothing_comes_between_the_parts_of_a_block(void **state)
{
    (void)state;
    for (int type = DATA; type < UNKNOWN + 3; type++) {
        begin();
        put(HEADERS, END_STREAM, 1, "\x82");
        put(type, END_HEADERS, type == CONTINUATION ? 3 : 1, "\x82");
        assert_broken();
    }
}

/* The library would take it for the trailers of stream 1, which is open. */
static void block_ends_on_the_stream_that_it_began_on(void **state)
{
    (void)state;
    put(HEADERS, END_HEADERS, 1, "\x82");
    put(HEADERS, 0, 3, "\x82");
    put(CONTINUATION, END_HEADERS, 1, "\x82");
    assert_broken();
}

static void trailers_stop(void **state)
{
    (void)state;
    put(HEADERS, END_HEADERS, 1, "\x82");
    put(HEADERS, END_HEADERS, 3, "\x82");
    put(HEADERS, END_HEADERS | END_STREAM, 1, "\x82");
    size_t len = input.len;
    put(HEADERS, END_HEADERS, 5, "\x82");
    put(HEADERS, END_STREAM, 3, "\x82");
    put(CONTINUATION, 0, 3, "\x82");
    put(CONTINUATION, END_HEADERS, 3, "\x82");
    put(PING, 0, 0, "12345678");
    int allowance = PLENTY;
    frame_scanner_t scanner = {0};
    frame_scan_t scan = frame_scan(&scanner, &LIMITS, http2_slice(&input), &allowance);
    assert_int_equal(scan.stop, FRAME_STOP_TRAILERS);
    assert_int_equal(scan.pass, len);
    assert_int_equal(scan.trailers_stream_id, 1);
    played_t *played = play_all(&input, 0);
    assert_int_equal(played->trailers, 2);
    assert_int_equal(played->last_trailers_stream_id, 3);
    assert_int_equal(played->passed.len, input.len);
    assert_int_equal(played->scanner.opened, 3);
    free(played);
}

static void streams_beyond_the_final_one_are_dropped(void **state)
{
    (void)state;
    put(HEADERS, END_HEADERS, 3, "\x82");
    size_t before = input.len;
    put(HEADERS, 0, 5, "\x82");
    put(CONTINUATION, 0, 5, "\x82");
    put(CONTINUATION, END_HEADERS, 5, "\x82");
    http2_put_filled(&input, DATA, 0, 5, 'x', 100);
    put(RST_STREAM, 0, 5, "1234");
    put(WINDOW_UPDATE, 0, 7, "1234");
    put(HEADERS, END_HEADERS | END_STREAM, 7, "\x82");
    size_t dropped = input.len - before;
    put(PING, 0, 0, "12345678");
    http2_put_filled(&input, DATA, 0, 3, 'y', 100);
    put(HEADERS, END_STREAM, 3, "\x82");
    put(CONTINUATION, END_HEADERS, 3, "\x82");
    played_t *played = play_all(&input, 3);
    assert_int_equal(played->dropped, dropped);
    assert_int_equal(played->passed.len, input.len - dropped);
    assert_int_equal(played->scanner.opened, 1);
    assert_int_equal(played->scanner.last_stream_id, 3);
    assert_int_equal(played->trailers, 1);
    assert_int_equal(played->last_trailers_stream_id, 3);
    free(played);
}

/* The library does not know that a block is under way. */
static void dropped_block_breaks_off_too(void **state)
{
    (void)state;
    static const int TYPES[] = {HEADERS, PING, UNKNOWN, DATA};
    for (size_t i = 0; i < sizeof(TYPES) / sizeof(TYPES[0]); i++) {
        begin();
        put(HEADERS, END_HEADERS, 1, "\x82");
        put(HEADERS, 0, 3, "\x82");
        put(TYPES[i], END_HEADERS, TYPES[i] == PING ? 0 : 1, "12345678");
        played_t *played = play_all(&input, 1);
        assert_int_equal(played->stop, FRAME_STOP_BROKEN);
        free(played);
    }
}

static void block_is_bound_in_bytes(void **state)
{
    (void)state;
    for (size_t above = 0; above < 2; above++) {
        /* Padding and priority are none of it. */
        begin();
        http2_bytes_t *padded = calloc(1, sizeof(*padded));
        assert_non_null(padded);
        http2_put(padded, "\xff", 1);
        http2_put(padded, "\0\0\0\0\x10", 5);
        char field[1000] = "\x01\x7f\xe6\x06";
        http2_put(padded, field, sizeof(field) - 1 + above);
        memset(padded->bytes + padded->len, 0, 255);
        padded->len += 255;
        http2_put_frame(&input, HEADERS, PADDED | PRIORITY, 1, http2_slice(padded));
        http2_put_filled(&input, CONTINUATION, END_HEADERS, 1, 0x82, 1);
        free(padded);
        played_t *played = play_all(&input, 0);
        assert_int_equal(played->stop, above == 0 ? FRAME_STOP_INCOMPLETE : FRAME_STOP_TOO_LARGE);
        assert_int_equal(played->scanner.block_bytes, 1000 + above);
        free(played);
    }
}

static void block_is_bound_in_fields(void **state)
{
    (void)state;
    for (size_t above = 0; above < 2; above++) {
        begin();
        http2_put_filled(&input, HEADERS, END_HEADERS, 1, 0x82, 20 + above);
        played_t *at_once = play_all(&input, 0);
        assert_int_equal(at_once->stop, above == 0 ? FRAME_STOP_INCOMPLETE : FRAME_STOP_TOO_LARGE);
        free(at_once);
        begin();
        http2_put_filled(&input, HEADERS, 0, 1, 0x82, 10);
        http2_put_filled(&input, CONTINUATION, 0, 1, 0x82, 10 + above);
        http2_put_filled(&input, CONTINUATION, END_HEADERS, 1, 0x82, 0);
        /* The next one begins anew. */
        http2_put_filled(&input, HEADERS, END_HEADERS, 3, 0x82, 20);
        played_t *in_parts = play_all(&input, 0);
        assert_int_equal(in_parts->stop, above == 0 ? FRAME_STOP_INCOMPLETE : FRAME_STOP_TOO_LARGE);
        free(in_parts);
    }
}

static void dropped_blocks_are_bound_too(void **state)
{
    (void)state;
    http2_put_filled(&input, HEADERS, 0, 5, 0x82, 10);
    http2_put_filled(&input, CONTINUATION, 0, 5, 0x82, 11);
    played_t *played = play_all(&input, 3);
    assert_int_equal(played->stop, FRAME_STOP_TOO_LARGE);
    free(played);
}

static void malformed_headers_are_no_block(void **state)
{
    (void)state;
    put(HEADERS, END_HEADERS | PADDED, 1, "");
    put(HEADERS, END_HEADERS | PADDED, 3,
        "\x05"
        "1234");
    put(HEADERS, END_HEADERS | PRIORITY, 5, "1234");
    put(HEADERS, END_HEADERS | PRIORITY | PADDED, 7,
        "\x01"
        "12345");
    played_t *played = play_all(&input, 0);
    assert_int_equal(played->passed.len, input.len);
    assert_int_equal(played->scanner.block_bytes, 0);
    free(played);
}

static void oversized_frame_is_left_to_the_library(void **state)
{
    (void)state;
    size_t before = input.len;
    http2_put_filled(&input, UNKNOWN, 0, 0, 'x', 16385);
    played_t *played = new_played(0);
    play(played, http2_slice(&input), PLENTY);
    assert_int_equal(played->stop, FRAME_STOP_INCOMPLETE);
    assert_int_equal(played->done, before);
    free(played);
    begin();
    http2_put_filled(&input, DATA, 0, 1, 'x', 16384);
    played = new_played(0);
    play(played, http2_slice(&input), PLENTY);
    assert_int_equal(played->done, input.len);
    free(played);
}

static int cost_of_all(void)
{
    int allowance = PLENTY;
    frame_scanner_t scanner = {0};
    frame_scan_t scan = frame_scan(&scanner, &LIMITS, http2_slice(&input), &allowance);
    assert_int_equal(scan.stop, FRAME_STOP_INCOMPLETE);
    assert_int_equal(scan.pass, input.len);
    return PLENTY - allowance;
}

static void frames_have_their_cost(void **state)
{
    (void)state;
    assert_int_equal(cost_of_all(), 0);
    put(HEADERS, END_HEADERS, 1, "\x82");
    assert_int_equal(cost_of_all(), FRAME_COST_REQUEST);
    put(PING, 0, 0, "12345678");
    assert_int_equal(cost_of_all(), FRAME_COST_REQUEST + FRAME_COST_OTHER);
    http2_put_filled(&input, DATA, 0, 1, 'x', 1023);
    assert_int_equal(cost_of_all(), FRAME_COST_REQUEST + 2 * FRAME_COST_OTHER);
    http2_put_filled(&input, DATA, 0, 1, 'x', 16384);
    assert_int_equal(cost_of_all(), FRAME_COST_REQUEST + 3 * FRAME_COST_OTHER + 16 * FRAME_COST_BODY_KIB);
}

static void allowance_lets_one_frame_through_at_least(void **state)
{
    (void)state;
    for (uint32_t stream = 1; stream < 20; stream += 2)
        put(HEADERS, END_HEADERS, stream, "\x82");
    size_t frame_len = HEADER_SIZE + 1;
    frame_scanner_t scanner = {0};
    int allowance = 0;
    frame_scan_t scan = frame_scan(&scanner, &LIMITS, http2_slice(&input), &allowance);
    assert_int_equal(scan.stop, FRAME_STOP_ALLOWANCE);
    assert_int_equal(scan.pass, PREFACE_SIZE);
    slice_t rest = {(const char *)input.bytes + PREFACE_SIZE, input.len - PREFACE_SIZE};
    allowance = 1;
    scan = frame_scan(&scanner, &LIMITS, rest, &allowance);
    assert_int_equal(scan.stop, FRAME_STOP_ALLOWANCE);
    assert_int_equal(scan.pass, frame_len);
    assert_int_equal(allowance, 1 - FRAME_COST_REQUEST);
    rest.base += frame_len;
    rest.len -= frame_len;
    allowance = 4 * FRAME_COST_REQUEST;
    scan = frame_scan(&scanner, &LIMITS, rest, &allowance);
    assert_int_equal(scan.pass, 4 * frame_len);
    assert_int_equal(allowance, 0);
    assert_int_equal(scanner.opened, 5);
}

/* Frames that are dropped use the allowance up as well. */
static void dropping_costs(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++)
        put(UNKNOWN, 0, 0, "");
    frame_scanner_t scanner = {0};
    int allowance = 10;
    frame_scan_t scan = frame_scan(&scanner, &LIMITS, http2_slice(&input), &allowance);
    assert_int_equal(scan.stop, FRAME_STOP_ALLOWANCE);
    assert_int_equal(scan.pass, PREFACE_SIZE);
    assert_int_equal(scan.drop, 10 * HEADER_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(preface_is_awaited_whole, reset),
        cmocka_unit_test_setup(requests_pass_and_are_counted, reset),
        cmocka_unit_test_setup(all_frames_that_open_nothing_are_counted, reset),
        cmocka_unit_test_setup(priorities_are_dropped_where_they_are_well_formed, reset),
        cmocka_unit_test_setup(unknown_frames_are_dropped, reset),
        cmocka_unit_test_setup(nothing_comes_between_the_parts_of_a_block, reset),
        cmocka_unit_test_setup(block_ends_on_the_stream_that_it_began_on, reset),
        cmocka_unit_test_setup(trailers_stop, reset),
        cmocka_unit_test_setup(streams_beyond_the_final_one_are_dropped, reset),
        cmocka_unit_test_setup(dropped_block_breaks_off_too, reset),
        cmocka_unit_test_setup(block_is_bound_in_bytes, reset),
        cmocka_unit_test_setup(block_is_bound_in_fields, reset),
        cmocka_unit_test_setup(dropped_blocks_are_bound_too, reset),
        cmocka_unit_test_setup(malformed_headers_are_no_block, reset),
        cmocka_unit_test_setup(oversized_frame_is_left_to_the_library, reset),
        cmocka_unit_test_setup(frames_have_their_cost, reset),
        cmocka_unit_test_setup(allowance_lets_one_frame_through_at_least, reset),
        cmocka_unit_test_setup(dropping_costs, reset),
    };

    return cmocka_run_group_tests_name("frame_scan", tests, NULL, NULL);
}
