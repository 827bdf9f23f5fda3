/* SPDX-License-Identifier: MIT */
/* Reads a date as a sequence of tokens in any order, between delimiters of any kind. */
#include "http/cookie_date.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

struct piece {
    const char *at;
    size_t len;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_delimiter(char c)
{
    return c == '\t' || (c >= 0x20 && c <= 0x2f) || (c >= 0x3b && c <= 0x40) ||
           (c >= 0x5b && c <= 0x60) || (c >= 0x7b && c <= 0x7e);
}

/* Reads from `least` to `most` digits that no further digit follows. Returns their number, or 0. */
static size_t read_digits(struct piece p, size_t least, size_t most, int *n)
{
    size_t i = 0;
    for (*n = 0; i < p.len && i < most && is_digit(p.at[i]); i++)
        *n = *n * 10 + (p.at[i] - '0');
    return i < least || (i < p.len && is_digit(p.at[i])) ? 0 : i;
}

/* Reads "hh:mm:ss", which anything but a digit may follow. Returns false if it is not a time. */
static bool read_time(struct piece p, int *hour, int *minute, int *second)
{
    int fields[3];
    for (int i = 0; i < 3; i++) {
        size_t n = read_digits(p, 1, 2, &fields[i]);
        if (n == 0 || (i < 2 && (n >= p.len || p.at[n] != ':')))
            return false;
        n += i < 2;
        p = (struct piece){p.at + n, p.len - n};
    }
    *hour = fields[0];
    *minute = fields[1];
    *second = fields[2];
    return true;
}

/* Returns the month that the token begins with, 1 to 12, or 0. */
static int month_of(struct piece p)
{
    static const char months[] = "janfebmaraprmayjunjulaugsepoctnovdec";
    for (int i = 0; i < 12 && p.len >= 3; i++)
        if (strncasecmp(p.at, months + (ptrdiff_t)3 * i, 3) == 0)
            return i + 1;
    return 0;
}

/* Returns the number of days from 1970-01-01 to a date of the Gregorian calendar. */
static int64_t days(int64_t year, int month, int day)
{
    if (month <= 2) {
        year--;
        month += 12;
    }
    return 365 * year + year / 4 - year / 100 + year / 400 + (153 * (month - 3) + 2) / 5 + day -
           719469;
}

int64_t spt_cookie_date(const char *text, size_t len)
{
    int hour = -1, minute = 0, second = 0, day = 0, month = 0, year = -1, n;
    for (const char *p = text, *end = text + len; p < end;) {
        const char *from = p;
        while (p < end && !is_delimiter(*p))
            p++;
        struct piece token = {from, (size_t)(p - from)};
        p += p < end;
        if (token.len == 0)
            continue;
        if (hour < 0 && read_time(token, &hour, &minute, &second))
            continue;
        if (day == 0 && read_digits(token, 1, 2, &n))
            day = n > 0 ? n : 32;
        else if (month == 0 && month_of(token))
            month = month_of(token);
        else if (year < 0 && read_digits(token, 2, 4, &n))
            year = n < 70 ? n + 2000 : n < 100 ? n + 1900 : n;
    }
    bool good = hour >= 0 && hour <= 23 && minute <= 59 && second <= 59 && day >= 1 && day <= 31 &&
                month > 0 && year >= 1601;
    return good ? ((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second : INT64_MIN;
}
