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

static access_sink_t *sink_new(const config_access_log_t *wanted, access_output_t *output)
{
    access_sink_t *sink = calloc(1, sizeof(*sink));
    if (sink == NULL)
        return NULL;
    sink->output = output;
    sink->sample = wanted->sample;
    log_gate_init(&sink->gate, wanted->max_per_second, 1000);
    return sink;
}

/* With an output of its own; *error is filled already, for a lack of memory. */
static access_sink_t *sink_open(const config_t *config, server_error_t *error)
{
    access_output_t *output = access_output_open(config, error);
    access_sink_t *sink = output == NULL ? NULL : sink_new(&config->access_log, output);
    if (sink == NULL)
        access_output_free(output);
    return sink;
}

bool access_log_open(access_log_t *log, const config_t *config, server_error_t *error)
{
    if (config->access_log.target == CONFIG_LOG_OFF)
        return true;
    snprintf(error->text, sizeof(error->text), "out of memory");
    log->opened = sink_open(config, error);
    return log->opened != NULL;
}

bool access_log_start(access_log_t *log)
{
    if (log->opened == NULL)
        return true;
    if (!access_output_start(log->opened->output))
        return false;
    atomic_store_explicit(&log->sink, log->opened, memory_order_release);
    log->opened = NULL;
    return true;
}

bool access_log_prepare(const access_log_t *log, const config_t *config, access_sink_t **next,
                        server_error_t *error)
{
    const config_access_log_t *wanted = &config->access_log;
    const access_sink_t *present = atomic_load(&log->sink);
    *next = NULL;
    if (wanted->target == CONFIG_LOG_OFF)
        return true;
    snprintf(error->text, sizeof(error->text), "out of memory or threads");
    if (present != NULL && access_output_is_wanted(present->output, wanted)) {
        *next = sink_new(wanted, present->output);
        return *next != NULL;
    }
    *next = sink_open(config, error);
    if (*next != NULL && !access_output_start((*next)->output)) {
        access_log_discard(log, *next);
        *next = NULL;
    }
    return *next != NULL;
}

void access_log_discard(const access_log_t *log, access_sink_t *take_next)
{
    const access_sink_t *present = atomic_load(&log->sink);
    if (take_next == NULL)
        return;
    if (present == NULL || present->output != take_next->output)
        access_output_free(take_next->output);
    free(take_next);
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
    access_sink_t *sinks[] = {log->opened, atomic_exchange(&log->sink, NULL)};
    log->opened = NULL;
    for (size_t i = 0; i < sizeof(sinks) / sizeof(sinks[0]); i++)
        access_log_discard(log, sinks[i]);
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
