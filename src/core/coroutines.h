/* The coroutines of tasks: a pool of those that have ended, and the anchors that keep live tasks
 * from the garbage collector. */
#ifndef SPT_CORE_COROUTINES_H
#define SPT_CORE_COROUTINES_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

struct spt_sched;
struct spt_task;

/* Makes the table, weak and at s->pool_ref, in which coroutines of ended tasks rest for later
 * ones. */
void spt_coroutines_make_pool(lua_State *L, struct spt_sched *s);

/* Pushes a coroutine out of the pool. Returns false, with nothing pushed, where the pool is
 * empty. */
bool spt_coroutines_take(lua_State *L, struct spt_sched *s);

/* A function for lua_pcall: pushes a new coroutine. Its argument is the scheduler, a light
 * userdata. */
int spt_coroutines_new(lua_State *L);

/* Puts the coroutine of an ended task into the pool, unless a script may hold it or a hook watches
 * it. */
void spt_coroutines_recycle(struct spt_task *t);

/* Anchors the userdata on top of the stack. Returns its index. Raises out of memory. */
uint32_t spt_coroutines_anchor(lua_State *L, struct spt_sched *s);

/* Releases the anchor of an ended task. Allocates nothing. */
void spt_coroutines_release_anchor(struct spt_task *t);

#endif
