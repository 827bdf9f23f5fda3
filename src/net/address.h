/* SPDX-License-Identifier: MIT */
/* Addresses of sockets: of IPv4, of IPv6 and of unix sockets. Knows no names and opens nothing. */
#ifndef SPT_NET_ADDRESS_H
#define SPT_NET_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#define SPT_ADDRESS_TEXT_SIZE 128 /* bytes of an address as text, with its NUL */

struct spt_address {
    struct sockaddr_storage at;
    socklen_t len;
};

/* Reads an address of IP, "127.0.0.1", "::1" or "[::1]". One of IPv4 in IPv6, "::ffff:127.0.0.1",
 * is that of IPv4. Returns false if it is none. */
bool spt_address_read(struct spt_address *address, const char *text, size_t len, int port);

/* Replaces the address that stands for all of the machine by that of the loopback, to which the
 * kernel would connect. */
void spt_address_name_target(struct spt_address *address);

/* Makes the address of a unix socket. Returns false if the path is empty or too long for one. */
bool spt_address_of_path(struct spt_address *address, const char *path);

/* Writes "127.0.0.1:80", "[::1]:80" or the path of a unix socket. Returns false for a unix socket
 * without a path, and then writes "". */
bool spt_address_write(const struct spt_address *address, char text[SPT_ADDRESS_TEXT_SIZE]);

/* Returns the port, 0 for a unix socket. */
int spt_address_port(const struct spt_address *address);

/* Write the addresses of a socket, as spt_address_write(), or "". */
void spt_address_of_peer(int fd, char text[SPT_ADDRESS_TEXT_SIZE]);
void spt_address_of_socket(int fd, char text[SPT_ADDRESS_TEXT_SIZE]);

/* Makes a non-blocking socket for the address. Returns it, or libuv's error number. */
int spt_address_open(const struct spt_address *address);

#endif
