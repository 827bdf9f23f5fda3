/* SPDX-License-Identifier: MIT */
/* The exchanges of an attempt. An attempt with digest credentials may take several, and so may one
 * with an Expect header of the script's. The response of the last exchange is the attempt's.
 * libcurl runs each exchange as a transfer of its own. */
#ifndef SPT_HTTP_EXCHANGE_H
#define SPT_HTTP_EXCHANGE_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "http/digest.h"

struct spt_jar;
struct spt_request;

enum { SPT_EXCHANGES_MAX = 4 }; /* of an attempt; a refused expectation allows one more */

/* What follows the response of an exchange. */
enum spt_follow {
    SPT_FOLLOW_NONE,           /* nothing, it is the attempt's */
    SPT_FOLLOW_ANSWER,         /* the answer to its challenge */
    SPT_FOLLOW_BODY,           /* the body that was withheld, as no challenge came */
    SPT_FOLLOW_WITHOUT_EXPECT, /* after 417: the request without "Expect: 100-continue" */
};

struct spt_exchange {
    enum spt_follow follow;
    /* number of the exchange in its attempt, from 1 on; one without the expectation is not
     * counted */
    unsigned n;
    bool without_expect;       /* sent without the request's "Expect: 100-continue" */
    bool withheld;             /* sent without the request's body */
    bool answered;             /* a challenge was answered */
    bool was_stale;            /* a challenge with a stale nonce was answered */
    struct spt_nonces *nonces; /* borrowed from the session */
    struct spt_jar *jar;       /* borrowed from the session; NULL if it goes without cookies */
    struct spt_challenge challenge;
    char *line;               /* owned header that answers; NULL if none */
    struct spt_buf cookies;   /* the Cookie header, if the session has a jar */
    struct curl_slist *nodes; /* owned: those two, then the request's own lines */
    struct curl_slist no_te;  /* precedes the header lines, with quirk TRANSFER; set by easy.c */
};

/* Initialises the first exchange of an attempt. Withholds the body if a challenge is to be
 * expected. Borrows the session's `nonces`, and its `jar`, which is NULL for a request without
 * cookies. */
void spt_exchange_first(struct spt_exchange *e, const struct spt_request *r,
                        struct spt_nonces *nonces, struct spt_jar *jar);

/* Decides what follows once the head of the response, with this status, is complete. Returns
 * SEPTET_OK or SEPTET_ENOMEM. */
int spt_exchange_judge(struct spt_exchange *e, const struct spt_request *r, int status);

/* Advances to the exchange that follows. Returns SEPTET_OK, SEPTET_EINVAL if the body cannot be
 * sent again, or SEPTET_ENOMEM. */
int spt_exchange_next(struct spt_exchange *e, struct spt_request *r);

/* Makes the header lines of the current exchange; `*out` is borrowed from it or from the request.
 * Returns SEPTET_OK or SEPTET_ENOMEM. */
int spt_exchange_headers(struct spt_exchange *e, const struct spt_request *r, bool with_body,
                         struct curl_slist **out);

/* Stores the cookies that the head of a response sets. Returns SEPTET_OK or SEPTET_ENOMEM. */
int spt_exchange_take_cookies(struct spt_exchange *e, const struct spt_request *r);

/* Frees what an exchange owns. libcurl must not refer to it any more. */
void spt_exchange_release(struct spt_exchange *e);

#endif
