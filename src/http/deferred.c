#include "deferred.h"

#include "introspectd/clock.h"

typedef struct entry {
    h2o_linklist_t link;
    deferred_cb *run;
    h2o_handler_t *handler;
    h2o_req_t *req;
    int64_t came_us;
} entry_t;

static void dispose_entry(void *block)
{
    entry_t *entry = block;
    if (h2o_linklist_is_linked(&entry->link))
        h2o_linklist_unlink(&entry->link);
}

void deferred_init(deferred_t *deferred)
{
    h2o_linklist_init_anchor(&deferred->waiting);
}

void deferred_push(deferred_t *deferred, deferred_cb *run, h2o_handler_t *handler, h2o_req_t *req,
                   int64_t came_us)
{
    entry_t *entry = h2o_mem_alloc_shared(&req->pool, sizeof(*entry), dispose_entry);
    *entry = (entry_t){.run = run, .handler = handler, .req = req, .came_us = came_us};
    h2o_linklist_insert(&deferred->waiting, &entry->link);
}

bool deferred_is_empty(deferred_t *deferred)
{
    return h2o_linklist_is_empty(&deferred->waiting);
}

void deferred_run(deferred_t *deferred, int64_t budget_us)
{
    if (deferred_is_empty(deferred))
        return;
    int64_t end_us = clock_monotonic_us() + budget_us;
    h2o_linklist_t now;
    h2o_linklist_init_anchor(&now);
    h2o_linklist_insert_list(&now, &deferred->waiting);
    do {
        entry_t *entry = H2O_STRUCT_FROM_MEMBER(entry_t, link, now.next);
        h2o_linklist_unlink(&entry->link);
        entry->run(entry->handler, entry->req, entry->came_us);
    } while (!h2o_linklist_is_empty(&now) && clock_monotonic_us() < end_us);
    /* Before those that came meanwhile. */
    h2o_linklist_insert_list(deferred->waiting.next, &now);
}
