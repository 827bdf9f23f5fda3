/* SPDX-License-Identifier: MIT */
/* Makes requests, and counts what they hold. */
#include "sqlite/request.h"

#include <stdlib.h>

#include "septet/septet.h"
#include "sqlite/program.h"

struct spt_sqlite_request *spt_sqlite_request_new(void)
{
    struct spt_sqlite_request *request = calloc(1, sizeof *request);
    if (!request)
        return NULL;
    spt_link_init(&request->link);
    spt_buf_init(&request->program, SIZE_MAX / 2);
    spt_buf_init(&request->changed, SIZE_MAX / 2);
    spt_buf_init(&request->rows, SIZE_MAX / 2);
    return request;
}

void spt_sqlite_request_free(struct spt_sqlite_request *request)
{
    spt_buf_release(&request->program);
    spt_buf_release(&request->changed);
    spt_buf_release(&request->rows);
    free(request);
}

int spt_sqlite_request_add(struct spt_sqlite_request *request, uint32_t statement, unsigned flags)
{
    int rc = spt_sqlite_program_add(&request->program, statement);
    if (rc != SEPTET_OK)
        return rc;
    if (request->steps == 0 || flags & SPT_SQLITE_BEGINS)
        request->changes++;
    request->steps++;
    if (!(flags & SPT_SQLITE_READS))
        request->writes = true;
    return SEPTET_OK;
}
