/* SPDX-License-Identifier: MIT */
/* Formats with vsnprintf, which allocates nothing for what is used here. */
#include "base/text.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

struct spt_text spt_text_new(char *out, size_t size)
{
    *out = '\0';
    return (struct spt_text){.out = out, .size = size};
}

void spt_text_add(struct spt_text *text, const char *format, ...)
{
    size_t room = text->size - text->n;
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text->out + text->n, room, format, args);
    va_end(args);
    if (n > 0)
        text->n += (size_t)n < room ? (size_t)n : room - 1;
}

void spt_text_add_json(struct spt_text *text, const char *s, size_t max)
{
    size_t n = strnlen(s, max);
    spt_text_add(text, "\"");
    while (n > 0) {
        bool good = true;
        size_t length = spt_utf8_next(s, n, &good);
        unsigned char c = (unsigned char)*s;
        if (!good)
            spt_text_add(text, "\\ufffd");
        else if (c < 0x20 || c == 0x7f)
            spt_text_add(text, "\\u%04x", c);
        else
            spt_text_add(text, "%s%.*s", c == '"' || c == '\\' ? "\\" : "", (int)length, s);
        s += length;
        n -= length;
    }
    spt_text_add(text, "\"");
}
