/* SPDX-License-Identifier: MIT */
/* Remembers what scripts open and the lines that open it, while `septet test` counts what a test
 * leaves open. Knows no kind of resource. */
#ifndef SPT_OP_CENSUS_H
#define SPT_OP_CENSUS_H

#include <lua.h>
#include <stdbool.h>

#include "op/env.h"

struct spt_census_kind {
    const char *name; /* "an HTTP session": it was left open */
    /* Returns true if the resource counts as open though the env still has it; NULL: it does. */
    bool (*is_open)(const struct spt_resource *);
};

/* Remembers a resource that was added to the env, with the innermost script line of L's stack. Out
 * of memory, the resource is not counted. */
void spt_census_record(lua_State *L, struct spt_env *env, const struct spt_resource *resource,
                       const struct spt_census_kind *kind);

/* Likewise if there is a census. Called for each resource that a script is to close. */
static inline void spt_census_note(lua_State *L, struct spt_env *env,
                                   const struct spt_resource *resource,
                                   const struct spt_census_kind *kind)
{
    if (env->census)
        spt_census_record(L, env, resource, kind);
}

#endif
