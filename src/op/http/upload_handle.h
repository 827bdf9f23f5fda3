/* SPDX-License-Identifier: MIT */
/* A body that one task writes and the request of another sends. */
#ifndef SPT_OP_HTTP_UPLOAD_HANDLE_H
#define SPT_OP_HTTP_UPLOAD_HANDLE_H

#include <stdbool.h>

#include "http/upload.h"
#include "septet/op.h"

struct spt_request;

#define SPT_UPLOAD_META "septet.http.upload"

struct spt_upload_op {
    septet_op op;
    struct spt_upload_handle *handle; /* kept alive by the handle at index 1 */
};

struct spt_upload_handle {
    struct spt_upload upload;
    struct spt_request *request;  /* borrowed, the request that sends it; NULL before and after */
    struct spt_upload_op *writer; /* operation that waits for room; NULL if none */
    bool used, ended;
};

/* Returns true if the writer may append. */
bool spt_upload_handle_has_room(const struct spt_upload_handle *handle);

/* Resumes the writer if the upload has room again. Called after some of it was sent. */
void spt_upload_handle_on_sent(struct spt_request *request);

/* Detaches the upload from its request and resumes the writer. Called when the request has
 * completed. */
void spt_upload_handle_on_done(struct spt_request *request);

#endif
