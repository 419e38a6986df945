#include "miss_queue.h"

/* The pool's shared block: what the library disposes of with the request. */
typedef struct holder {
    miss_queue_t *queue;
    _Alignas(max_align_t) char miss[];
} holder_t;

static miss_t *miss_of(holder_t *holder)
{
    return (miss_t *)(void *)holder->miss;
}

static void unlink_miss(miss_queue_t *queue, miss_t *miss)
{
    if (h2o_linklist_is_linked(&miss->link)) {
        h2o_linklist_unlink(&miss->link);
        queue->len--;
    }
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
    queue->len = 0;
    queue->max_len = max_len;
}

miss_t *miss_queue_push(miss_queue_t *queue, h2o_req_t *req, size_t size, void (*run)(miss_t *miss),
                        void (*dispose)(miss_t *miss))
{
    if (queue->len >= queue->max_len)
        return NULL;
    holder_t *holder = h2o_mem_alloc_shared(&req->pool, sizeof(*holder) + size, dispose_holder);
    memset(holder, 0, sizeof(*holder) + size);
    holder->queue = queue;
    miss_t *miss = miss_of(holder);
    miss->req = req;
    miss->run = run;
    miss->dispose = dispose;
    h2o_linklist_insert(&queue->anchor, &miss->link);
    queue->len++;
    return miss;
}

bool miss_queue_run(miss_queue_t *queue, size_t max_count)
{
    size_t count = 0;
    for (; count < max_count && !h2o_linklist_is_empty(&queue->anchor); count++) {
        miss_t *miss = H2O_STRUCT_FROM_MEMBER(miss_t, link, queue->anchor.next);
        unlink_miss(queue, miss);
        miss->run(miss);
    }
    return count > 0;
}
