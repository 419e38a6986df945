/*
 * miss_queue: work that waits for its turn on an event loop.
 *
 * A verification is a hundred times the work of an answer from the cache, and one read event of the library
 * can carry thousands of requests. So misses wait here, a few are worked off between two turns of the loop,
 * and an entry dies with its request: a client that resets its streams buys no cryptography. Belongs to one
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
};

typedef struct miss_queue {
    h2o_linklist_t anchor;
    size_t len;
    size_t max_len;
} miss_queue_t;

void miss_queue_init(miss_queue_t *queue, size_t max_len);

/*
 * A miss of size bytes for req, in the memory of its pool and zeroed behind the miss_t, appended to the
 * queue. NULL when the queue is full. Its dispose runs when the request ends.
 */
miss_t *miss_queue_push(miss_queue_t *queue, h2o_req_t *req, size_t size, void (*run)(miss_t *miss),
                        void (*dispose)(miss_t *miss));

/* Runs at most max_count misses, oldest first. Whether it ran any. */
bool miss_queue_run(miss_queue_t *queue, size_t max_count);

#endif
