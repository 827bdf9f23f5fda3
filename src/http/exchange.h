/* The exchanges of a transfer: a request with credentials for a digest may take several, and so may
 * one with an Expect header of the script's. The last one's response is the transfer's. libcurl
 * runs each as a transfer of its own. */
#ifndef SPT_HTTP_EXCHANGE_H
#define SPT_HTTP_EXCHANGE_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "http/digest.h"

struct spt_easy;
struct spt_request;

enum {
    SPT_EXCHANGES_MAX = 4
}; /* of a transfer; one more where the server refuses an expectation */

/* What follows a response. */
enum spt_follow {
    SPT_FOLLOW_NONE,     /* it is the transfer's */
    SPT_FOLLOW_ANSWER,   /* its challenge is answered */
    SPT_FOLLOW_BODY,     /* there was no challenge: the body, which was kept back, is sent */
    SPT_FOLLOW_UNASKING, /* it was 417: the same is sent without "Expect: 100-continue" */
};

struct spt_exchange {
    enum spt_follow follow;
    /* which of the transfer's it is, from 1 on; one that asks for less does not count */
    unsigned n;
    bool unasking;  /* it goes without the request's "Expect: 100-continue" */
    bool kept_back; /* it goes without the request's body */
    bool answered;  /* a challenge was answered */
    bool was_stale; /* ... and one that said that the nonce was stale */
    struct spt_challenge challenge;
    char *line;               /* owned: the header that answers; NULL: there is none */
    struct spt_buf cookies;   /* the header with cookies, where the session has a jar */
    struct curl_slist *nodes; /* owned: those two before the request's own; NULL: there are none */
};

/* The first exchange of a transfer. A body is kept back where a challenge is to be expected. */
void spt_exchange_first(struct spt_exchange *e, const struct spt_request *r);

/* The head of the response is whole: decides what follows. Returns SEPTET_OK or SEPTET_ENOMEM. */
int spt_exchange_judge(struct spt_easy *easy);

/* Sets up the next exchange; the handle is out of its multi. Returns SEPTET_OK, SEPTET_EINVAL if
 * the body cannot be made once more, or SEPTET_ENOMEM. */
int spt_exchange_next(struct spt_easy *easy);

/* Makes the header lines of the exchange at work. Returns SEPTET_OK or SEPTET_ENOMEM. */
int spt_exchange_headers(struct spt_easy *easy, bool with_body, struct curl_slist **out);

/* Takes the cookies that the head of a response sets. Returns SEPTET_OK or SEPTET_ENOMEM. */
int spt_exchange_take_cookies(struct spt_easy *easy);

/* Frees what an exchange has; libcurl must not know it any more. */
void spt_exchange_release(struct spt_exchange *e);

#endif
