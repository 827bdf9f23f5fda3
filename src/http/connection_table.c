/* SPDX-License-Identifier: MIT */
/* A hash table by local ports, with linear probing. Entries of closed connections are noticed by
 * their pollers, and dropped when the table is full. */
#include "http/connection_table.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "loop/pollers.h"

enum { SIZE_MIN = 16 };

struct spt_connection_ends spt_connection_ends_of(const char *peer, int peer_port, int local_port)
{
    struct spt_connection_ends ends = {
        .local_port = (uint16_t)local_port,
        .peer_port = (uint16_t)peer_port,
    };
    size_t len = strlen(peer), tail = len < sizeof ends.peer ? len : sizeof ends.peer;
    memcpy(&ends.peer, peer + len - tail, tail);
    return ends;
}

static bool is_same(struct spt_connection_ends a, struct spt_connection_ends b)
{
    return a.local_port == b.local_port && a.peer_port == b.peer_port && a.peer == b.peer;
}

static bool is_open(const struct spt_pollers *pollers, const struct spt_connection_entry *entry)
{
    const struct spt_poller *s = spt_pollers_find(pollers, entry->fd);
    return s && s->generation == entry->number;
}

/* Local ports that follow each other have entries that do. */
static size_t slot_of(const struct spt_connection_table *table, struct spt_connection_ends ends)
{
    return ends.local_port & (table->size - 1);
}

static void put(struct spt_connection_table *table, struct spt_connection_entry entry)
{
    size_t i = slot_of(table, entry.ends);
    while (table->entries[i].fd >= 0 && !is_same(table->entries[i].ends, entry.ends))
        i = (i + 1) & (table->size - 1);
    table->used += table->entries[i].fd < 0;
    table->entries[i] = entry;
}

/* Makes room for one more: drops the entries of closed connections, and grows if many are open. */
static bool make_room(struct spt_connection_table *table, const struct spt_pollers *pollers)
{
    size_t open = 0, size = SIZE_MIN;
    for (size_t i = 0; i < table->size; i++)
        open += table->entries[i].fd >= 0 && is_open(pollers, &table->entries[i]);
    while (size < 4 * (open + 1))
        size *= 2;
    struct spt_connection_table next = {malloc(size * sizeof *next.entries), size, 0};
    if (!next.entries)
        return false;
    for (size_t i = 0; i < size; i++)
        next.entries[i] = (struct spt_connection_entry){.fd = -1};
    for (size_t i = 0; i < table->size; i++)
        if (table->entries[i].fd >= 0 && is_open(pollers, &table->entries[i]))
            put(&next, table->entries[i]);
    free(table->entries);
    *table = next;
    return true;
}

void spt_connection_table_add(struct spt_connection_table *table, const struct spt_pollers *pollers,
                              struct spt_connection_ends ends, int fd)
{
    const struct spt_poller *s = spt_pollers_find(pollers, fd);
    if (!s || ends.local_port == 0)
        return;
    if (2 * (table->used + 1) > table->size && !make_room(table, pollers))
        return;
    put(table, (struct spt_connection_entry){.ends = ends, .fd = fd, .number = s->generation});
}

uint32_t spt_connection_table_find(const struct spt_connection_table *table,
                                   const struct spt_pollers *pollers,
                                   struct spt_connection_ends ends)
{
    if (!table->entries || ends.local_port == 0)
        return 0;
    size_t i = slot_of(table, ends);
    for (; table->entries[i].fd >= 0; i = (i + 1) & (table->size - 1))
        if (is_same(table->entries[i].ends, ends))
            return is_open(pollers, &table->entries[i]) ? table->entries[i].number : 0;
    return 0;
}

void spt_connection_table_release(struct spt_connection_table *table)
{
    free(table->entries);
    *table = (struct spt_connection_table){0};
}
