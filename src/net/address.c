/* SPDX-License-Identifier: MIT */
/* Reads with inet_pton(), which takes none of the older forms of numbers. */
#include "net/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

static void set_v4(struct spt_address *address, struct in_addr host, int port)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)&address->at;
    *address = (struct spt_address){.len = sizeof *v4};
    v4->sin_family = AF_INET;
    v4->sin_addr = host;
    v4->sin_port = htons((uint16_t)port);
}

static void set_v6(struct spt_address *address, const struct in6_addr *host, int port)
{
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address->at;
    *address = (struct spt_address){.len = sizeof *v6};
    v6->sin6_family = AF_INET6;
    v6->sin6_addr = *host;
    v6->sin6_port = htons((uint16_t)port);
}

bool spt_address_read(struct spt_address *address, const char *text, size_t len, int port)
{
    char host[INET6_ADDRSTRLEN];
    struct in_addr v4;
    struct in6_addr v6;
    if (len > 2 && text[0] == '[' && text[len - 1] == ']') {
        text++;
        len -= 2;
    }
    if (len >= sizeof host)
        return false;
    memcpy(host, text, len);
    host[len] = '\0';
    if (inet_pton(AF_INET, host, &v4) == 1) {
        set_v4(address, v4, port);
        return true;
    }
    if (inet_pton(AF_INET6, host, &v6) != 1)
        return false;
    if (IN6_IS_ADDR_V4MAPPED(&v6)) {
        memcpy(&v4, v6.s6_addr + 12, sizeof v4);
        set_v4(address, v4, port);
    } else {
        set_v6(address, &v6, port);
    }
    return true;
}

void spt_address_name_target(struct spt_address *address)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address->at;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address->at;
    int port = spt_address_port(address);
    if (address->at.ss_family == AF_INET && v4->sin_addr.s_addr == htonl(INADDR_ANY))
        set_v4(address, (struct in_addr){htonl(INADDR_LOOPBACK)}, port);
    else if (address->at.ss_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr))
        set_v6(address, &in6addr_loopback, port);
}

bool spt_address_of_path(struct spt_address *address, const char *path)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&address->at;
    size_t len = strlen(path);
    *address = (struct spt_address){0};
    if (len == 0 || len >= sizeof un->sun_path)
        return false;
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path, len + 1);
    address->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
    return true;
}

int spt_address_port(const struct spt_address *address)
{
    if (address->at.ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)&address->at)->sin_port);
    if (address->at.ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)&address->at)->sin6_port);
    return 0;
}

bool spt_address_write(const struct spt_address *address, char text[SPT_ADDRESS_TEXT_SIZE])
{
    char host[INET6_ADDRSTRLEN];
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address->at;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address->at;
    const struct sockaddr_un *un = (const struct sockaddr_un *)&address->at;
    const size_t path_at = offsetof(struct sockaddr_un, sun_path);
    text[0] = '\0';
    switch (address->at.ss_family) {
    case AF_INET:
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        snprintf(text, SPT_ADDRESS_TEXT_SIZE, "%s:%d", host, ntohs(v4->sin_port));
        return true;
    case AF_INET6:
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        snprintf(text, SPT_ADDRESS_TEXT_SIZE, "[%s]:%d", host, ntohs(v6->sin6_port));
        return true;
    case AF_UNIX:
        if (address->len > path_at)
            snprintf(text, SPT_ADDRESS_TEXT_SIZE, "%.*s", (int)(address->len - path_at),
                     un->sun_path);
        return text[0] != '\0';
    default:
        return false;
    }
}

void spt_address_of_peer(int fd, char text[SPT_ADDRESS_TEXT_SIZE])
{
    struct spt_address address = {.len = sizeof address.at};
    text[0] = '\0';
    if (getpeername(fd, (struct sockaddr *)&address.at, &address.len) == 0)
        spt_address_write(&address, text);
}

void spt_address_of_socket(int fd, char text[SPT_ADDRESS_TEXT_SIZE])
{
    struct spt_address address = {.len = sizeof address.at};
    text[0] = '\0';
    if (getsockname(fd, (struct sockaddr *)&address.at, &address.len) == 0)
        spt_address_write(&address, text);
}

int spt_address_open(const struct spt_address *address)
{
    int fd = socket(address->at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return uv_translate_sys_error(errno);
    if (address->at.ss_family != AF_UNIX)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    return fd;
}
