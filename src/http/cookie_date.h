/* SPDX-License-Identifier: MIT */
/* Dates of cookies (RFC 6265, 5.1.1). */
#ifndef SPT_HTTP_COOKIE_DATE_H
#define SPT_HTTP_COOKIE_DATE_H

#include <stddef.h>
#include <stdint.h>

/* Returns the Unix time of a date in seconds, or INT64_MIN if the text is not a date. */
int64_t spt_cookie_date(const char *text, size_t len);

#endif
