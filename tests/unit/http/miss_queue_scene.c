#include "miss_queue_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

typedef struct job {
    miss_t super;
    scene_t *scene;
    int id;
    int flow;
} job_t;

static void run_marker(miss_marker_t *marker)
{
    scene_t *scene = H2O_STRUCT_FROM_MEMBER(scene_t, marker, marker);
    assert_int_equal(scene->marked_after, -1);
    scene->marked_after = scene->ran_count;
}

static void open_flow(scene_t *scene, int flow)
{
    scene->flows[flow] = calloc(1, sizeof(*scene->flows[flow]));
    assert_non_null(scene->flows[flow]);
    miss_flow_init(scene->flows[flow]);
}

void close_flow(scene_t *scene, int flow)
{
    miss_flow_deinit(scene->flows[flow]);
    free(scene->flows[flow]);
    scene->flows[flow] = NULL;
}

void end_request(scene_t *scene, int id)
{
    if (scene->requests[id] == NULL)
        return;
    h2o_mem_clear_pool(&scene->requests[id]->pool);
    free(scene->requests[id]);
    scene->requests[id] = NULL;
}

int open_scene(void **state)
{
    scene_t *scene = calloc(1, sizeof(*scene));
    assert_non_null(scene);
    miss_queue_init(&scene->queue, MAX_LEN);
    scene->marker.run = run_marker;
    scene->marked_after = -1;
    for (int flow = 0; flow < FLOWS; flow++)
        open_flow(scene, flow);
    *state = scene;
    return 0;
}

int close_scene(void **state)
{
    scene_t *scene = *state;
    for (int id = 0; id < scene->count; id++) {
        end_request(scene, id);
        assert_int_equal(scene->disposed[id], 1);
    }
    assert_true(h2o_linklist_is_empty(&scene->queue.ring));
    assert_int_equal(scene->queue.len[MISS_NEW], 0);
    assert_int_equal(scene->queue.len[MISS_REPEATED], 0);
    assert_int_equal(scene->queue.before_marker, 0);
    for (size_t place = 0; place < MISS_QUEUE_TABLE_SIZE; place++)
        assert_int_equal(scene->queue.table[place].count, 0);
    for (int flow = 0; flow < FLOWS; flow++) {
        if (scene->flows[flow] != NULL)
            close_flow(scene, flow);
    }
    free(scene);
    return 0;
}

static void run_job(miss_t *miss)
{
    job_t *job = (job_t *)miss;
    job->scene->ran[job->scene->ran_count++] = job->id;
    job->scene->repeated_count += miss->is_repeated;
}

static void dispose_job(miss_t *miss)
{
    job_t *job = (job_t *)miss;
    job->scene->disposed[job->id]++;
}

static void run_job_to_its_end(miss_t *miss)
{
    job_t *job = (job_t *)miss;
    run_job(miss);
    end_request(job->scene, job->id);
}

static void run_job_and_close(miss_t *miss)
{
    job_t *job = (job_t *)miss;
    scene_t *scene = job->scene;
    int flow = job->flow;
    run_job(miss);
    for (int id = 0; id < scene->count; id++)
        end_request(scene, id);
    close_flow(scene, flow);
}

const miss_type_t JOB = {sizeof(job_t), run_job, dispose_job};
const miss_type_t ENDING_JOB = {sizeof(job_t), run_job_to_its_end, dispose_job};
const miss_type_t CLOSING_JOB = {sizeof(job_t), run_job_and_close, dispose_job};

int push_as(scene_t *scene, int flow, uint64_t work, const miss_type_t *type)
{
    int id = scene->count;
    assert_true(id < MAX_REQUESTS);
    h2o_req_t *req = calloc(1, sizeof(*req));
    assert_non_null(req);
    h2o_mem_init_pool(&req->pool);
    job_t *job = (job_t *)miss_queue_push(&scene->queue, scene->flows[flow], req, work, type);
    if (job == NULL) {
        free(req);
        return -1;
    }
    assert_ptr_equal(job->super.req, req);
    assert_null(job->scene);
    job->scene = scene;
    job->id = id;
    job->flow = flow;
    scene->requests[id] = req;
    scene->count++;
    return id;
}

int push(scene_t *scene, int flow)
{
    return push_as(scene, flow, (uint64_t)scene->count, &JOB);
}

int push_until_full(scene_t *scene, int flow)
{
    int count = 0;
    while (push(scene, flow) >= 0)
        count++;
    return count;
}

void run_all(scene_t *scene)
{
    miss_queue_run(&scene->queue, LONG_US);
    assert_true(miss_queue_is_empty(&scene->queue));
}

void assert_ran(const scene_t *scene, int count, const int *ids)
{
    assert_int_equal(scene->ran_count, count);
    for (int i = 0; i < count; i++)
        assert_int_equal(scene->ran[i], ids[i]);
}
