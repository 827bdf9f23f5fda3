/* SPDX-License-Identifier: MIT */
/* A door to what one thread owns and will end. Other threads and signal handlers enter it
 * to use that. The owner closes it and waits until they have left. */
#ifndef SPT_BASE_DOOR_H
#define SPT_BASE_DOOR_H

#include <stdatomic.h>
#include <stdbool.h>

/* Zeroed: open. */
struct spt_door {
    atomic_uint word; /* SPT_DOOR_CLOSED, and the number of those inside */
};

#define SPT_DOOR_CLOSED 0x80000000u

/* Enters. Returns false if the door is closed; the caller is not inside then. Entering and leaving
 * are safe in any thread and in a signal handler, also between the two. */
static inline bool spt_door_enter(struct spt_door *door)
{
    unsigned word = atomic_fetch_add_explicit(&door->word, 1, memory_order_acquire);
    if (!(word & SPT_DOOR_CLOSED))
        return true;
    atomic_fetch_sub_explicit(&door->word, 1, memory_order_release);
    return false;
}

static inline void spt_door_leave(struct spt_door *door)
{
    atomic_fetch_sub_explicit(&door->word, 1, memory_order_release);
}

/* Closes the door for ever, and waits until nobody is inside. Not from inside. */
void spt_door_close(struct spt_door *door);

#endif
