/*
 * leaky_budget: so much a second, for what is cheap to count and dear to time: the clock is read only where
 * the budget seems used up. At most twice the budget can be spent at once. Header only.
 */
#ifndef INTROSPECTD_HTTP_LEAKY_BUDGET_H
#define INTROSPECTD_HTTP_LEAKY_BUDGET_H

#include "introspectd/clock.h"

#include <stdbool.h>
#include <stdint.h>

/* Zero-initialised, with since_ms set to clock_monotonic_ms. */
typedef struct leaky_budget {
    uint64_t spent;
    int64_t since_ms; /* up to when what leaked was taken off */
} leaky_budget_t;

/* Spends amount; false when more than per_second is spent after what has leaked. */
static inline bool leaky_budget_spend(leaky_budget_t *budget, uint64_t amount, uint64_t per_second)
{
    budget->spent += amount;
    if (budget->spent <= per_second)
        return true;
    int64_t now_ms = clock_monotonic_ms();
    uint64_t leaked = (uint64_t)(now_ms - budget->since_ms) * per_second / 1000;
    /* What is spent now has not leaked yet, however long the time before was. */
    uint64_t before = budget->spent - amount;
    budget->spent -= leaked < before ? leaked : before;
    budget->since_ms = now_ms;
    return budget->spent <= per_second;
}

/* Gives amount back. */
static inline void leaky_budget_refund(leaky_budget_t *budget, uint64_t amount)
{
    budget->spent = amount < budget->spent ? budget->spent - amount : 0;
}

#endif
