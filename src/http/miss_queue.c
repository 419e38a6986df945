#include "miss_queue.h"

#include "introspectd/clock.h"

/* The pool's shared block: what the library disposes of with the request. */
typedef struct holder {
    miss_queue_t *queue;
    _Alignas(max_align_t) char miss[];
} holder_t;

static miss_t *miss_of(holder_t *holder)
{
    return (miss_t *)(void *)holder->miss;
}

static bool is_waiting(const miss_queue_t *queue, uint64_t work)
{
    size_t place = work % MISS_QUEUE_TABLE_SIZE;
    return queue->table[place].count > 0 && queue->table[place].work == work;
}

static void link_miss(miss_queue_t *queue, miss_t *miss)
{
    size_t place = miss->work % MISS_QUEUE_TABLE_SIZE;
    miss->is_repeated = is_waiting(queue, miss->work);
    miss->is_noted = miss->is_repeated || queue->table[place].count == 0;
    if (miss->is_noted) {
        queue->table[place].work = miss->work;
        queue->table[place].count++;
    }
    if (miss->is_repeated)
        queue->repeated_len++;
    else
        queue->len++;
    h2o_linklist_insert(&queue->anchor, &miss->link);
}

static void unlink_miss(miss_queue_t *queue, miss_t *miss)
{
    if (!h2o_linklist_is_linked(&miss->link))
        return;
    h2o_linklist_unlink(&miss->link);
    if (miss->is_noted)
        queue->table[miss->work % MISS_QUEUE_TABLE_SIZE].count--;
    if (miss->is_repeated)
        queue->repeated_len--;
    else if (miss->req != NULL)
        queue->len--;
}

static void dispose_holder(void *block)
{
    holder_t *holder = block;
    miss_t *miss = miss_of(holder);
    unlink_miss(holder->queue, miss);
    miss->dispose(miss);
}

void miss_queue_init(miss_queue_t *queue, size_t max_len)
{
    h2o_linklist_init_anchor(&queue->anchor);
    queue->max_len = max_len;
}

static bool is_full(const miss_queue_t *queue, uint64_t work)
{
    if (is_waiting(queue, work))
        return queue->repeated_len >= queue->max_len * MISS_QUEUE_REPEAT_FACTOR;
    return queue->len >= queue->max_len;
}

miss_t *miss_queue_push(miss_queue_t *queue, h2o_req_t *req, uint64_t work, size_t size,
                        void (*run)(miss_t *miss), void (*dispose)(miss_t *miss))
{
    if (is_full(queue, work))
        return NULL;
    holder_t *holder = h2o_mem_alloc_shared(&req->pool, sizeof(*holder) + size, dispose_holder);
    memset(holder, 0, sizeof(*holder) + size);
    holder->queue = queue;
    miss_t *miss = miss_of(holder);
    miss->req = req;
    miss->run = run;
    miss->dispose = dispose;
    miss->work = work;
    link_miss(queue, miss);
    return miss;
}

void miss_queue_append(miss_queue_t *queue, miss_t *miss)
{
    h2o_linklist_insert(&queue->anchor, &miss->link);
}

bool miss_queue_is_empty(miss_queue_t *queue)
{
    return h2o_linklist_is_empty(&queue->anchor);
}

void miss_queue_run(miss_queue_t *queue, int64_t budget_us)
{
    int64_t end_us = clock_monotonic_us() + budget_us;
    while (!miss_queue_is_empty(queue)) {
        miss_t *miss = H2O_STRUCT_FROM_MEMBER(miss_t, link, queue->anchor.next);
        unlink_miss(queue, miss);
        miss->run(miss);
        if (clock_monotonic_us() >= end_us)
            return;
    }
}
