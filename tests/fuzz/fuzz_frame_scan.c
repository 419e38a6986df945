/*
 * A connection's HTTP/2 input. The first bytes say how it is cut and what is allowed; what comes of the rest
 * does not depend on that.
 */
#include "fuzz.h"

#include "frame_scan.h"

#include <string.h>

enum { SETTINGS_SIZE = 8, MAX_INPUT = 1 << 16, PLENTY = 1 << 30 };

typedef struct played {
    frame_scanner_t scanner;
    uint8_t *passed;
    size_t passed_len;
    size_t dropped;
    unsigned trailers;
    frame_stop_t stop;
    bool is_ended;
    size_t done;
} played_t;

static frame_limits_t limits;

static frame_scan_t scan_copy(frame_scanner_t *scanner, const uint8_t *data, size_t len, int *allowance)
{
    char *copy = malloc(len + 1); /* what is read behind the bytes is seen */
    if (copy == NULL)
        abort();
    if (len > 0)
        memcpy(copy + 1, data, len);
    frame_scan_t scan = frame_scan(scanner, &limits, (slice_t){copy + 1, len}, allowance);
    free(copy);
    return scan;
}

static bool has_whole_frame(const played_t *played, const uint8_t *data, size_t len)
{
    if (!played->scanner.has_preface)
        return len >= 24;
    if (len < 9)
        return false;
    size_t payload_len = (size_t)data[0] << 16 | (size_t)data[1] << 8 | data[2];
    return payload_len <= 16384 && len - 9 >= payload_len;
}

static void check_growth(const frame_scanner_t *before, const frame_scanner_t *after)
{
    FUZZ_CHECK(after->opened >= before->opened);
    FUZZ_CHECK(after->other_frames >= before->other_frames);
    FUZZ_CHECK(after->data_bytes >= before->data_bytes);
    FUZZ_CHECK(after->last_stream_id >= before->last_stream_id);
    FUZZ_CHECK(after->final_stream_id == before->final_stream_id);
}

static void play(played_t *played, const uint8_t *data, size_t size, int allowance)
{
    bool is_waiting = false;
    while (!is_waiting && !played->is_ended) {
        int left = allowance;
        const uint8_t *rest = data + played->done;
        size_t len = size - played->done;
        bool can_go_on = has_whole_frame(played, rest, len);
        frame_scanner_t before = played->scanner;
        frame_scan_t scan = scan_copy(&played->scanner, rest, len, &left);
        check_growth(&before, &played->scanner);
        FUZZ_CHECK(scan.pass + scan.drop <= len);
        played->is_ended = scan.stop == FRAME_STOP_TOO_LARGE || scan.stop == FRAME_STOP_BROKEN;
        is_waiting = scan.stop == FRAME_STOP_INCOMPLETE;
        FUZZ_CHECK(played->is_ended || can_go_on == (scan.pass + scan.drop > 0));
        FUZZ_CHECK((scan.stop == FRAME_STOP_TRAILERS) || scan.trailers_stream_id == 0);
        if (scan.pass > 0)
            memcpy(played->passed + played->passed_len, rest, scan.pass);
        played->passed_len += scan.pass;
        played->dropped += scan.drop;
        played->trailers += scan.stop == FRAME_STOP_TRAILERS;
        played->stop = scan.stop;
        played->done += scan.pass + scan.drop;
    }
}

static played_t begin(size_t size, uint32_t final_stream_id)
{
    played_t played = {.scanner = {.final_stream_id = final_stream_id}, .passed = malloc(size + 1)};
    if (played.passed == NULL)
        abort();
    return played;
}

static void check_same(const played_t *one, const played_t *other)
{
    FUZZ_CHECK(one->passed_len == other->passed_len);
    FUZZ_CHECK(memcmp(one->passed, other->passed, one->passed_len) == 0);
    FUZZ_CHECK(one->dropped == other->dropped);
    FUZZ_CHECK(one->trailers == other->trailers);
    FUZZ_CHECK(one->stop == other->stop);
    FUZZ_CHECK(one->scanner.opened == other->scanner.opened);
    FUZZ_CHECK(one->scanner.other_frames == other->scanner.other_frames);
    FUZZ_CHECK(one->scanner.data_bytes == other->scanner.data_bytes);
    FUZZ_CHECK(one->scanner.block.fields == other->scanner.block.fields);
}

/* Settings: the limits, the final stream, a turn's allowance, and the length of the pieces. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < SETTINGS_SIZE || size > MAX_INPUT)
        return 0;
    limits = (frame_limits_t){.max_block_bytes = (size_t)data[0] << 8 | data[1], .max_fields = data[2]};
    uint32_t final_stream_id = data[3];
    int allowance = 1 + data[4];
    size_t piece_len = 1 + data[5];
    size_t cut = (size_t)data[6] << 8 | data[7];
    data += SETTINGS_SIZE;
    size -= SETTINGS_SIZE;
    played_t whole = begin(size, final_stream_id);
    played_t in_two = begin(size, final_stream_id);
    played_t in_pieces = begin(size, final_stream_id);
    play(&whole, data, size, PLENTY);
    play(&in_two, data, cut < size ? cut : size, PLENTY);
    play(&in_two, data, size, PLENTY);
    for (size_t len = 0; len < size; len += piece_len)
        play(&in_pieces, data, len, allowance);
    play(&in_pieces, data, size, allowance);
    check_same(&in_two, &whole);
    check_same(&in_pieces, &whole);
    free(whole.passed);
    free(in_two.passed);
    free(in_pieces.passed);
    return 0;
}
