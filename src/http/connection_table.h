/* SPDX-License-Identifier: MIT */
/* The numbers of a session's connections, found by their addresses: libcurl does not say which
 * socket a request uses, but both ends of it. */
#ifndef SPT_HTTP_CONNECTION_TABLE_H
#define SPT_HTTP_CONNECTION_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct spt_pollers;

/* The two ends of a connection, as far as they tell it from the others of a session. If two differ
 * in the rest alone, one has the number of the other. */
struct spt_connection_ends {
    uint16_t local_port, peer_port; /* the local one is 0 for a unix socket */
    uint64_t peer;                  /* last bytes of the peer's address */
};

struct spt_connection_entry {
    struct spt_connection_ends ends;
    int fd;          /* -1 if the entry is free */
    uint32_t number; /* generation of its poller */
};

struct spt_connection_table {
    struct spt_connection_entry *entries; /* owned; NULL if there are none */
    size_t size;                          /* a power of two */
    size_t used;                          /* number of entries that are not free */
};

/* Returns the ends of a connection. */
struct spt_connection_ends spt_connection_ends_of(const char *peer, int peer_port, int local_port);

/* Adds the connection of a socket. Without memory, it is not found later. */
void spt_connection_table_add(struct spt_connection_table *table, const struct spt_pollers *pollers,
                              struct spt_connection_ends ends, int fd);

/* Returns the number of a connection that is open, or 0 if it is not known. */
uint32_t spt_connection_table_find(const struct spt_connection_table *table,
                                   const struct spt_pollers *pollers,
                                   struct spt_connection_ends ends);

void spt_connection_table_release(struct spt_connection_table *table);

#endif
