/* SPDX-License-Identifier: MIT */
/* A session that a script opened. */
#ifndef SPT_OP_HTTP_SESSION_H
#define SPT_OP_HTTP_SESSION_H

#include "core/scope.h"

struct spt_session;

#define SPT_SESSION_META "septet.http.session"

struct spt_session_handle {
    struct spt_session *session; /* owned; NULL once closed */
    /* in the env's while open: the host closes the rest */
    struct spt_resource resource;
};

#endif
