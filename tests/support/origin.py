#!/usr/bin/env python3
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
import fcntl
import gzip
import hashlib
import http
import ipaddress
import json
import math
import os
import re
import resource
import signal
import socket
import ssl
import stat
import struct
import sys
import termios
import time
from urllib.parse import parse_qsl

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
  /prove/KEY                     as /echo for the same user, whose every proof is checked by a hash
                                 of its own
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

HEAD_LIMIT = 1 << 20  # bytes of request line and headers
PIECE = b"0123456789abcdef" * 4096
SIOCOUTQNSD = 0x894B  # Linux: how many bytes of the send queue have not been sent yet
TEXT = ("Content-Type", "text/plain")

FAILED = {}  # how often /fail was asked, by key
SCRIPTS = {}  # parts of lines of /raw, by key
PROVED = {}  # what /prove remembers, by key
HELD = {}  # those that wait in /hold, by key
FILES = {}  # key: the parameters of the last POST to it

UNREAD = {"early", "refuse", "stall-upload", "vanish"}

# What a route returns: what is to become of the connection.
KEEP, FIN, RST = "keep", "fin", "rst"


class BadRequest(Exception):
    """The request cannot be understood; the text goes into the 400."""


class ClientGone(Exception):
    """The client has closed before its response was complete."""


def send_all_in_drain(writer):
    """From now on, who drains it has sent all. (With a limit of 0, one with TLS would never go
    on.)"""
    writer.transport.set_write_buffer_limits(1, 0)


class ByteByByte:
    """A writer that sends each byte by itself; but of an answer of more than 1 MB only the first 64
    KB."""

    LARGE, FIRST, TURN = 1 << 20, 1 << 16, 256
    # Bytes of each response that wait until the one before was received; seconds, at most.
    AWAITED, PATIENCE = 2048, 50e-6

    def __init__(self, writer):
        self.writer, self.left, self.awaited = writer, self.LARGE, self.AWAITED
        self.sock = writer.get_extra_info("socket")
        send_all_in_drain(writer)

    def __getattr__(self, name):
        return getattr(self.writer, name)

    def begin(self, length):
        """Begins a response of `length` bytes, 0 if that is not known."""
        self.left = self.FIRST if length > self.LARGE else self.LARGE
        self.awaited = self.AWAITED

    def settle(self):
        """The kernel joins bytes that are sent before those before them have arrived and been
        read."""
        self.awaited -= 1
        give_up = time.perf_counter() + self.PATIENCE
        while queued(self.sock, termios.TIOCOUTQ) and time.perf_counter() < give_up:
            os.sched_yield()

    def write(self, data):
        alone = min(self.left, len(data))
        for i in range(alone):
            if self.writer.transport.is_closing():
                raise ConnectionResetError
            self.writer.write(data[i : i + 1])
            if self.awaited:
                self.settle()
        self.left -= alone
        if alone < len(data):
            self.writer.write(data[alone:])

    async def send(self, data):
        """The same, where other connections get their turns, and no byte waits for the one before
        it."""
        at = 0
        while at < len(data):
            size = self.TURN if self.left else len(data)
            self.write(data[at : at + size])
            at += size
            await self.writer.drain()
            await asyncio.sleep(0)


class Log:
    """Appends one JSON object a line, flushed before the response is sent."""

    def __init__(self, path):
        self.file = open(path, "a", encoding="utf-8", buffering=1) if path else None

    def write(self, event, connection, **fields):
        if self.file:
            line = {"event": event, "time": time.time(), "connection": connection, **fields}
            self.file.write(json.dumps(line) + "\n")


class Reader(asyncio.StreamReader):
    """A stream reader that also tells those who do not read that the client has gone."""

    def __init__(self, loop):
        super().__init__(limit=HEAD_LIMIT, loop=loop)
        self.gone = loop.create_future()

    def tell_gone(self):
        if not self.gone.done():
            self.gone.set_result(None)

    def feed_eof(self):
        super().feed_eof()
        self.tell_gone()

    def set_exception(self, exc):
        super().set_exception(exc)
        self.tell_gone()


