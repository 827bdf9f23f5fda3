/* SPDX-License-Identifier: MIT */
/* Describes tasks: their names, where they were spawned, what they wait for, and warnings about
 * them. */
#ifndef SPT_CORE_INSPECT_H
#define SPT_CORE_INSPECT_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spt_sched;
struct spt_scope;
struct spt_task;
struct spt_trace;

/* Writes the name that a script gave the task, that of its item, or "file:line#id", escaped for a
 * line of a terminal. Writes at most `size` bytes, NUL included. */
void spt_inspect_name(const struct spt_task *t, char *out, size_t size);

/* Likewise, but without the folder and the id if no script named it: "file:line". */
void spt_inspect_short_name(const struct spt_task *t, char *out, size_t size);

/* Like spt_inspect_name(), but for a task that may have ended, with its handle at index
 * `handle`. */
void spt_inspect_label(lua_State *L, int handle, const struct spt_task *t, char *out, size_t size);

/* Pushes that name; one that a script gave is whole and not escaped. `handle` is no index from the
 * top. */
void spt_inspect_push_name(lua_State *L, int handle, const struct spt_task *t);

/* Calls `visit` with each live task of the scope, in the order of spawning, and with those that are
 * to move there. */
void spt_inspect_children(const struct spt_scope *scope, void (*visit)(void *ud, void *task),
                          void *ud);

/* Calls `visit` with each live task that the wait of `t` depends on, as far as known. */
void spt_inspect_blockers(const struct spt_task *t, void (*visit)(void *ud, void *task), void *ud);

/* Writes what the task waits for: "sleep", "http GET http://...", "children"; "" if it does not
 * wait. */
void spt_inspect_waits_for(const struct spt_task *t, char *out, size_t size);

/* Pushes "\n\tspawned at FILE:LINE by #ID", the end of the task's tracebacks; "" for a task that
 * the host spawned. */
void spt_inspect_push_site(lua_State *L, const struct spt_task *t);

#define SPT_PLACE_SIZE 272 /* bytes: LUA_IDSIZE characters, each escaped, and a line number */

/* Writes "file:line", escaped for a line of a terminal. */
void spt_inspect_write_place(const struct spt_trace *trace, uint64_t place, char *out, size_t size);

/* Returns the place of the innermost script line of L's stack from `level` on, without Septet's own
 * modules; 0 if there is none. */
uint64_t spt_inspect_place(lua_State *L, struct spt_sched *s, int level);

/* Warns that a task left a block of its own open, with the place that opened it. */
void spt_inspect_warn_left(const struct spt_scope *block);

/* Returns the place where the function at `index` is defined. Raises out of memory. */
uint64_t spt_inspect_function_place(lua_State *L, struct spt_sched *s, int index);

/* Warns about the first task of the scope that is cancelled before its first turn, if there is
 * one. */
void spt_inspect_warn_unstarted(const struct spt_scope *scope);

/* Returns true if a turn of `ns` nanoseconds is so long that the place where it ends is kept or
 * reported. */
bool spt_inspect_is_long(const struct spt_sched *s, uint64_t ns);

/* Records the longest turn of the task so far, of `ns` nanoseconds, and where it ended, unless it
 * was short. */
void spt_inspect_keep_longest(struct spt_task *t, uint64_t ns);

/* Warns about a turn of `ns` nanoseconds that blocked the loop, once for each place. */
void spt_inspect_report_slow(struct spt_task *t, uint64_t ns);

#endif
