/* SPDX-License-Identifier: MIT */
/* The multis of a session. Each has connections, a timer and sockets of its own. */
#ifndef SPT_HTTP_MULTI_H
#define SPT_HTTP_MULTI_H

#include <curl/curl.h>
#include <stdbool.h>

struct spt_driver;
struct spt_easy;
struct spt_multi;
struct spt_request;
struct spt_session;

/* Initialises a multi of a session, which keeps at most `max` connections. Returns SEPTET_OK or
 * SEPTET_ENOMEM. The caller closes it in either case. */
int spt_multi_init(struct spt_multi *multi, struct spt_session *session, long max);

/* Closes the connections of a multi, which no handle may be in. A no-op if it is closed. */
void spt_multi_close(struct spt_multi *multi);

/* Sets up the driver's pollers to report to its multis. */
void spt_multi_init_pollers(struct spt_driver *driver);

/* Schedules a run of the multi in the next pass. */
void spt_multi_schedule(struct spt_multi *multi);

/* Runs libcurl if an action or its timer is due. */
void spt_multi_run(struct spt_multi *multi);

/* Takes the next transfer that has ended: its handle, and libcurl's result in `*code`. Returns NULL
 * if there is none. */
struct spt_easy *spt_multi_next_result(struct spt_multi *multi, CURLcode *code);

/* Arms the timer for libcurl's next action. */
void spt_multi_arm(struct spt_multi *multi);

/* Adds the request's handle to the multi of its place, or removes it. */
CURLMcode spt_multi_add(struct spt_request *request);
void spt_multi_remove(struct spt_request *request);

/* Pauses a transfer in `directions` (CURLPAUSE_*) and resumes it in the others. libcurl may deliver
 * data inside of the call. */
CURLcode spt_multi_pause(struct spt_easy *easy, int directions);

/* Returns true if the multi has an idle connection. */
bool spt_multi_has_idle(struct spt_multi *multi);

/* Makes the next new connection of the multi evict an idle one, if there is one. Applies to the
 * next run alone. */
void spt_multi_evict_idle(struct spt_multi *multi);

/* Keeps no more than one idle connection while descriptors are `scarce`. */
void spt_multi_conserve(struct spt_multi *multi, bool scarce);

#endif
