/* SPDX-License-Identifier: MIT */
/* Judges an exchange by its method, and by what was sent and received of it. */
#include "http/resend.h"

#include <string.h>

#include "http/quirks.h"
#include "http/request.h"
#include "http/state.h"

/* Returns true if a method is idempotent (RFC 9110, 9.2.2). */
static bool is_idempotent(const char *method)
{
    static const char *const methods[] = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (strcmp(method, methods[i]) == 0)
            return true;
    return false;
}

bool spt_resend_is_guarded(const struct spt_request *r)
{
    return r->manner.once || !is_idempotent(r->method);
}

long spt_resend_bytes_written(const struct spt_easy *easy)
{
    long n = 0;
    curl_easy_getinfo(easy->curl, CURLINFO_REQUEST_SIZE, &n);
    return n;
}

/* Returns true if the server did not process the exchange, as far as is known. With quirk
 * HTTP2_MUTE that is assumed of any exchange on a stream. */
static bool was_refused(const struct spt_easy *easy)
{
    bool mute = SPT_HAS_QUIRK(easy->driver->quirks, HTTP2_MUTE);
    return easy->sent.unseen || (easy->sent.on_stream && mute);
}

bool spt_resend_is_spent(const struct spt_easy *easy)
{
    if (!easy->sent.engaged)
        return false;
    return easy->head.done ||
           (spt_resend_is_guarded(easy->request) &&
            spt_resend_bytes_written(easy) > easy->sent.written && !was_refused(easy));
}

bool spt_resend_is_refused(struct spt_easy *easy)
{
    if (!spt_resend_is_spent(easy))
        return false;
    if (!easy->error[0])
        easy->abort.no_resend = "empty";
    else
        easy->abort.no_resend = strstr(easy->error, "Send") ? "send" : "receive";
    return true;
}

bool spt_resend_is_stale(const struct spt_easy *easy, CURLcode code)
{
    long connects = 0;
    if (code != CURLE_SEND_ERROR && code != CURLE_RECV_ERROR && code != CURLE_GOT_NOTHING)
        return false;
    curl_easy_getinfo(easy->curl, CURLINFO_NUM_CONNECTS, &connects);
    return connects == 0 && easy->head.lines == 0 && !easy->restarted && !spt_resend_is_spent(easy);
}