class Request:
    def __init__(self, method, target, version, headers):
        self.method, self.target, self.version, self.headers = method, target, version, headers
        self.path, _, self.query = target.partition("?")
        self.body = b""
        # The last value of a name counts, as nobody sends a parameter twice on purpose.
        self.params = dict(parse_qsl(self.query, keep_blank_values=True, encoding="latin-1"))
        self.route, _, self.argument = self.path.lstrip("/").partition("/")

    def wants_close(self):
        tokens = [token.strip() for token in self.headers.get("connection", "").lower().split(",")]
        return "close" in tokens or (self.version == "HTTP/1.0" and "keep-alive" not in tokens)

    def pairs(self, *without):
        """The parameters, in their order, some of them twice perhaps."""
        return [
            pair
            for pair in parse_qsl(self.query, keep_blank_values=True, encoding="latin-1")
            if pair[0] not in without
        ]

    def count(self, name, default):
        return whole_number(self.params.get(name, default), name)

    def seconds(self, name, default):
        return duration(self.params.get(name, default), name)


def whole_number(value, name):
    try:
        number = int(value)
    except ValueError:
        number = -1
    if number < 0:
        raise BadRequest(f"{name} must be a whole number, not '{value}'")
    return number


def duration(value, name):
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not math.isfinite(number) or number < 0:
        raise BadRequest(f"{name} must be a number of seconds, not '{value}'")
    return number


# --- reading a request ---


