#include "miss_queue_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void knows_that_work_was_done_meanwhile(void **state)
{
    scene_t *scene = *state;
    push_as(scene, 0, 0, &JOB);
    push_as(scene, 0, 7, &JOB);
    push_as(scene, 1, 7, &JOB); /* 2: came later and runs first */
    push_as(scene, 2, 7, &JOB); /* 3 */
    miss_queue_run(&scene->queue, 0);
    miss_queue_run(&scene->queue, 0);
    ASSERT_RAN(scene, 0, 2);
    assert_int_equal(scene->repeated_count, 0);
    run_all(scene);
    ASSERT_RAN(scene, 0, 2, 3, 1);
    assert_int_equal(scene->repeated_count, 2);
    /* None waits: what comes now looked the result up itself. */
    push_as(scene, 0, 7, &JOB);
    run_all(scene);
    assert_int_equal(scene->repeated_count, 2);
}

static void does_not_take_a_death_for_a_result(void **state)
{
    scene_t *scene = *state;
    push_as(scene, 0, 7, &JOB);
    push_as(scene, 1, 7, &JOB);
    push_as(scene, 2, 7, &JOB);
    end_request(scene, 0);
    miss_queue_run(&scene->queue, 0);
    assert_int_equal(scene->repeated_count, 0);
    run_all(scene);
    assert_int_equal(scene->repeated_count, 1);
}

static void does_not_take_one_work_for_another(void **state)
{
    scene_t *scene = *state;
    push_as(scene, 0, 7, &JOB);
    push_as(scene, 1, 7 + MISS_QUEUE_TABLE_SIZE, &JOB); /* finds its place taken */
    push_as(scene, 1, 7 + MISS_QUEUE_TABLE_SIZE, &JOB);
    push_as(scene, 2, 7, &JOB);
    assert_int_equal(scene->queue.len[MISS_NEW], 3);
    assert_int_equal(scene->queue.len[MISS_REPEATED], 1);
    run_all(scene);
    ASSERT_RAN(scene, 0, 1, 3, 2);
    assert_int_equal(scene->repeated_count, 1);
}

static void does_not_take_another_for_done(void **state)
{
    scene_t *scene = *state;
    push_as(scene, 0, 1, &JOB);
    push_as(scene, 0, 7, &JOB);
    push_as(scene, 1, 7 + MISS_QUEUE_TABLE_SIZE, &JOB); /* 2: finds the place of 7 taken, and runs first */
    run_all(scene);
    ASSERT_RAN(scene, 0, 2, 1);
    assert_int_equal(scene->repeated_count, 0);
}

static void bounds_repeated_misses_apart(void **state)
{
    scene_t *scene = *state;
    int places = MAX_LEN * MISS_QUEUE_REPEAT_FACTOR;
    int count = 0;
    assert_int_equal(push_until_full(scene, 0), MAX_LEN / 2);
    while (push_as(scene, 0, 0, &JOB) >= 0)
        count++;
    assert_int_equal(count, places / 2);
    assert_true(push_as(scene, 1, 0, &JOB) >= 0);
    /* They take no place of different works. */
    assert_true(push(scene, 1) >= 0);
    run_all(scene);
    assert_int_equal(scene->ran_count, MAX_LEN / 2 + places / 2 + 2);
    assert_int_equal(scene->repeated_count, places / 2 + 1);
}

static void runs_the_marker_of_an_empty_queue(void **state)
{
    scene_t *scene = *state;
    miss_queue_mark(&scene->queue, &scene->marker);
    assert_false(miss_queue_is_empty(&scene->queue));
    run_all(scene);
    assert_int_equal(scene->marked_after, 0);
}

static void runs_the_marker_when_all_older_ones_have_run(void **state)
{
    scene_t *scene = *state;
    for (int i = 0; i < 3; i++)
        push(scene, 0);
    push(scene, 1); /* 3 */
    miss_queue_mark(&scene->queue, &scene->marker);
    for (int i = 0; i < 4; i++)
        push(scene, 1); /* 4 to 7 */
    run_all(scene);
    ASSERT_RAN(scene, 0, 3, 1, 4, 2, 5, 6, 7);
    assert_int_equal(scene->marked_after, 5);
}

static void runs_the_marker_when_the_older_ones_have_died(void **state)
{
    scene_t *scene = *state;
    push(scene, 0);
    push(scene, 0);
    push(scene, 1);
    miss_queue_mark(&scene->queue, &scene->marker);
    push(scene, 2); /* 3 */
    push(scene, 2); /* 4 */
    end_request(scene, 4);
    for (int id = 0; id < 3; id++)
        end_request(scene, id);
    miss_queue_run(&scene->queue, 0);
    assert_int_equal(scene->marked_after, 0);
    run_all(scene);
    ASSERT_RAN(scene, 3);
}

static void runs_the_marker_when_all_have_died(void **state)
{
    scene_t *scene = *state;
    push(scene, 0);
    miss_queue_mark(&scene->queue, &scene->marker);
    push(scene, 1);
    end_request(scene, 0);
    end_request(scene, 1);
    assert_false(miss_queue_is_empty(&scene->queue));
    run_all(scene);
    assert_int_equal(scene->marked_after, 0);
}

static void takes_one_marker_after_the_other(void **state)
{
    scene_t *scene = *state;
    for (int i = 0; i < 3; i++) {
        int first = scene->ran_count;
        scene->marked_after = -1;
        push(scene, 0);
        miss_queue_mark(&scene->queue, &scene->marker);
        push(scene, 1);
        run_all(scene);
        assert_int_equal(scene->marked_after, first + 1);
        assert_int_equal(scene->ran_count, first + 2);
    }
}

static void keeps_what_came_before_the_marker_within_the_budget(void **state)
{
    scene_t *scene = *state;
    push(scene, 0);
    miss_queue_mark(&scene->queue, &scene->marker);
    miss_queue_run(&scene->queue, 0);
    assert_int_equal(scene->marked_after, -1);
    assert_false(miss_queue_is_empty(&scene->queue));
    miss_queue_run(&scene->queue, 0);
    assert_int_equal(scene->marked_after, 1);
    assert_true(miss_queue_is_empty(&scene->queue));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(knows_that_work_was_done_meanwhile),
        SCENE_TEST(does_not_take_a_death_for_a_result),
        SCENE_TEST(does_not_take_one_work_for_another),
        SCENE_TEST(does_not_take_another_for_done),
        SCENE_TEST(bounds_repeated_misses_apart),
        SCENE_TEST(runs_the_marker_of_an_empty_queue),
        SCENE_TEST(runs_the_marker_when_all_older_ones_have_run),
        SCENE_TEST(runs_the_marker_when_the_older_ones_have_died),
        SCENE_TEST(runs_the_marker_when_all_have_died),
        SCENE_TEST(takes_one_marker_after_the_other),
        SCENE_TEST(keeps_what_came_before_the_marker_within_the_budget),
    };

    return cmocka_run_group_tests_name("miss_queue_repeats", tests, NULL, NULL);
}
