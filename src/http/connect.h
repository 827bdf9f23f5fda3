/* SPDX-License-Identifier: MIT */
/* How a handle gets its connection: libcurl's callbacks for sockets and for a ready connection, and
 * what the multi's callback for sockets says of connection attempts. */
#ifndef SPT_HTTP_CONNECT_H
#define SPT_HTTP_CONNECT_H

#include <curl/curl.h>

struct spt_driver;
struct spt_easy;

/* libcurl's callbacks for a new socket and for a ready connection; `ud` is the spt_easy. */
curl_socket_t spt_connect_on_open_socket(void *ud, curlsocktype purpose,
                                         struct curl_sockaddr *address);
int spt_connect_on_ready(void *ud, char *peer, char *local, int peer_port, int local_port);

/* libcurl's callback to close a socket; `ud` is the spt_driver, as a connection outlives the handle
 * that opened it. */
int spt_connect_on_close_socket(void *ud, curl_socket_t fd);

/* Records that libcurl dropped a socket, perhaps before it was connected. */
void spt_connect_note_over(struct spt_driver *driver, int fd);

/* Records the beginning of a TLS handshake, which is when the socket is connected. A no-op for any
 * other socket. */
void spt_connect_note_handshake(struct spt_driver *driver, int fd);

/* Stops watching the sockets of the handle's connection attempts, which libcurl is about to
 * close. */
void spt_connect_drop_connecting(struct spt_easy *easy);

#endif
