/* SPDX-License-Identifier: MIT */
/* Resumes the task that writes a body, when its request has sent enough of it. */
#include "op/http/upload_handle.h"

#include "base/list.h"
#include "http/request.h"

enum { ROOM = 256 * 1024 }; /* queued bytes from which on the writer waits */

bool spt_upload_handle_has_room(const struct spt_upload_handle *handle)
{
    return spt_upload_left(&handle->upload) < ROOM;
}

static void end_wait(struct spt_upload_handle *handle)
{
    struct spt_upload_op *writer = handle->writer;
    handle->writer = NULL;
    if (writer)
        septet_op_done(&writer->op, SEPTET_OK);
}

static struct spt_upload_handle *handle_of(struct spt_request *request)
{
    return SPT_OF(request->upload, struct spt_upload_handle, upload);
}

void spt_upload_handle_on_sent(struct spt_request *request)
{
    struct spt_upload_handle *handle = handle_of(request);
    if (spt_upload_handle_has_room(handle))
        end_wait(handle);
}

void spt_upload_handle_on_done(struct spt_request *request)
{
    struct spt_upload_handle *handle = handle_of(request);
    handle->ended = true;
    handle->request = NULL;
    end_wait(handle);
}
