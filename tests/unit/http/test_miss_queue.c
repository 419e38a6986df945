#include "miss_queue_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void runs_a_flow_in_its_order(void **state)
{
    scene_t *scene = *state;
    assert_true(miss_queue_is_empty(&scene->queue));
    for (int i = 0; i < 4; i++)
        assert_int_equal(push(scene, 0), i);
    assert_false(miss_queue_is_empty(&scene->queue));
    run_all(scene);
    ASSERT_RAN(scene, 0, 1, 2, 3);
    miss_queue_run(&scene->queue, LONG_US);
    assert_int_equal(scene->ran_count, 4);
}

static void lets_flows_take_turns(void **state)
{
    scene_t *scene = *state;
    for (int i = 0; i < 4; i++)
        push(scene, 0);
    push(scene, 1); /* 4 */
    push(scene, 2); /* 5 */
    push(scene, 2); /* 6 */
    run_all(scene);
    ASSERT_RAN(scene, 0, 4, 5, 1, 6, 2, 3);
}

static void puts_a_flow_that_comes_back_at_the_end(void **state)
{
    scene_t *scene = *state;
    push(scene, 0); /* 0 */
    push(scene, 1); /* 1 */
    push(scene, 1); /* 2 */
    miss_queue_run(&scene->queue, 0);
    push(scene, 0); /* 3, behind flow 1, and 2 behind it */
    run_all(scene);
    ASSERT_RAN(scene, 0, 1, 3, 2);
}

static void runs_one_at_least_and_keeps_to_the_budget(void **state)
{
    scene_t *scene = *state;
    push(scene, 0);
    push(scene, 0);
    push(scene, 1);
    for (int i = 1; i <= 3; i++) {
        assert_false(miss_queue_is_empty(&scene->queue));
        miss_queue_run(&scene->queue, 0);
        assert_int_equal(scene->ran_count, i);
    }
    assert_true(miss_queue_is_empty(&scene->queue));
}

static void does_not_run_what_died_waiting(void **state)
{
    scene_t *scene = *state;
    for (int i = 0; i < 6; i++)
        push(scene, i % 2);
    end_request(scene, 0); /* the first of its flow */
    end_request(scene, 3); /* in the middle */
    assert_int_equal(scene->disposed[0], 1);
    assert_int_equal(scene->disposed[3], 1);
    run_all(scene);
    ASSERT_RAN(scene, 2, 1, 4, 5);
}

static void takes_a_flow_out_that_died_waiting(void **state)
{
    scene_t *scene = *state;
    for (int i = 0; i < 3; i++)
        push(scene, i);
    end_request(scene, 1);
    run_all(scene);
    ASSERT_RAN(scene, 0, 2);
    end_request(scene, 0);
    end_request(scene, 2);
    push(scene, 1); /* 3 */
    end_request(scene, 3);
    assert_true(miss_queue_is_empty(&scene->queue));
}

static void disposes_once_of_what_ends_while_it_runs(void **state)
{
    scene_t *scene = *state;
    push_as(scene, 0, 0, &ENDING_JOB);
    push_as(scene, 0, 1, &ENDING_JOB);
    push_as(scene, 1, 2, &ENDING_JOB);
    run_all(scene);
    ASSERT_RAN(scene, 0, 2, 1);
    for (int id = 0; id < 3; id++)
        assert_int_equal(scene->disposed[id], 1);
}

static void lets_a_run_close_its_connection(void **state)
{
    scene_t *scene = *state;
    push_as(scene, 0, 0, &CLOSING_JOB);
    push(scene, 0);
    push(scene, 0);
    run_all(scene);
    ASSERT_RAN(scene, 0);
    push(scene, 1); /* 3 */
    run_all(scene);
    ASSERT_RAN(scene, 0, 3);
}

static void gives_up_a_flow_with_misses_in_it(void **state)
{
    scene_t *scene = *state;
    push(scene, 0);
    push_as(scene, 0, 0, &JOB);
    push(scene, 1); /* 2 */
    push(scene, 0);
    miss_queue_mark(&scene->queue, &scene->marker);
    close_flow(scene, 0);
    run_all(scene);
    ASSERT_RAN(scene, 2);
    assert_int_equal(scene->marked_after, 1);
}

static void gives_one_flow_half_of_the_queue(void **state)
{
    scene_t *scene = *state;
    assert_int_equal(push_until_full(scene, 0), MAX_LEN / 2);
    /* Of what is left the next one has half, and who comes then still finds a place. */
    assert_int_equal(push_until_full(scene, 1), MAX_LEN / 4);
    assert_int_equal(push(scene, 2), MAX_LEN / 2 + MAX_LEN / 4);
    /* Refused ones have left nothing behind, and room comes back as misses go. */
    run_all(scene);
    for (int id = 0; id < scene->count; id++)
        end_request(scene, id);
    assert_int_equal(push_until_full(scene, 2), MAX_LEN / 2);
}

static void comes_to_equal_shares(void **state)
{
    scene_t *scene = *state;
    for (int round = 0; round < 200; round++) {
        for (int flow = 0; flow < FLOWS; flow++)
            push(scene, flow);
        assert_true(scene->queue.len[MISS_NEW] < MAX_LEN);
        miss_queue_run(&scene->queue, 0);
    }
    for (int flow = 0; flow < FLOWS; flow++) {
        size_t len = scene->flows[flow]->len[MISS_NEW];
        assert_in_range(len, MAX_LEN / (FLOWS + 1) - 1, MAX_LEN / (FLOWS + 1));
    }
}

static void never_holds_more_than_its_bound(void **state)
{
    scene_t *scene = *state;
    miss_flow_t crowd[MAX_LEN + 1] = {0};
    miss_flow_t *own = scene->flows[0];
    for (int i = 0; i <= MAX_LEN; i++) {
        miss_flow_init(&crowd[i]);
        scene->flows[0] = &crowd[i];
        assert_int_equal(push(scene, 0) >= 0, i < MAX_LEN);
    }
    assert_int_equal(scene->queue.len[MISS_NEW], MAX_LEN);
    run_all(scene);
    assert_int_equal(scene->ran_count, MAX_LEN);
    scene->flows[0] = own;
}

static void follows_a_bound_that_changes(void **state)
{
    scene_t *scene = *state;
    assert_int_equal(push_until_full(scene, 0), MAX_LEN / 2);
    miss_queue_set_max_len(&scene->queue, 2);
    assert_int_equal(push(scene, 1), -1);
    miss_queue_set_max_len(&scene->queue, 2 * MAX_LEN);
    assert_int_equal(push_until_full(scene, 0), MAX_LEN / 2);
    run_all(scene);
    assert_int_equal(scene->ran_count, MAX_LEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(runs_a_flow_in_its_order),
        SCENE_TEST(lets_flows_take_turns),
        SCENE_TEST(puts_a_flow_that_comes_back_at_the_end),
        SCENE_TEST(runs_one_at_least_and_keeps_to_the_budget),
        SCENE_TEST(does_not_run_what_died_waiting),
        SCENE_TEST(takes_a_flow_out_that_died_waiting),
        SCENE_TEST(disposes_once_of_what_ends_while_it_runs),
        SCENE_TEST(lets_a_run_close_its_connection),
        SCENE_TEST(gives_up_a_flow_with_misses_in_it),
        SCENE_TEST(gives_one_flow_half_of_the_queue),
        SCENE_TEST(comes_to_equal_shares),
        SCENE_TEST(never_holds_more_than_its_bound),
        SCENE_TEST(follows_a_bound_that_changes),
    };

    return cmocka_run_group_tests_name("miss_queue", tests, NULL, NULL);
}
