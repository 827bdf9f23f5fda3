/* SPDX-License-Identifier: MIT */
/* The coroutines of a running task are known by its frames. Of those of a waiting task, only the
 * innermost and the outermost are. */
#include "core/task_stack.h"

#include "core/function_names.h"
#include "core/sched.h"
#include "core/task.h"

struct spt_task_stack spt_task_stack_of(const struct spt_task *t)
{
    struct spt_task_stack stack = {.task = t, .co = t->co};
    if (t->co && t->state == SPT_TASK_RUNNING) {
        stack.frame = t->sched->run.turns.frame;
        stack.co = spt_task_innermost(t);
    } else if (t->co && t->state == SPT_TASK_WAITING && t->wait.op) {
        stack.co = spt_task_waits_in(t);
    }
    return stack;
}

/* Continues with the coroutine outside the present one. Of those around a wait, only the
 * innermost and the task's own are known. */
static void leave_coroutine(struct spt_task_stack *stack)
{
    const struct spt_frame *up = stack->frame ? stack->frame->up : NULL;
    stack->co = stack->co == stack->task->co ? NULL : up ? up->co : stack->task->co;
    stack->frame = up;
    stack->level = 0;
}

bool spt_task_stack_next(struct spt_task_stack *stack, lua_Debug *ar)
{
    bool own = stack->task->sched->frames.shown;
    while (stack->co && stack->shown < SPT_TASK_STACK_FRAMES) {
        if (!lua_getstack(stack->co, stack->level++, ar)) {
            leave_coroutine(stack);
            continue;
        }
        lua_getinfo(stack->co, "nSl", ar);
        if (spt_function_names_is_script(ar) || (own && ar->currentline > 0)) {
            stack->shown++;
            return true;
        }
    }
    return false;
}

const char *spt_task_stack_function(const lua_Debug *ar)
{
    return ar->name ? ar->name : *ar->what == 'm' ? "main chunk" : NULL;
}
