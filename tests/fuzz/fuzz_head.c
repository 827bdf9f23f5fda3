/* SPDX-License-Identifier: MIT */
/* Heads of responses: libcurl is fed the input through a socket, whole and in two parts, and hands
 * the lines of the head to ours. Where ours takes the head, it has the status and the headers that
 * libcurl's own API tells, and nothing depends on where the input was split. */
#include <curl/curl.h>
#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fuzz.h"
#include "http/head.h"
#include "septet/septet.h"

struct run {
    struct spt_head head;
    struct spt_buf buf, trailers;
    bool refused;
    /* libcurl's API takes a CR within a line for its end, or a trailer for more of the last
     * header */
    bool differs;
};

static int listener;
static char name[64]; /* of the listener, which is in no file system */

static void listen_once(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int n = snprintf(name, sizeof name, "septet-fuzz-head-%ld", (long)getpid());
    memcpy(address.sun_path + 1, name, (size_t)n);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
    CHECK(listener >= 0 && bind(listener, (struct sockaddr *)&address, size) == 0);
    CHECK(listen(listener, 16) == 0);
}

static size_t on_header(char *line, size_t size, size_t n, void *ud)
{
    struct run *run = ud;
#ifdef SPT_FUZZ_PLANT
    if (!run->head.done && size * n >= 5 && memcmp(line, "HTTP/", 5) == 0)
        run->head.within = false; /* any such line begins a head */
#endif
    const char *cr = memchr(line, '\r', size * n);
    run->differs |= cr && (size_t)(cr - line) + 2 < size * n;
    run->differs |= run->head.done && (line[0] == ' ' || line[0] == '\t');
    run->refused |=
        (run->head.done ? spt_head_trailer(&run->head, &run->trailers, line, size * n)
                        : spt_head_line(&run->head, &run->buf, line, size * n)) != SEPTET_OK;
    return run->refused ? 0 : size * n;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *ud)
{
    return size * n;
}

static void say(int fd, const uint8_t *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n <= 0)
            return;
        data += n;
        len -= (size_t)n;
    }
}

/* Has libcurl read all that there is. */
static void go_on(CURLM *multi)
{
    int running = 1;
    for (int i = 0; i < 20 && running; i++)
        curl_multi_perform(multi, &running);
}

static CURL *new_easy(struct run *run)
{
    CURL *c = curl_easy_init();
    CHECK(c);
    curl_easy_setopt(c, CURLOPT_URL, "http://127.0.0.1:1/");
    curl_easy_setopt(c, CURLOPT_PROXY, "");
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(c, CURLOPT_HTTP_CONTENT_DECODING, 0L);
    curl_easy_setopt(c, CURLOPT_ABSTRACT_UNIX_SOCKET, name);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, run);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    return c;
}

/* Returns true if the two are the same but for blanks and line ends. What libcurl takes for a blank
 * is more than what we do. */
static bool same(const char *a, size_t len, const char *b)
{
    const char *end = a + len;
    for (;;) {
        while (a < end && isspace((unsigned char)*a))
            a++;
        while (isspace((unsigned char)*b))
            b++;
        if (a == end || *b == '\0')
            return a == end && *b == '\0';
        if (*a++ != *b++)
            return false;
    }
}

static void check_head(CURL *c, const struct run *run)
{
    long status = 0;
    const char *p = run->buf.data, *end = p + run->buf.len;
    struct curl_header *h = NULL;
    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
    /* libcurl 8.14 reports 200 for any status line of another version, as "HTTP/2.0". */
    if (run->head.version == 10 || run->head.version == 11)
        CHECK(status == run->head.status);
    while ((p = memchr(p, '\n', (size_t)(end - p)))) {
        p++;
        const char *cr = memchr(p, '\r', (size_t)(end - p)), *colon;
        const char *finish = cr ? cr : end;
        h = curl_easy_nextheader(c, CURLH_HEADER, -1, h);
        CHECK(h);
        colon = memchr(p, ':', (size_t)(finish - p));
        CHECK(colon && same(p, (size_t)(colon - p), h->name));
        CHECK(same(colon + 1, (size_t)(finish - colon - 1), h->value));
    }
    CHECK(!curl_easy_nextheader(c, CURLH_HEADER, -1, h));
}

static void run_once(struct run *run, const uint8_t *data, size_t size, size_t split)
{
    *run = (struct run){.buf.max = SPT_HEAD_MAX};
    CURLM *multi = curl_multi_init();
    CURL *c = new_easy(run);
    curl_multi_add_handle(multi, c);
    go_on(multi);
    int fd = accept(listener, NULL, NULL);
    CHECK(fd >= 0);
    say(fd, data, split);
    if (split > 0)
        go_on(multi);
    say(fd, data + split, size - split);
    shutdown(fd, SHUT_WR);
    go_on(multi);
    if (run->head.done && !run->refused && !run->differs)
        check_head(c, run);
    curl_multi_remove_handle(multi, c);
    curl_easy_cleanup(c);
    curl_multi_cleanup(multi);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct run whole, parts;
    size_t split = input_below(&in, 1024);
    if (!listener)
        listen_once();
    run_once(&whole, in.data, in.len, 0);
    run_once(&parts, in.data, in.len, split < in.len ? split : in.len);
    bool taken = whole.head.done && !whole.refused;
    /* Of a line with a NUL libcurl refuses the response, or hands it to nobody, as the bytes
     * come. */
    bool same_lines = !memchr(in.data, '\0', in.len);
    CHECK(!same_lines || taken == (parts.head.done && !parts.refused));
    if (taken && same_lines) {
        CHECK(whole.head.status == parts.head.status && whole.head.length == parts.head.length);
        CHECK(whole.head.undone == parts.head.undone && whole.head.encoded == parts.head.encoded);
        CHECK(whole.buf.len == parts.buf.len);
        CHECK(memcmp(whole.buf.data, parts.buf.data, whole.buf.len) == 0);
        const struct spt_buf *a = &whole.trailers, *b = &parts.trailers;
        CHECK(a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0));
    }
    spt_buf_release(&whole.buf);
    spt_buf_release(&parts.buf);
    spt_buf_release(&whole.trailers);
    spt_buf_release(&parts.trailers);
    return 0;
}
