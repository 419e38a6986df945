/*
 * miss_queue_scene: a queue, the connections whose misses wait in it, and what became of these.
 */
#ifndef MISS_QUEUE_SCENE_H
#define MISS_QUEUE_SCENE_H

#include "miss_queue.h"

enum { MAX_LEN = 12, FLOWS = 3, MAX_REQUESTS = 1024, LONG_US = 10000000 };

/* Requests are numbered from 0, in the order in which they came. */
typedef struct scene {
    miss_queue_t queue;
    miss_flow_t *flows[FLOWS]; /* NULL when closed */
    h2o_req_t *requests[MAX_REQUESTS];
    int count;
    int ran[MAX_REQUESTS]; /* in this order */
    int ran_count;
    int repeated_count; /* that were told so when they ran */
    int disposed[MAX_REQUESTS];
    miss_marker_t marker;
    int marked_after; /* misses that had run when the marker did, -1 before */
} scene_t;

int open_scene(void **state);
/* Checks that what came was disposed of once, and that the queue counts nothing any more. */
int close_scene(void **state);

#define SCENE_TEST(function) cmocka_unit_test_setup_teardown(function, open_scene, close_scene)

extern const miss_type_t JOB;
/* Answers, upon which the request ends. */
extern const miss_type_t ENDING_JOB;
/* Answers, upon which the connection closes with every request of the scene. */
extern const miss_type_t CLOSING_JOB;

/* The number of the request, or -1 when the queue has no room for it. */
int push_as(scene_t *scene, int flow, uint64_t work, const miss_type_t *type);
/* A miss of work that no other has, unless that is a small number too. */
int push(scene_t *scene, int flow);
/* How many had room. */
int push_until_full(scene_t *scene, int flow);
void end_request(scene_t *scene, int id);
void close_flow(scene_t *scene, int flow);
void run_all(scene_t *scene);

void assert_ran(const scene_t *scene, int count, const int *ids);

#define ASSERT_RAN(scene, ...)                                                                               \
    assert_ran((scene), sizeof((int[]){__VA_ARGS__}) / sizeof(int), (int[]){__VA_ARGS__})

#endif
