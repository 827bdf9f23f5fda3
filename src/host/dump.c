/* SPDX-License-Identifier: MIT */
/* The public functions that show what the tasks do. */
#include "core/dump.h"

#include <stddef.h>
#include <string.h>

#include "core/task.h"
#include "host/state.h"
#include "http/driver.h"

void septet_dump_options_init(septet_dump_options *options)
{
    *options = (septet_dump_options){.size = sizeof *options};
}

int septet_dump_with(septet_host *host, const septet_dump_options *options,
                     void (*line)(void *ud, const char *text), void *ud)
{
    struct spt_sched *s = spt_host_sched(host);
    if (options->size < sizeof *options || options->form < SEPTET_DUMP_TREE ||
        options->form > SEPTET_DUMP_WHERE)
        return SEPTET_EINVAL;
    if (!host->L) /* the embedder has closed it, and no task is left */
        return SEPTET_OK;
    const struct spt_driver *driver = host->core->env.driver;
    unsigned in_flight = driver ? spt_driver_running(driver) : 0;
    unsigned all = driver ? spt_driver_requests(driver) : 0;
    host->callbacks.running++;
    spt_dump_write(&(struct spt_dump){.s = s,
                                      .form = options->form,
                                      .title = options->title,
                                      .in_flight = in_flight,
                                      .queued = all - in_flight,
                                      .line = line,
                                      .ud = ud});
    host->callbacks.running--;
    return SEPTET_OK;
}

void septet_dump(septet_host *host, void (*line)(void *ud, const char *text), void *ud)
{
    septet_dump_options options;
    septet_dump_options_init(&options);
    septet_dump_with(host, &options, line, ud);
}

uint32_t septet_running(const septet_host *host, uint64_t *ns)
{
    struct spt_sched *s = spt_host_sched(host);
    const struct spt_task *t = s->current;
    uint64_t now_ns = t ? spt_sched_clock(s) : 0;
    *ns = t && now_ns > s->now_ns ? now_ns - s->now_ns : 0;
    return t ? t->id : 0;
}
