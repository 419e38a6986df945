#include "miss_queue.h"

#include "introspectd/clock.h"

#include <assert.h>

static size_t place_of(uint64_t work)
{
    return work % MISS_QUEUE_TABLE_SIZE;
}

static bool is_waiting(const miss_queue_t *queue, uint64_t work)
{
    size_t place = place_of(work);
    return queue->table[place].count > 0 && queue->table[place].work == work;
}

static void note_work(miss_queue_t *queue, miss_t *miss)
{
    size_t place = place_of(miss->work);
    if (queue->table[place].count == 0) {
        queue->table[place].work = miss->work;
        queue->table[place].is_done = false;
    }
    miss->is_noted = queue->table[place].work == miss->work;
    if (miss->is_noted)
        queue->table[place].count++;
}

static void link_miss(miss_queue_t *queue, miss_t *miss)
{
    miss_flow_t *flow = miss->flow;
    note_work(queue, miss);
    queue->len[miss->kind]++;
    flow->len[miss->kind]++;
    h2o_linklist_insert(&flow->waiting, &miss->link);
    if (!h2o_linklist_is_linked(&flow->link))
        h2o_linklist_insert(&queue->ring, &flow->link);
}

static void unlink_miss(miss_t *miss)
{
    if (!h2o_linklist_is_linked(&miss->link))
        return;
    miss_flow_t *flow = miss->flow;
    miss_queue_t *queue = flow->queue;
    if (miss->is_noted)
        queue->table[place_of(miss->work)].count--;
    queue->len[miss->kind]--;
    flow->len[miss->kind]--;
    if (miss->epoch != queue->epoch)
        queue->before_marker--;
    h2o_linklist_unlink(&miss->link);
    if (h2o_linklist_is_empty(&flow->waiting))
        h2o_linklist_unlink(&flow->link);
}

static void dispose_miss(void *block)
{
    miss_t *miss = block;
    unlink_miss(miss);
    miss->type->dispose(miss);
}

void miss_queue_init(miss_queue_t *queue, size_t max_len)
{
    h2o_linklist_init_anchor(&queue->ring);
    queue->max_len = max_len;
}

void miss_queue_set_max_len(miss_queue_t *queue, size_t max_len)
{
    queue->max_len = max_len;
}

void miss_flow_init(miss_flow_t *flow)
{
    h2o_linklist_init_anchor(&flow->waiting);
}

static miss_t *oldest_of(miss_flow_t *flow)
{
    return H2O_STRUCT_FROM_MEMBER(miss_t, link, flow->waiting.next);
}

void miss_flow_deinit(miss_flow_t *flow)
{
    if (flow->queue != NULL && flow->queue->running == flow)
        flow->queue->running = NULL;
    while (!h2o_linklist_is_empty(&flow->waiting))
        unlink_miss(oldest_of(flow));
}

static bool has_room(const miss_queue_t *queue, const miss_flow_t *flow, miss_kind_t kind)
{
    size_t places = kind == MISS_REPEATED ? queue->max_len * MISS_QUEUE_REPEAT_FACTOR : queue->max_len;
    return queue->len[kind] < places && flow->len[kind] < places - queue->len[kind];
}

miss_t *miss_queue_push(miss_queue_t *queue, miss_flow_t *flow, h2o_req_t *req, uint64_t work,
                        const miss_type_t *type)
{
    miss_kind_t kind = is_waiting(queue, work) ? MISS_REPEATED : MISS_NEW;
    if (!has_room(queue, flow, kind))
        return NULL;
    miss_t *miss = h2o_mem_alloc_shared(&req->pool, type->size, dispose_miss);
    memset(miss, 0, type->size);
    miss->type = type;
    miss->req = req;
    miss->flow = flow;
    miss->work = work;
    miss->epoch = queue->epoch;
    miss->kind = kind;
    flow->queue = queue;
    link_miss(queue, miss);
    return miss;
}

void miss_queue_mark(miss_queue_t *queue, miss_marker_t *marker)
{
    assert(queue->marker == NULL);
    queue->marker = marker;
    queue->before_marker = queue->len[MISS_NEW] + queue->len[MISS_REPEATED];
    queue->epoch++;
}

bool miss_queue_is_empty(miss_queue_t *queue)
{
    return h2o_linklist_is_empty(&queue->ring) && queue->marker == NULL;
}

static void run_marker(miss_queue_t *queue)
{
    miss_marker_t *marker = queue->marker;
    queue->marker = NULL;
    marker->run(marker);
}

static void move_to_end(miss_queue_t *queue, miss_flow_t *flow)
{
    h2o_linklist_unlink(&flow->link);
    h2o_linklist_insert(&queue->ring, &flow->link);
}

/* Whose misses are dear passes as many turns as they took beyond the share of one. */
static miss_flow_t *next_flow(miss_queue_t *queue)
{
    for (;;) {
        miss_flow_t *flow = H2O_STRUCT_FROM_MEMBER(miss_flow_t, link, queue->ring.next);
        if (flow->ahead_us < MISS_QUEUE_SHARE_US)
            return flow;
        flow->ahead_us -= MISS_QUEUE_SHARE_US;
        move_to_end(queue, flow);
    }
}

static void run_next(miss_queue_t *queue)
{
    miss_flow_t *flow = next_flow(queue);
    miss_t *miss = oldest_of(flow);
    size_t place = place_of(miss->work);
    miss->is_repeated = miss->is_noted && queue->table[place].is_done;
    if (miss->is_noted)
        queue->table[place].is_done = true;
    unlink_miss(miss);
    /* All before the run: it may end the connection, and the flow with it. */
    if (h2o_linklist_is_linked(&flow->link))
        move_to_end(queue, flow);
    queue->running = flow;
    miss->type->run(miss);
}

/* Gives now. */
static int64_t charge(miss_queue_t *queue, int64_t since_us)
{
    int64_t now_us = clock_monotonic_us();
    if (queue->running != NULL)
        queue->running->ahead_us += now_us - since_us;
    queue->running = NULL;
    return now_us;
}

void miss_queue_run(miss_queue_t *queue, int64_t budget_us)
{
    int64_t now_us = clock_monotonic_us();
    int64_t end_us = now_us + budget_us;
    while (!miss_queue_is_empty(queue)) {
        if (queue->marker != NULL && queue->before_marker == 0)
            run_marker(queue);
        else
            run_next(queue);
        now_us = charge(queue, now_us);
        if (now_us >= end_us)
            return;
    }
}
