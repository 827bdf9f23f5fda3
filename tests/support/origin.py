#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""origin: a scriptable HTTP/1.1 server on loopback, for tests and demos.

The URL of a request says what the origin does (see --help): its response may be late, slow, cut
off, reset, compressed, redirected or missing. Nothing is random: the same requests in the same
order get the same bytes.

It prints "port N" once it listens. It ends on SIGTERM, on SIGINT, or when its standard input is a
pipe that is closed, so that it never outlives the program that started it. It knows nothing of
Septet, and uses python3's standard library alone. Its parts are in origin_server/.
"""

import argparse
import asyncio
import ipaddress
import os
import resource
import signal
import socket
import ssl
import stat
import sys

from origin_server.connection import Connection, Log
from origin_server.pieces import ByteByByte
from origin_server.request import Reader

ROUTES_HELP = """\
routes, for every method; a HEAD gets the same headers and no body:
  /bytes/N                       N bytes of the pattern 0123456789abcdef, over and over
  /delay/SECONDS[?bytes=2]       the same, late
  /status/CODE                   that status and a short body (none for 204, 304; after a 1xx comes
                                 a 200)
  /echo                          JSON: method, path, query, headers, body, body_size
  /mirror[?N=V&N=V]              the request's body, with its Content-Type and those headers
  /early/CODE[?read=0]           that status after so many bytes of the request's body, and closes
  /vanish/fin[?read=N]           closes without a response, after so many bytes of the request's
                                 body, or all of it; /vanish/rst with RST
  /refuse[?read=N&mute=1&length=9&end=fin&all=1]
                                 417 with so many bytes to a request that expects a 100: at its
                                 head, or after a 100 (with mute without) and N bytes of its body or
                                 "all", and then closes or not; to others the same with all, else
                                 as /echo
  /stall-upload                  reads nothing of the request's body, and never responds
  /headers?N=V&N=V               those response headers, in that order
  /redirect/N                    302 to /redirect/N-1; /redirect/0 is a 200
  /redirect-to?url=U[&status=302][&N=V]  Location: U, and those headers
  /close[?bytes=2]               Connection: close, and closes after the body
  /close-delimited[?bytes=2]     no Content-Length: the close ends the body
  /reset[?after=N&length=M]      RST before any byte; or after headers (Content-Length M) and N
                                 bytes
  /empty                         closes before any byte
  /truncate[?length=1000&sent=500]  Content-Length is length; closes after sent bytes
  /stall[?after=N&length=M]      no byte, ever; or nothing more after headers and N bytes
  /drip[?bytes=10&interval=0.05] one byte after each interval
  /chunked[?chunks=4&size=256]   Transfer-Encoding: chunked
  /gzip[?bytes=1024]             Content-Encoding: gzip, for that many bytes when decoded
  /fail/N?key=K[&status=503&retry-after=T]
                                 that status to the first N requests with this key, then a 200
  /fail/N?key=K&how=reset        RST to them
  /file/KEY                      what the last POST to it made of it, with Range and If-Range: POST
                                 /file/KEY
        [?size=1000&version=0]   that many bytes; a version has bytes of its own
        [&etag=E&modified=D&date=D]  headers
        [&ranges=no|blind|bare]  no Range; no If-Range; no size in a 416
        [&skip=N&total=M]        ranges begin N bytes late; the size in a 206
        [&cut=N]                 closes after N bytes of the body; stall=N: nothing more after them
        [&gzip=1]                Content-Encoding: gzip, for a request of the whole
  /digest[?algorithm=MD5&close=&stale=]
                                 as /echo for the user "lion" with the password "Circle of Life",
                                 else a challenge; with stale a second one, too
  /prove/KEY                     as /echo for the same user; every field of each proof is checked
        [?algorithm=A&qop=Q&realm=R&opaque=O&userhash=1]
                                 the parameters of the challenge; qop may be empty, or absent
        [&fresh=1]               a nonce for each challenge; else one for each key, with uses that
                                 must be counted
        [&stale=N]               says so often that the nonce was stale
        [&before=C&size=N]       a challenge before it; bytes of the 401's body
  /script/KEY                    what /raw/KEY will do: a POST whose lines are "send HEX",
                                 "repeat N HEX", "sleep SECONDS", "eof" (sends no more), and at the
                                 end "fin", "rst", "stall" or "keep"; the lines after a line "next"
                                 are for the next request, and the last part for all others
  /raw/KEY                       these bytes, whatever they are
  /hold/KEY[?n=1]                responds when so many requests with this key are there
  CONNECT host:port              a tunnel there; the response has a header X-Proxy
  /garbage                       a first line that is no HTTP, then closes
  /idle-close[?after=0]          a 200 that promises keep-alive, then closes after so many seconds
  /idle-reset[?after=0]          the same with RST

