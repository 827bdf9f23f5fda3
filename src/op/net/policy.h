/* SPDX-License-Identifier: MIT */
/* Rules on where connections may lead, as an object that scripts do not see. */
#ifndef SPT_OP_NET_POLICY_H
#define SPT_OP_NET_POLICY_H

#include <lua.h>

struct spt_policy;

#define SPT_NET_POLICY_META "septet.net.policy"

/* Returns the rules at index `arg`, which may be nil. They are borrowed from the object. */
const struct spt_policy *spt_net_policy_check(lua_State *L, int arg);

#endif
