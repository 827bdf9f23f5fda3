/* Who waits for whom: finds the circle in which tasks wait for one another. */
#ifndef SPT_CORE_DEADLOCK_H
#define SPT_CORE_DEADLOCK_H

#include <stdint.h>

struct spt_sched;
struct spt_task;

/* Writes a circle to `out`, each task waiting for the next and the last for the first, at most `max` of it.
 * Returns how many it has; 0 when there is none, as far as operations know what they depend on. */
uint32_t spt_deadlock_cycle(struct spt_sched *s, struct spt_task **out, uint32_t max);

#endif
