#include "measure.h"

#include "allocations.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

typedef struct team {
    team_work *work;
    void *data;
    pthread_barrier_t start;
} team_t;

typedef struct member {
    team_t *team;
    unsigned number;
    pthread_t thread;
    struct timespec began;
    struct timespec ended;
    struct timespec cpu_began;
    struct timespec cpu_ended;
    uint64_t allocations;
} member_t;

static double ns_of(struct timespec time)
{
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static void *run(void *argument)
{
    member_t *member = argument;
    uint64_t before = allocations_count();
    pthread_barrier_wait(&member->team->start);
    clock_gettime(CLOCK_MONOTONIC, &member->began);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &member->cpu_began);
    member->team->work(member->team->data, member->number);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &member->cpu_ended);
    clock_gettime(CLOCK_MONOTONIC, &member->ended);
    member->allocations = allocations_count() - before;
    return NULL;
}

team_cost_t measure_team(unsigned threads, team_work *work, void *data)
{
    team_t team = {.work = work, .data = data};
    member_t *members = calloc(threads, sizeof(*members));
    if (members == NULL || pthread_barrier_init(&team.start, NULL, threads) != 0)
        micro_fail("no memory");
    for (unsigned i = 0; i < threads; i++) {
        members[i].team = &team;
        members[i].number = i;
        if (pthread_create(&members[i].thread, NULL, run, &members[i]) != 0)
            micro_fail("no thread");
    }
    team_cost_t cost = {0};
    double began_ns = 0, ended_ns = 0;
    for (unsigned i = 0; i < threads; i++) {
        pthread_join(members[i].thread, NULL);
        cost.cpu_ns += ns_of(members[i].cpu_ended) - ns_of(members[i].cpu_began);
        cost.allocations += members[i].allocations;
        if (i == 0 || ns_of(members[i].began) < began_ns)
            began_ns = ns_of(members[i].began);
        if (ns_of(members[i].ended) > ended_ns)
            ended_ns = ns_of(members[i].ended);
    }
    cost.wall_ns = ended_ns - began_ns;
    pthread_barrier_destroy(&team.start);
    free(members);
    return cost;
}