the log, one JSON object a line, each with "event", "time" (seconds) and "connection" (1, 2, ...):
  open     "peer": the client's port, null on a socket of the file system; with TLS its version,
           "tls", whether its session was "resumed", and the "client" named in its certificate
  request  "method", "path", "query" (both as sent), "headers" (lower-case names), "body_size";
           written when the request is complete, before the first byte of the response
  close    "requests": how many there were; "by": "client" or "origin"
"""


def listening_socket(address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted sockets inherit it
    sock.bind((address, port))
    return sock


def watch_stdin(loop, stop):
    """Sets `stop` when standard input is closed, if it is a pipe or a socket."""
    try:
        kind = os.fstat(0).st_mode
    except OSError:
        return
    if not (stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind)):
        return

    def readable():
        if not os.read(0, 4096):
            loop.remove_reader(0)
            stop.set()

    loop.add_reader(0, readable)


def tls_context(folder):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(folder, "server.pem"))
    context.load_verify_locations(os.path.join(folder, "ca.pem"))
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


async def serve(sock, log, tls, path, one_byte):
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    count = 0

    async def connected(reader, writer):
        nonlocal count
        count += 1
        writer = ByteByByte(writer) if one_byte else writer
        try:
            await Connection(count, log, reader, writer).run()
        except asyncio.CancelledError:
            pass  # the origin ends while its client is still there

    def protocol():
        return asyncio.StreamReaderProtocol(Reader(loop), connected, loop=loop)

    server = await loop.create_server(protocol, sock=sock, backlog=1024, ssl=tls)
    local = await loop.create_unix_server(protocol, path, backlog=1024) if path else None
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    watch_stdin(loop, stop)
    print(f"port {sock.getsockname()[1]}", flush=True)
    await stop.wait()
    server.close()
    if local:
        local.close()


def allow_many_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def loopback(text):
    try:
        if ipaddress.ip_address(text).is_loopback:
            return text
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"'{text}' is no loopback address")


def options():
    parser = argparse.ArgumentParser(
        description="a scriptable HTTP/1.1 server on loopback; prints 'port N' when it listens",
        epilog=ROUTES_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--port", type=int, default=0, help="the port to listen on (0, the default: a free one)"
    )
    parser.add_argument(
        "--bind", type=loopback, default="127.0.0.1", metavar="ADDR", help="a loopback address"
    )
    parser.add_argument(
        "--log", metavar="FILE", help="append what is received to FILE, as JSON lines"
    )
    parser.add_argument("--unix", metavar="PATH", help="listen there as well, without TLS")
    parser.add_argument(
        "--one-byte", action="store_true", default="SEPTET_ORIGIN_ONE_BYTE" in os.environ,
        help="send each byte by itself, of a response of more than 1 MB the first 64 KB (also if"
        " SEPTET_ORIGIN_ONE_BYTE is in the environment)",
    )
    parser.add_argument(
        "--tls",
        metavar="DIR",
        help="speak TLS, with DIR/server.pem; clients' certificates are of DIR/ca.pem",
    )
    return parser.parse_args()


def main():
    args = options()
    allow_many_files()
    try:
        sock = listening_socket(args.bind, args.port)
        log = Log(args.log)
    except (OSError, OverflowError) as error:
        sys.exit(f"origin: {error}")
    asyncio.run(
        serve(sock, log, tls_context(args.tls) if args.tls else None, args.unix, args.one_byte)
    )


if __name__ == "__main__":
    main()