async def read_request(reader, writer):
    """The next request with its body, or None where the client has closed between two of them."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    except asyncio.LimitOverrunError:
        raise BadRequest("the headers are too large") from None
    request = parse_head(head.decode("latin-1"))
    if request.route in UNREAD:
        return request
    if request.headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.body = await read_body(request, reader)
    return request


async def read_body(request, reader):
    if "chunked" in request.headers.get("transfer-encoding", "").lower():
        return await read_chunked(reader)
    length = request.headers.get("content-length", "0")
    return await reader.readexactly(whole_number(length, "content-length"))


def parse_head(text):
    first, *lines = text[:-4].split("\r\n")
    parts = first.split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise BadRequest(f"cannot understand the request line '{first}'")
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise BadRequest(f"cannot understand the header line '{line}'")
        name, value = name.lower(), value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return Request(parts[0], parts[1], parts[2], headers)


async def read_chunked(reader):
    body = bytearray()
    while True:
        line = (await reader.readuntil(b"\r\n")).split(b";")[0].strip()
        try:
            size = int(line, 16)
        except ValueError:
            raise BadRequest("cannot understand the chunk size") from None
        if size == 0:
            break
        body += await reader.readexactly(size)
        if await reader.readexactly(2) != b"\r\n":
            raise BadRequest("a chunk does not end where it said")
    while await reader.readuntil(b"\r\n") != b"\r\n":  # trailers
        pass
    return bytes(body)


# --- writing an answer ---


class Response:
    """Writes the response to one request. A HEAD gets the header block alone."""

    def __init__(self, request, reader, writer):
        self.reader, self.writer = reader, writer
        self.head_only = request.method == "HEAD"

    def head(self, status, *headers):
        try:
            reason = http.HTTPStatus(status).phrase
        except ValueError:
            reason = "Unknown"
        lines = [f"HTTP/1.1 {status} {reason}"] + [f"{name}: {value}" for name, value in headers]
        if isinstance(self.writer, ByteByByte):
            self.writer.begin(sum(value for _, value in headers if isinstance(value, int)))
        self.writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))

    async def body(self, data):
        if not self.head_only:
            await self.raw(data)

    async def raw(self, data):
        if isinstance(self.writer, ByteByByte):
            await self.writer.send(data)
        else:
            self.writer.write(data)
            await self.writer.drain()

    async def pattern(self, count, offset=0):
        """count bytes of the pattern, from where it stands at offset."""
        while count and not self.head_only:
            start = offset % 16
            piece = PIECE[start : start + min(count, len(PIECE) - 16)]
            await self.body(piece)
            count, offset = count - len(piece), offset + len(piece)
        await self.writer.drain()

    async def whole(self, status, data, *headers):
        self.head(status, ("Content-Length", len(data)), *headers)
        await self.body(data)

    async def ok(self, count=2, *headers):
        self.head(200, ("Content-Length", count), TEXT, *headers)
        await self.pattern(count)

    async def pause(self, seconds):
        """Waits, unless the client goes first."""
        await asyncio.wait([self.reader.gone], timeout=seconds)
        if self.reader.gone.done():
            raise ClientGone

    async def wait_for_client_to_go(self):
        while await self.reader.read(1 << 16):
            pass


# --- the routes: each takes the request and the response, and says what becomes of the connection ---


async def route_bytes(request, response):
    await response.ok(whole_number(request.argument, "N"))
    return KEEP


async def route_delay(request, response):
    count = request.count("bytes", 2)
    await response.pause(duration(request.argument, "SECONDS"))
    await response.ok(count)
    return KEEP


async def route_status(request, response):
    status = whole_number(request.argument, "CODE")
    if not 100 <= status <= 999:
        raise BadRequest(f"no such status: {status}")
    if status == 101:  # final: what follows would no longer be HTTP
        response.head(101, ("Connection", "upgrade"), ("Upgrade", "nothing"))
        return FIN
    if status < 200:
        response.head(status)
        await response.ok()
    elif status in (204, 304):
        response.head(status)
    else:
        await response.whole(status, f"status {status}\n".encode(), TEXT)
    return KEEP


async def route_echo(request, response):
    said = {
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "headers": request.headers,
        "body": request.body.decode("utf-8", "replace"),
        "body_size": len(request.body),
    }
    await response.whole(200, json.dumps(said).encode(), ("Content-Type", "application/json"))
    return KEEP


async def route_mirror(request, response):
    content_type = ("Content-Type", request.headers.get("content-type", TEXT[1]))
    await response.whole(200, request.body, content_type, *request.pairs())
    return KEEP


async def route_early(request, response):
    if request.count("read", 0):
        await response.reader.readexactly(request.count("read", 0))
    await response.whole(
        whole_number(request.argument, "CODE"), b"enough\n", TEXT, ("Connection", "close")
    )
    # A close with bytes unread is a reset, which overtakes the response.
    if response.writer.can_write_eof():
        response.writer.write_eof()
        await response.wait_for_client_to_go()
    return FIN


async def route_vanish(request, response):
    if "read" in request.params:
        await response.reader.readexactly(request.count("read", 0))
    else:
        await read_body(request, response.reader)
    return RST if request.argument == "rst" else FIN


async def read_some(request, response):
    if "mute" not in request.params:
        response.head(100)
    if request.params["read"] == "all":
        await read_body(request, response.reader)
    else:
        await response.reader.readexactly(request.count("read", 0))


async def route_refuse(request, response):
    asks = request.headers.get("expect") == "100-continue"
    if asks and "read" in request.params:
        await read_some(request, response)
    elif not asks:
        request.body = await read_body(request, response.reader)
    if not asks and "all" not in request.params:
        return await route_echo(request, response)
    await response.whole(417, b"r" * request.count("length", 9), TEXT)
    if request.params.get("end") == FIN and response.writer.can_write_eof():
        response.writer.write_eof()
        await response.wait_for_client_to_go()
    return request.params.get("end", KEEP)


async def route_stall_upload(request, response):
    await response.pause(None)
    return FIN


async def route_headers(request, response):
    headers = request.pairs()
    if not any(name.lower() == "content-length" for name, _ in headers):
        headers.append(("Content-Length", 2))
    try:
        response.head(200, *headers)
    except UnicodeEncodeError:
        raise BadRequest("a header must be latin-1") from None
    await response.body(b"ok")
    return KEEP


async def route_redirect(request, response):
    left = whole_number(request.argument, "N")
    if left:
        await response.whole(302, b"", ("Location", f"/redirect/{left - 1}"))
    else:
        await response.ok()
    return KEEP


async def route_redirect_to(request, response):
    location = ("Location", request.params.get("url", "/"))
    await response.whole(request.count("status", 302), b"", location, *request.pairs("url", "status"))
    return KEEP


async def route_close(request, response):
    await response.ok(request.count("bytes", 2), ("Connection", "close"))
    return FIN


async def route_close_delimited(request, response):
    response.head(200, TEXT, ("Connection", "close"))
    await response.pattern(request.count("bytes", 2))
    return FIN


async def cut_short(request, response):
    """The head and the first bytes of a longer body, where the request asks for them with
    `after`."""
    if "after" not in request.params:
        return
    after = request.count("after", 0)
    response.head(200, ("Content-Length", request.count("length", after + 1024)), TEXT)
    await response.pattern(after)


async def route_reset(request, response):
    await cut_short(request, response)
    return RST


async def route_stall(request, response):
    await cut_short(request, response)
    await response.wait_for_client_to_go()
    return FIN


async def route_empty(request, response):
    return FIN


async def route_truncate(request, response):
    response.head(200, ("Content-Length", request.count("length", 1000)), TEXT)
    await response.pattern(request.count("sent", 500))
    return FIN


async def route_drip(request, response):
    count, interval = request.count("bytes", 10), request.seconds("interval", 0.05)
    response.head(200, ("Content-Length", count), TEXT)
    start = time.monotonic()
    for i in range(0 if response.head_only else count):
        await response.pause(max(0, start + (i + 1) * interval - time.monotonic()))
        await response.pattern(1, i)
    return KEEP


async def route_chunked(request, response):
    chunks, size = request.count("chunks", 4), request.count("size", 256)
    response.head(200, ("Transfer-Encoding", "chunked"), TEXT)
    for i in range(chunks if size else 0):
        await response.body(b"%x\r\n" % size)
        await response.pattern(size, i * size)
        await response.body(b"\r\n")
    await response.body(b"0\r\n\r\n")
    return KEEP


async def route_gzip(request, response):
    count = request.count("bytes", 1024)
    plain = (PIECE * (count // len(PIECE) + 1))[:count]
    await response.whole(200, gzip.compress(plain, mtime=0), ("Content-Encoding", "gzip"), TEXT)
    return KEEP


async def route_fail(request, response):
    key, times = request.params.get("key", ""), whole_number(request.argument, "N")
    FAILED[key] = FAILED.get(key, 0) + 1
    if FAILED[key] > times:
        await response.ok()
        return KEEP
    if request.params.get("how") == "reset":
        return RST
    headers = (
        [("Retry-After", request.params["retry-after"])] if "retry-after" in request.params else []
    )
    await response.whole(request.count("status", 503), b"failed\n", TEXT, *headers)
    return KEEP


def first_of_range(request, made):
    """The first byte of the Range that is asked for, or None where all is."""
    found = re.fullmatch(r"bytes=(\d+)-", request.headers.get("range", ""))
    known = [made.get("etag"), made.get("modified")]
    if not found or made.get("ranges") == "no":
        return None
    if made.get("ranges") != "blind" and request.headers.get("if-range") not in known:
        return None
    return int(found.group(1))


async def route_file(request, response):
    if request.method == "POST":
        FILES[request.argument] = request.params
        await response.ok()
        return KEEP
    made = FILES.get(request.argument, {})
    size, version = int(made.get("size", 1000)), int(made.get("version", 0))
    headers = [(name, made[key]) for name, key in
               (("ETag", "etag"), ("Last-Modified", "modified"), ("Date", "date")) if key in made]
    first = first_of_range(request, made)
    if first is not None and first >= size:
        if made.get("ranges") != "bare":
            headers.append(("Content-Range", f"bytes */{size}"))
        await response.whole(416, b"", *headers)
        return KEEP
    if first is None and "gzip" in made:
        plain = (PIECE * (size // len(PIECE) + 2))[version : version + size]
        await response.whole(
            200, gzip.compress(plain, mtime=0), ("Content-Encoding", "gzip"), *headers
        )
        return KEEP
    begin = 0 if first is None else first + int(made.get("skip", 0))
    if first is not None:
        headers.append(("Content-Range", f"bytes {begin}-{size - 1}/{made.get('total', size)}"))
    response.head(200 if first is None else 206, ("Content-Length", size - begin), *headers)
    left = size - begin
    for how in ("cut", "stall"):
        left = min(left, int(made.get(how, left)))
    await response.pattern(left, begin + version)
    if "stall" in made:
        await response.wait_for_client_to_go()
    return FIN if "cut" in made or "stall" in made else KEEP


async def route_digest(request, response):
    user, password = "lion", "Circle of Life"
    algorithm = request.params.get("algorithm", "MD5")
    digest = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}[algorithm]

    def hashed(*parts):
        return digest(":".join(parts).encode()).hexdigest()

    given = dict(re.findall(r'(\w+)="?([^",]*)', request.headers.get("authorization", "")))
    secret, asked = hashed(user, "here", password), hashed(request.method, request.target)
    nonce = "another nonce" if given and "stale" in request.params else "a nonce"
    proof = hashed(secret, nonce, given.get("nc", ""), given.get("cnonce", ""), "auth", asked)
    if given.get("response") == proof and given.get("username") == user:
        return await route_echo(request, response)
    challenge = f'Digest realm="here", nonce="{nonce}", qop="auth", algorithm={algorithm}'
    if given.get("nonce") == "a nonce" and nonce != "a nonce":
        challenge += ", stale=true"
    headers = [("WWW-Authenticate", challenge), ("X-Challenge", "1"), TEXT]
    if "close" in request.params:
        headers.append(("Connection", "close"))
    await response.whole(401, b"who are you?\n", *headers)
    return FIN if "close" in request.params else KEEP


ALGORITHMS = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}


def is_proof(request, given, challenge, uses):
    """Is an Authorization the right answer to a challenge? Its count must be the next one of its
    nonce."""
    name = challenge.get("algorithm") or "MD5"

    def hashed(*parts):
        data = b":".join(
            part if isinstance(part, bytes) else part.encode("latin-1") for part in parts
        )
        return hashlib.new(ALGORITHMS[name.removesuffix("-sess")], data).hexdigest()

    user, realm = "lion", challenge["realm"]
    secret = hashed(user, realm, "Circle of Life")
    if name.endswith("-sess"):
        secret = hashed(secret, challenge["nonce"], given.get("cnonce", ""))
    qop = given.get("qop")
    asked = [request.method, request.target] + ([hashed(request.body)] if qop == "auth-int" else [])
    middle = [given.get("nc", ""), given.get("cnonce", ""), qop] if qop else []
    expected = {
        "username": hashed(user, realm) if challenge.get("userhash") else user, "realm": realm,
        "nonce": challenge["nonce"], "uri": request.target, "opaque": challenge.get("opaque"),
        "algorithm": challenge.get("algorithm"),
        "response": hashed(secret, challenge["nonce"], *middle, hashed(*asked)),
    }
    if "qop" in challenge:
        uses[challenge["nonce"]] = uses.get(challenge["nonce"], 0) + 1
        expected["nc"] = "%08x" % uses[challenge["nonce"]]
        if qop not in challenge["qop"].replace(" ", "").split(","):
            return False
    elif qop:
        return False
    return all(given.get(name) == value for name, value in expected.items())


async def route_prove(request, response):
    state = PROVED.setdefault(
        request.argument, {"n": 0, "stale": request.count("stale", 0), "uses": {}}
    )
    challenge = {name: request.params[name] for name in ("algorithm", "qop", "opaque", "userhash")
                 if name in request.params}
    challenge["realm"] = request.params.get("realm", "here")
    challenge["nonce"] = state.get("nonce") or f"{request.argument}-0"
    pairs = re.findall(
        r'(\w+)=(?:"((?:\\.|[^"\\])*)"|([^", ]*))', request.headers.get("authorization", "")
    )
    given = {name: re.sub(r"\\(.)", r"\1", quoted) or bare for name, quoted, bare in pairs}
    good = bool(given) and is_proof(request, given, challenge, state["uses"])
    if good and not state["stale"]:
        return await route_echo(request, response)
    if "fresh" in request.params:
        state["n"] += 1
        challenge["nonce"] = state["nonce"] = f"{request.argument}-{state['n']}"
    words = [
        'realm="%s"' % re.sub(r'(["\\])', r"\\\1", challenge["realm"]),
        f'nonce="{challenge["nonce"]}"',
    ]
    words += [f'qop="{challenge["qop"]}"'] if "qop" in challenge else []
    words += [f'opaque="{challenge["opaque"]}"'] if "opaque" in challenge else []
    words += [f"algorithm={challenge['algorithm']}"] if "algorithm" in challenge else []
    words += ["userhash=true"] if "userhash" in challenge else []
    if good:
        state["stale"] -= 1
        words.append("stale=true")
    headers = [
        ("WWW-Authenticate", value)
        for value in request.params.get("before", "").split("|")
        if value
    ]
    headers.append(("WWW-Authenticate", "Digest " + ", ".join(words)))
    await response.whole(401, b"x" * request.count("size", 4), TEXT, *headers)
    return KEEP


async def route_script(request, response):
    parts = [[]]
    for line in request.body.decode("ascii").splitlines():
        if line == "next":
            parts.append([])
        else:
            parts[-1].append(line)
    SCRIPTS[request.argument] = parts
    await response.ok()
    return KEEP


async def route_raw(request, response):
    parts = SCRIPTS.get(request.argument, [[]])
    for line in parts.pop(0) if len(parts) > 1 else parts[0]:
        word, _, rest = line.partition(" ")
        if word == "send":
            await response.raw(bytes.fromhex(rest))
        elif word == "repeat":
            times, _, data = rest.partition(" ")
            for _ in range(int(times) // 100):
                await response.raw(bytes.fromhex(data) * 100)
        elif word == "sleep":
            await response.pause(float(rest))
        elif word == "eof":
            response.writer.write_eof()
        elif word == "stall":
            await response.wait_for_client_to_go()
        else:
            return word
    return FIN


async def route_hold(request, response):
    held = HELD.setdefault(request.argument, [])
    mine = asyncio.get_running_loop().create_future()
    held.append(mine)
    if len(held) >= request.count("n", 1):
        for future in held:
            future.set_result(None)
        del HELD[request.argument]
    await asyncio.wait([response.reader.gone, mine], return_when=asyncio.FIRST_COMPLETED)
    await response.ok()
    return KEEP


async def route_garbage(request, response):
    response.writer.write(b"This is no HTTP at all\r\n\r\n")
    return FIN


async def route_idle_close(request, response):
    await response.ok(2, ("Connection", "keep-alive"))
    await response.pause(request.seconds("after", 0))
    return FIN


async def route_idle_reset(request, response):
    await route_idle_close(request, response)
    return RST


ROUTES = {
    "bytes": route_bytes,
    "delay": route_delay,
    "status": route_status,
    "echo": route_echo,
    "mirror": route_mirror,
    "early": route_early,
    "vanish": route_vanish,
    "refuse": route_refuse,
    "stall-upload": route_stall_upload,
    "headers": route_headers,
    "redirect": route_redirect,
    "redirect-to": route_redirect_to,
    "close": route_close,
    "close-delimited": route_close_delimited,
    "reset": route_reset,
    "empty": route_empty,
    "truncate": route_truncate,
    "stall": route_stall,
    "drip": route_drip,
    "chunked": route_chunked,
    "gzip": route_gzip,
    "fail": route_fail,
    "file": route_file,
    "digest": route_digest,
    "prove": route_prove,
    "script": route_script,
    "raw": route_raw,
    "hold": route_hold,
    "garbage": route_garbage,
    "idle-close": route_idle_close,
    "idle-reset": route_idle_reset,
}


# --- a connection ---


async def pump(reader, writer):
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()


class Connection:
    """One client: its requests in order, until one side ends it."""

    def __init__(self, number, log, reader, writer):
        self.number, self.log, self.reader, self.writer = number, log, reader, writer
        self.requests = 0

    async def run(self):
        peer = self.writer.get_extra_info("peername")
        self.log.write("open", self.number, peer=peer[1] if peer else None, **self.tls())
        ending, broken = FIN, False
        try:
            while (ending := await self.exchange()) == KEEP:
                pass
        except (ConnectionError, ClientGone, asyncio.IncompleteReadError):
            broken = True
        # Between two requests the client's close is what ends the reading; the origin's own comes
        # before it.
        by = "client" if broken or self.reader.gone.done() else "origin"
        try:
            await (self.reset() if ending == RST else self.finish())
        except (ConnectionError, ssl.SSLError):
            pass
        self.log.write("close", self.number, requests=self.requests, by=by)

    def tls(self):
        connection = self.writer.get_extra_info("ssl_object")
        if not connection:
            return {}
        names = dict(
            pair for name in (connection.getpeercert() or {}).get("subject", ()) for pair in name
        )
        return {
            "tls": connection.version(),
            "client": names.get("commonName"),
            "resumed": connection.session_reused,
        }

    async def exchange(self):
        try:
            request = await read_request(self.reader, self.writer)
        except BadRequest as error:
            return await self.refuse(str(error))
        if request is None:
            return FIN
        self.requests += 1
        self.log_request(request)
        if request.method == "CONNECT":
            return await self.tunnel(request)
        response = Response(request, self.reader, self.writer)
        route = ROUTES.get(request.route)
        try:
            if route is None:
                await response.whole(404, f"no such route: {request.path}\n".encode(), TEXT)
                ending = KEEP
            else:
                ending = await route(request, response)
        except BadRequest as error:
            return await self.refuse(str(error))
        return FIN if ending == KEEP and request.wants_close() else ending

    async def tunnel(self, request):
        """As a proxy: what follows goes to the address asked for, and back."""
        host, _, port = request.target.rpartition(":")
        try:
            reader, writer = await asyncio.open_connection(host, whole_number(port, "port"))
        except OSError as error:
            response = Response(Request("GET", "/", "HTTP/1.1", {}), self.reader, self.writer)
            await response.whole(502, f"{error}\n".encode(), TEXT)
            return FIN
        self.writer.write(b"HTTP/1.1 200 Connected\r\nX-Proxy: origin\r\n\r\n")
        pumps = [
            asyncio.ensure_future(pump(self.reader, writer)),
            asyncio.ensure_future(pump(reader, self.writer)),
        ]
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for task in pumps:
            task.cancel()
        writer.close()
        return FIN

    def log_request(self, request):
        self.log.write(
            "request",
            self.number,
            method=request.method,
            path=request.path,
            query=request.query,
            headers=request.headers,
            body_size=len(request.body),
        )

    async def refuse(self, why):
        # No use in going on: where the next request begins is not known.
        data = f"{why}\n".encode("utf-8", "replace")
        response = Response(Request("GET", "/", "HTTP/1.1", {}), self.reader, self.writer)
        await response.whole(400, data, TEXT, ("Connection", "close"))
        return FIN

    async def finish(self):
        self.writer.close()
        await self.writer.wait_closed()

    async def reset(self):
        sock = self.writer.get_extra_info("socket")
        await self.sent(sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()
        # It is in the next turn of the loop that the socket is closed.
        await self.writer.wait_closed()

    async def sent(self, sock):
        """Waits until what was written has left the machine's queue, which a RST would throw
        away."""
        send_all_in_drain(self.writer)
        await self.writer.drain()
        while sys.platform == "linux" and queued(sock, SIOCOUTQNSD) and not self.reader.gone.done():
            await asyncio.wait([self.reader.gone], timeout=0.001)


def queued(sock, which):
    return struct.unpack("i", fcntl.ioctl(sock.fileno(), which, b"\0" * 4))[0]


# --- the server ---


def listening_socket(address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted sockets inherit it
    sock.bind((address, port))
    return sock


def watch_stdin(loop, stop):
    """Sets stop when standard input is closed; a terminal, a file or /dev/null says nothing about
    that."""
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
