/* What is said of a task: its name, where it was spawned, what it waits for, and warnings about
 * it. */
#ifndef SPT_CORE_INSPECT_H
#define SPT_CORE_INSPECT_H

#include <lua.h>
#include <stddef.h>
#include <stdint.h>

struct spt_sched;
struct spt_scope;
struct spt_task;
struct spt_trace;

/* Writes the name that a script gave it, or "file:line#id", escaped for a line of a terminal: at
 * most `size` bytes, NUL included. */
void spt_inspect_name(const struct spt_task *t, char *out, size_t size);

/* The same for a task that may have ended, with its handle at index `handle`. */
void spt_inspect_label(lua_State *L, int handle, const struct spt_task *t, char *out, size_t size);

/* Calls `visit` with each live task of the scope, in the order they were spawned, and with those
 * that are to move there. */
void spt_inspect_children(const struct spt_scope *scope, void (*visit)(void *ud, void *task),
                             void *ud);

/* Calls `visit` with each live task that the wait of `t` depends on, as far as known. */
void spt_inspect_blockers(const struct spt_task *t, void (*visit)(void *ud, void *task), void *ud);

/* What it waits for, in words: "sleep", "http GET http://...", "children"; "" when it does not. */
void spt_inspect_waits_for(const struct spt_task *t, char *out, size_t size);

/* Pushes "\n\tspawned at FILE:LINE by #ID", the end of its tracebacks; "" for a task of the
 * host's. */
void spt_inspect_push_site(lua_State *L, const struct spt_task *t);

#define SPT_PLACE_SIZE 272 /* of LUA_IDSIZE characters, each escaped, and a line */

/* Writes "file:line", escaped for a line of a terminal. */
void spt_inspect_write_place(const struct spt_trace *trace, uint64_t place, char *out, size_t size);

/* The line of the script on top of L's stack, modules of our own left out; 0 when there is none. */
uint64_t spt_inspect_place(lua_State *L, struct spt_sched *s, int level);

/* Tells that a task left a block of its own open, and where it opened it. */
void spt_inspect_warn_left(const struct spt_scope *block);

/* Returns the place of the function at `index`. Raises out of memory. */
uint64_t spt_inspect_function_place(lua_State *L, struct spt_sched *s, int index);

/* Warns of a task of the scope that is cancelled before it ran, if there is one. */
void spt_inspect_warn_unstarted(const struct spt_scope *scope);

/* Warns of a turn of `ns` that blocked the loop, once for each place. */
void spt_inspect_report_slow(struct spt_task *t, uint64_t ns);

#endif
