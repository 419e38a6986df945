#include "connection_counts.h"

#include "peer_table.h"

#include <stdatomic.h>
#include <stdlib.h>

struct connection_counts {
    _Atomic unsigned total;
    unsigned max;
    peer_table_t *by_address;
};

connection_counts_t *connection_counts_new(unsigned max_connections)
{
    connection_counts_t *counts = calloc(1, sizeof(*counts));
    if (counts == NULL)
        return NULL;
    counts->max = max_connections;
    counts->by_address = peer_table_new(max_connections);
    if (counts->by_address == NULL) {
        free(counts);
        return NULL;
    }
    return counts;
}

void connection_counts_free(connection_counts_t *counts)
{
    if (counts == NULL)
        return;
    peer_table_free(counts->by_address);
    free(counts);
}

bool connection_count_in(connection_counts_t *counts, connection_count_t *count, unsigned max)
{
    if (counts == NULL)
        return true;
    if (max > counts->max)
        max = counts->max;
    if (atomic_fetch_add(&counts->total, 1) >= max) {
        atomic_fetch_sub(&counts->total, 1);
        return false;
    }
    count->is_counted = true;
    return true;
}

bool connection_count_for_address(connection_counts_t *counts, connection_count_t *count,
                                  ip_address_t address, unsigned max)
{
    if (counts == NULL)
        return true;
    peer_key_t key = peer_key_of(address);
    count->is_counted_for_address = peer_table_add(counts->by_address, &key, max);
    count->address = address;
    return count->is_counted_for_address;
}

void connection_count_leave(connection_counts_t *counts, connection_count_t *count)
{
    if (count->is_counted)
        atomic_fetch_sub(&counts->total, 1);
    if (count->is_counted_for_address) {
        peer_key_t key = peer_key_of(count->address);
        peer_table_remove(counts->by_address, &key);
    }
    *count = (connection_count_t){0};
}

unsigned connection_counts_total(const connection_counts_t *counts)
{
    return atomic_load(&counts->total);
}
