#include "access_log.h"

#include "access_line.h"
#include "access_output.h"
#include "worker.h"

#include "introspectd/clock.h"
#include "introspectd/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

struct access_sink {
    access_output_t *output;
    unsigned sample;
    log_gate_t gate;
};

static bool asks_for_the_same(const access_sink_t *sink, const config_access_log_t *wanted)
{
    return access_output_is_wanted(sink->output, wanted) && sink->sample == wanted->sample &&
           sink->gate.burst == wanted->max_per_second;
}

bool access_log_prepare(const access_log_t *log, const config_t *config, access_sink_t **next,
                        server_error_t *error)
{
    const config_access_log_t *wanted = &config->access_log;
    access_sink_t *present = atomic_load(&log->sink);
    *next = NULL;
    if (wanted->target == CONFIG_LOG_OFF)
        return true;
    if (present != NULL && asks_for_the_same(present, wanted)) {
        *next = present;
        return true;
    }
    access_sink_t *sink = calloc(1, sizeof(*sink));
    if (sink == NULL) {
        snprintf(error->text, sizeof(error->text), "out of memory");
        return false;
    }
    sink->sample = wanted->sample;
    log_gate_init(&sink->gate, wanted->max_per_second, 1000);
    sink->output = present != NULL && access_output_is_wanted(present->output, wanted)
                       ? present->output
                       : access_output_start(config, error);
    if (sink->output == NULL) {
        free(sink);
        return false;
    }
    *next = sink;
    return true;
}

void access_log_discard(const access_log_t *log, access_sink_t *take_before)
{
    const access_sink_t *present = atomic_load(&log->sink);
    if (take_before == NULL || take_before == present)
        return;
    if (present == NULL || present->output != take_before->output)
        access_output_free(take_before->output);
    free(take_before);
}

access_sink_t *access_log_change(access_log_t *log, access_sink_t *take_next)
{
    return atomic_exchange(&log->sink, take_next);
}

void access_log_reopen(access_log_t *log)
{
    const access_sink_t *sink = atomic_load(&log->sink);
    if (sink != NULL)
        access_output_reopen(sink->output);
}

void access_log_close(access_log_t *log)
{
    access_log_discard(log, access_log_change(log, NULL));
}

uint64_t access_log_lost_total(void)
{
    return access_output_lost_total();
}

/* Of one thread: how many requests to pass over until the next line. */
typedef struct sampler {
    unsigned sample; /* for which it was drawn */
    uint32_t left;
    uint64_t random;
} sampler_t;

/* From 0 to 2 * (sample - 1), each as likely: a caller with a rhythm of its own is not always met, nor never.
 */
static uint32_t draw(sampler_t *sampler)
{
    if (sampler->random == 0 && getrandom(&sampler->random, sizeof(sampler->random), GRND_NONBLOCK) !=
                                    (ssize_t)sizeof(sampler->random))
        sampler->random = (uint64_t)clock_monotonic_us();
    sampler->random |= sampler->random == 0; /* xorshift's only fixed point */
    sampler->random ^= sampler->random << 13;
    sampler->random ^= sampler->random >> 7;
    sampler->random ^= sampler->random << 17;
    return (uint32_t)((sampler->random >> 32) % (2 * (uint64_t)sampler->sample - 1));
}

static bool is_sampled(unsigned sample)
{
    static _Thread_local sampler_t sampler;
    if (sample == 1)
        return true;
    if (sampler.sample != sample) {
        sampler.sample = sample;
        sampler.left = draw(&sampler);
    }
    if (sampler.left > 0) {
        sampler.left--;
        return false;
    }
    sampler.left = draw(&sampler);
    return true;
}

void access_sink_note(access_sink_t *sink, h2o_req_t *req, const answer_note_t *note)
{
    access_output_t *output = sink->output;
    access_line_t line = {.sample = sink->sample, .is_among_events = output->is_among_events};
    if (!is_sampled(sink->sample) || !log_gate_pass(&sink->gate, clock_monotonic_ms(), &line.left_out))
        return;
    char token_name[DIGEST_NAME_SIZE];
    if (note->token.base != NULL) {
        introspect_token_name(worker_of(req)->setup->introspect, note->token, token_name);
        line.token_name = token_name;
    }
    clock_gettime(CLOCK_REALTIME, &line.time);
    line.peer = connection_peer(req);
    line.is_http2 = req->version >= 0x200;
    char text[ACCESS_LINE_SIZE];
    slice_t written = {text, access_line_format(&line, note, text)};
    access_output_write(output, written);
}
