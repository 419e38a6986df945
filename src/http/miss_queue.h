/*
 * miss_queue: work that waits for its turn on an event loop.
 *
 * A verification is a hundred times the work of an answer from the cache, and one read event of the library
 * can carry thousands of requests. So misses wait here, a few are worked off in each turn of the loop, and
 * an entry dies with its request: streams that are reset in the same read, or while the queue is long, buy no
 * cryptography. Belongs to one
 * thread.
 */
#ifndef INTROSPECTD_HTTP_MISS_QUEUE_H
#define INTROSPECTD_HTTP_MISS_QUEUE_H

#include <h2o.h>
#include <stdbool.h>

typedef struct miss miss_t;

/* To be embedded at the start of what a miss needs. */
struct miss {
    h2o_linklist_t link;
    h2o_req_t *req;
    void (*run)(miss_t *miss);     /* decides and answers */
    void (*dispose)(miss_t *miss); /* releases what the miss holds; runs exactly once, with or without run */
    uint64_t work;    /* which work it is: equal for misses of which one saves the others theirs */
    bool is_repeated; /* the same work waited already when this one came */
    bool is_noted;    /* counted in the queue's table */
};

enum { MISS_QUEUE_TABLE_SIZE = 4096, MISS_QUEUE_REPEAT_FACTOR = 16 };

typedef struct miss_queue {
    h2o_linklist_t anchor;
    size_t len;          /* of different works, as far as the table can tell */
    size_t repeated_len; /* of misses whose work waits already */
    size_t max_len;
    struct {
        uint64_t work;
        size_t count;
    } table[MISS_QUEUE_TABLE_SIZE]; /* the works that wait; one that finds its place taken is not in it */
} miss_queue_t;

/* queue is zero-initialised: most of its table is never touched, and then takes no memory. */
void miss_queue_init(miss_queue_t *queue, size_t max_len);

/*
 * A miss of size bytes for req, in the memory of its pool and zeroed behind the miss_t, appended to the
 * queue. NULL when the queue is full: max_len different works wait, or MISS_QUEUE_REPEAT_FACTOR times as many
 * whose work waits already, which is what a thousand callers with one new token are. Its dispose runs when
 * the request ends.
 */
miss_t *miss_queue_push(miss_queue_t *queue, h2o_req_t *req, uint64_t work, size_t size,
                        void (*run)(miss_t *miss), void (*dispose)(miss_t *miss));

/* Appends the caller's own miss, without a request, which runs when all before it have run or died. Never
 * full. */
void miss_queue_append(miss_queue_t *queue, miss_t *miss);

bool miss_queue_is_empty(miss_queue_t *queue);

/* Runs misses, oldest first, until none waits or budget_us are over: call from within the event loop. */
void miss_queue_run(miss_queue_t *queue, int64_t budget_us);

#endif
