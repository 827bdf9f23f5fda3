/* SPDX-License-Identifier: MIT */
/* Bytes that a stream holds, as a file sees them that takes them without a copy. */
#ifndef SPT_OP_HELD_H
#define SPT_OP_HELD_H

#include "base/buf.h"

/* The metatable of streams that hold bytes. Their userdata begins with a struct spt_held. */
#define SPT_HELD_META "septet.http.stream"

struct spt_held {
    /* returns the buffer with all bytes that are held and nothing else; NULL if the stream is
     * closed */
    struct spt_buf *(*buffer)(struct spt_held *held);
    void (*emptied)(struct spt_held *held); /* called when the bytes were taken out of the buffer */
};

#endif
