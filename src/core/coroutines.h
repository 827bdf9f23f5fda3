/* The coroutines of tasks: a pool of completed ones for reuse, and the anchors of live tasks. */
#ifndef SPT_CORE_COROUTINES_H
#define SPT_CORE_COROUTINES_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

struct spt_sched;
struct spt_task;

/* Makes the pool at s->pool_ref: a weak table that keeps coroutines of ended tasks for later
 * ones. */
void spt_coroutines_make_pool(lua_State *L, struct spt_sched *s);

/* Pops a coroutine from the pool and pushes it on the stack. Returns false, with nothing pushed, if
 * the pool is empty. */
bool spt_coroutines_take(lua_State *L, struct spt_sched *s);

/* Pushes a new coroutine; a function for lua_pcall. Its argument is the scheduler, as a light
 * userdata. */
int spt_coroutines_new(lua_State *L);

/* Returns the coroutine of an ended task to the pool, unless a script may hold it or a hook watches
 * it. */
void spt_coroutines_recycle(struct spt_task *t);

/* Anchors the userdata on top of the stack. Returns its index. Raises out of memory. */
uint32_t spt_coroutines_anchor(lua_State *L, struct spt_sched *s);

/* Releases the anchor of an ended task. Allocates nothing. */
void spt_coroutines_release_anchor(struct spt_task *t);

#endif
