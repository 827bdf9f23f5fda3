/* SPDX-License-Identifier: MIT */
/* What other threads and signal handlers use of a host: its wake-up, its thread, its messages. The
 * host and each holder have a reference, so it may outlive the host. */
#ifndef SPT_HOST_MAILBOX_H
#define SPT_HOST_MAILBOX_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/door.h"
#include "host/slot.h"
#include "septet/septet.h"

struct septet_mailbox {
    atomic_uint refs;
    struct spt_door door;          /* to `host`; closed when the host ends */
    septet_host *host;             /* borrowed */
    _Atomic(septet_message *) top; /* posted last; a mark once the host has ended */
    septet_message *taken;         /* of the host's thread: taken out of `top`, oldest first */
    struct spt_slots slots;        /* of its tokens */
};

/* Makes the mailbox of a host, by the host's thread. Returns SEPTET_OK or SEPTET_ENOMEM. */
int spt_mailbox_open(septet_host *host);

/* Ends it for the host: runs the messages that are left, with no host. From here on posts return
 * SEPTET_ECLOSED, interrupts do nothing, and no other thread uses the host. The host still releases
 * its reference. */
void spt_mailbox_close(septet_host *host);

/* Returns true if messages wait. Costs a read of memory. */
static inline bool spt_mailbox_has_work(const struct septet_mailbox *mailbox)
{
    return mailbox->taken || atomic_load_explicit(&mailbox->top, memory_order_relaxed);
}

/* Runs messages that were posted before, at most `max`, inside a drain. Those that they post run in
 * a later call. Asks `is_late` after each, if it is not NULL. Returns their number; `max` if it
 * cannot go on now, because memory is too short. */
unsigned spt_mailbox_run(septet_host *host, unsigned max, bool (*is_late)(void *ud));

#endif
