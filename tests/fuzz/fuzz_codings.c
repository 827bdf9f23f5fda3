/* SPDX-License-Identifier: MIT */
/* Lists of codings: the lines of the input are the lines of a Content-Encoding and of a
 * Transfer-Encoding. What is read of them is what a reference of a few lines reads of the whole
 * list. */
#include <stdbool.h>
#include <string.h>

#include "fuzz.h"
#include "http/decoder.h"
#include "http/head.h"
#include "septet/septet.h"

enum { LINES_MAX = 16, LIST_MAX = 4096 };

/* Returns how many elements of the list are among `words`, or -1 where one is not known. `nothing`
 * counts as none. */
static int reference(char *list, const char *const *words, const char *const *nothing)
{
    int n = 0;
    for (char *rest = list, *item; (item = strsep(&rest, ","));) {
        item += strspn(item, " \t");
        for (size_t len = strlen(item); len > 0 && strchr(" \t", item[len - 1]); len--)
            item[len - 1] = '\0';
        int known = *item == '\0';
        for (const char *const *w = nothing; *w; w++)
            known |= strcasecmp(item, *w) == 0;
        for (const char *const *w = words; *w && !known; w++)
            n += known = strcasecmp(item, *w) == 0;
        if (!known)
            return -1;
#ifdef SPT_FUZZ_PLANT
        break; /* the first element passes for the list */
#endif
    }
    return n;
}

static void check_content(char *list, const struct input *lines, size_t n)
{
    static const char *const words[] = {"gzip", "x-gzip", "deflate", "br", "zstd", NULL};
    static const char *const nothing[] = {"identity", "none", NULL};
    struct spt_codings codings = {0};
    struct spt_decoder *decoder = NULL;
    int rc = SEPTET_OK;
    for (size_t i = 0; i < n && rc == SEPTET_OK; i++)
        rc = spt_decoder_add_codings(&codings, (const char *)lines[i].data, lines[i].len);
    int expected = reference(list, words, nothing);
    CHECK((rc == SEPTET_OK) == (expected == 0 || expected == 1));
    if (rc != SEPTET_OK)
        return;
    CHECK(spt_decoder_new(&decoder, &codings) == SEPTET_OK);
    CHECK((decoder != NULL) == (expected == 1));
    spt_decoder_free(decoder);
}

static void check_transfer(char *list, const struct input *lines, size_t n)
{
    static const char *const words[] = {"chunked", NULL}, *const nothing[] = {"identity", NULL};
    struct spt_head head = {0};
    struct spt_buf buf = {.max = SPT_HEAD_MAX};
    char line[LIST_MAX + 32];
    CHECK(spt_head_line(&head, &buf, "HTTP/1.1 200 OK\r\n", 17) == SEPTET_OK);
    for (size_t i = 0; i < n; i++) {
        int len = snprintf(line, sizeof line, "transfer-ENCODING:%.*s\r\n", (int)lines[i].len,
                           (const char *)lines[i].data);
        CHECK(spt_head_line(&head, &buf, line, (size_t)len) == SEPTET_OK);
    }
    int expected = reference(list, words, nothing);
    if (expected < 0 || expected > 1)
        CHECK(head.undone);
    if (expected == 0)
        CHECK(!head.undone && !head.chunked);
    if (!head.undone)
        CHECK(head.chunked == (expected == 1));
    size_t at = 0, len, found = 0;
    while (spt_head_next(&buf, &at, "transfer-encoding:", &len))
        found++;
    CHECK(found == n);
    spt_buf_release(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input lines[LINES_MAX];
    char list[LIST_MAX + 1], copy[LIST_MAX + 1];
    size_t n = 0, begin = 0;
    if (size == 0 || size > LIST_MAX || memchr(data, '\0', size) || memchr(data, '\r', size))
        return 0;
    for (size_t i = 0; i <= size; i++) {
        list[i] = i == size ? '\0' : data[i] == '\n' ? ',' : (char)data[i];
        if (i < size && data[i] != '\n')
            continue;
        if (n == LINES_MAX)
            return 0;
        lines[n++] = (struct input){data + begin, i - begin};
        begin = i + 1;
    }
    memcpy(copy, list, size + 1);
    check_content(copy, lines, n);
    check_transfer(list, lines, n);
    return 0;
}
