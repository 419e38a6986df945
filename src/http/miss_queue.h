/*
 * miss_queue: work that waits for its turn on an event loop.
 *
 * A verification is a hundred times the work of an answer from the cache, and one read event of the library
 * can carry thousands of requests. So misses wait here, a few are worked off in each turn of the loop, and
 * an entry dies with its request: streams that are reset in the same read, or while the queue is long, buy no
 * cryptography.
 *
 * Each connection is a flow, and the flows take turns, by the time that their misses take: whoever has one
 * miss waits for one of each of the others, however many these have. Nothing is allocated but the misses, in
 * the memory of their requests. Belongs to one thread.
 */
#ifndef INTROSPECTD_HTTP_MISS_QUEUE_H
#define INTROSPECTD_HTTP_MISS_QUEUE_H

#include <h2o.h>
#include <stdbool.h>

typedef struct miss miss_t;
typedef struct miss_queue miss_queue_t;
typedef struct miss_marker miss_marker_t;

enum {
    MISS_QUEUE_TABLE_SIZE = 4096,
    MISS_QUEUE_REPEAT_FACTOR = 16,
    MISS_QUEUE_SHARE_US = 50 /* of a flow in a round; about one verification */
};

/* A miss that comes while the same work waits already will hardly cost any. Both kinds have their own bound.
 */
typedef enum miss_kind { MISS_NEW, MISS_REPEATED, MISS_KINDS } miss_kind_t;

typedef struct miss_type {
    size_t size;                   /* of the struct that opens with a miss_t */
    void (*run)(miss_t *miss);     /* decides and answers, which may end the request and its connection */
    void (*dispose)(miss_t *miss); /* releases what the miss holds; runs exactly once, with or without run */
} miss_type_t;

/* What waits of one connection: to be embedded there. */
typedef struct miss_flow {
    h2o_linklist_t link;    /* in the queue's ring, while something waits */
    h2o_linklist_t waiting; /* oldest first */
    size_t len[MISS_KINDS];
    int64_t ahead_us;    /* that its misses took beyond its share */
    miss_queue_t *queue; /* of the last push */
} miss_flow_t;

/* To be embedded at the start of what a miss needs. */
struct miss {
    h2o_linklist_t link;
    const miss_type_t *type;
    h2o_req_t *req;
    miss_flow_t *flow;
    uint64_t work;    /* which work it is: equal for misses of which one saves the others theirs */
    uint64_t epoch;   /* of the queue when this one came */
    miss_kind_t kind; /* that it counts as */
    bool is_noted;    /* counted in the queue's table */
    bool is_repeated; /* when it runs: another of the same work has run, and may have left its result */
};

/* To be embedded in what is done when all misses are through that wait now. */
struct miss_marker {
    void (*run)(miss_marker_t *marker);
};

struct miss_queue {
    h2o_linklist_t ring; /* of flows, the next one first */
    size_t len[MISS_KINDS];
    size_t max_len;
    miss_flow_t *running;  /* whose miss runs; NULL if none does, or its connection has ended meanwhile */
    miss_marker_t *marker; /* NULL if there is none */
    size_t before_marker;  /* misses that wait and are of an older epoch */
    uint64_t epoch;        /* counts the markers */
    struct {
        uint64_t work;
        uint32_t count;
        bool is_done;               /* by one of those that waited together */
    } table[MISS_QUEUE_TABLE_SIZE]; /* the works that wait; one that finds its place taken is not in it */
};

/* queue is zero-initialised: most of its table is never touched, and then takes no memory. */
void miss_queue_init(miss_queue_t *queue, size_t max_len);

/* How many misses of different works may wait, at any time. Those that wait already are not turned away. */
void miss_queue_set_max_len(miss_queue_t *queue, size_t max_len);

/* flow is zero-initialised. */
void miss_flow_init(miss_flow_t *flow);

/* To be called before flow's memory is given up. What still waits in it is not run. */
void miss_flow_deinit(miss_flow_t *flow);

/*
 * A miss for req, in the memory of its pool and zeroed behind the miss_t, which waits in flow: the one of the
 * request's connection. Its dispose runs when the request ends.
 *
 * NULL when there is no room: a flow may have as many misses waiting as the queue has places left, so that
 * one alone fills half of it, several have equal shares, and one that comes new finds a place. The places are
 * max_len for different works, and MISS_QUEUE_REPEAT_FACTOR times as many for misses whose work waits
 * already, which is what a thousand callers with one new token are.
 */
miss_t *miss_queue_push(miss_queue_t *queue, miss_flow_t *flow, h2o_req_t *req, uint64_t work,
                        const miss_type_t *type) __attribute__((warn_unused_result));

/*
 * Has miss_queue_run run the caller's marker, once, when all misses that wait now have run or died; others
 * may have run by then. One marker at a time.
 */
void miss_queue_mark(miss_queue_t *queue, miss_marker_t *marker);

/* Whether miss_queue_run has nothing to do: no miss waits, and no marker. */
bool miss_queue_is_empty(miss_queue_t *queue);

/* How many misses wait. */
static inline size_t miss_queue_len(const miss_queue_t *queue)
{
    return queue->len[MISS_NEW] + queue->len[MISS_REPEATED];
}

/*
 * Runs misses until none waits or budget_us are over, one at least: the oldest of each flow in turn. Call
 * from within the event loop.
 */
void miss_queue_run(miss_queue_t *queue, int64_t budget_us);

#endif
