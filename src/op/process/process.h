/* SPDX-License-Identifier: MIT */
/* A process of a script's, with the ends of its pipes. It belongs to a scope, which ends it, and to
 * the host. Its memory outlives the script's handle, because a process that a script has dropped
 * still belongs to its scope. */
#ifndef SPT_OP_PROCESS_PROCESS_H
#define SPT_OP_PROCESS_PROCESS_H

#include <lua.h>
#include <stdbool.h>

#include "core/scope.h"
#include "loop/child.h"

#define SPT_PROCESS_META "septet.process.handle"

struct spt_env;
struct spt_stream;

struct spt_process {
    struct spt_child *child; /* owned; NULL before it starts and once the host has ended */
    /* owned: our ends of its pipes; NULL: none, or handed out */
    struct spt_stream *streams[3];
    struct spt_process_handle *handle; /* NULL: the script has dropped it */
    struct spt_child_watch watch;
    struct spt_resource resource;      /* in the scope's while it runs, if it belongs to one */
    struct spt_resource host_resource; /* in the env's */
};

/* The userdata. Its user value is the command. */
struct spt_process_handle {
    struct spt_process *process; /* NULL: not started */
    const char *command;
};

/* Makes a process without a child for a handle. Returns NULL if out of memory. */
struct spt_process *spt_process_new(struct spt_process_handle *handle);

/* Gives a process that has started to a scope, or to the host alone if that is NULL. */
void spt_process_attach(lua_State *L, struct spt_process *process, struct spt_env *env,
                        struct spt_scope *scope);

/* Closes our ends of the pipes that were not handed out. */
void spt_process_close_streams(struct spt_process *process);

/* Frees the process of a handle, if it has one. A child that runs is ended. */
void spt_process_discard(struct spt_process_handle *handle);

/* Leaves the process of a handle that is collected to its scope. */
void spt_process_drop(struct spt_process_handle *handle);

/* Returns the handle at index 1 of a method. */
struct spt_process_handle *spt_process_check(lua_State *L);

/* Like spt_process_check(), but raises Usage if the host has ended, and returns the process. */
struct spt_process *spt_process_check_open(lua_State *L);

/* Pushes how a child that has ended did: its exit code or nil, and the name of its signal or nil.
 * Raises ProcessError if that is not known. Returns 2. */
int spt_process_push_end(lua_State *L, const struct spt_process_handle *handle);

/* Pushes the name of a signal: "TERM". */
void spt_process_push_signal(lua_State *L, int signal);

/* Raises the ProcessError on top of the stack, with `code` and the command as its fields. */
int spt_process_raise(lua_State *L, const char *command, const char *code);

#endif
