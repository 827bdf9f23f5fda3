/* SPDX-License-Identifier: MIT */
/* The dial ends with the wait: what it has made belongs to the handle before the task resumes. */
#include "op/dial_wait.h"

#include <string.h>

#include "core/check.h"
#include "core/sched.h"
#include "core/task.h"
#include "http/driver.h"
#include "http/hostname.h"
#include "op/env.h"
#include "op/library.h"

_Static_assert(sizeof(struct spt_dial_wait) <= SPT_SLOT_SIZE,
               "it needs no memory of Lua's to wait in");

static void end_dial(struct spt_dialled *dialled)
{
    spt_dial_free(dialled->dial);
    dialled->dial = NULL;
}

static void on_done(void *ud)
{
    struct spt_dial_wait *wait = ud;
    struct spt_dialled *dialled = wait->dialled;
    struct spt_stream *stream = spt_dial_take(dialled->dial);
    dialled->failure = *spt_dial_failure(dialled->dial);
    int status = stream ? wait->take(wait, stream) : SEPTET_OK;
    end_dial(dialled);
    septet_op_done(&wait->op, status);
}

int spt_dial_wait_start(septet_op *op)
{
    struct spt_dial_wait *wait = (struct spt_dial_wait *)op;
    struct spt_sched *s = spt_op_sched(op);
    const struct spt_dial_config config = {
        .loop = wait->env->loop,
        .timers = &s->tree.timers,
        .resolver = wait->resolver,
        .permit = spt_driver_permit(wait->env->driver),
        .policy = wait->policy,
        .host = wait->is_path ? NULL : wait->to,
        .port = wait->port,
        .path = wait->is_path ? wait->to : NULL,
        .deadline_ns = spt_timer_instant(spt_sched_clock(s), wait->timeout_ns)};
    wait->dialled->dial = spt_dial_new(&config);
    if (!wait->dialled->dial)
        return SEPTET_ENOMEM;
    if (spt_dial_start(wait->dialled->dial, on_done, wait))
        on_done(wait);
    return SEPTET_OK;
}

void spt_dial_wait_cancel(septet_op *op)
{
    end_dial(((struct spt_dial_wait *)op)->dialled);
}

const char *spt_dial_wait_host(lua_State *L, int index, struct spt_hostname *host)
{
    size_t len;
    const char *text = spt_check_string(L, index, &len);
    if (memchr(text, ':', len) && text[0] != '[') {
        lua_pushfstring(L, "[%s]", text);
        lua_replace(L, index);
        text = lua_tolstring(L, index, &len);
    }
    const char *word;
    do
        word = spt_hostname_read(host, text, len);
    while (spt_library_was_missing(L, word));
    return word;
}
