# SPDX-License-Identifier: MIT
"""Reads a request from a connection."""

import asyncio
import math
from urllib.parse import parse_qsl

HEAD_LIMIT = 1 << 20  # bytes of request line and headers

# Routes that read the body of a request by themselves.
UNREAD = {"early", "refuse", "stall-upload", "vanish"}


class BadRequest(Exception):
    """The request cannot be understood. The text goes into the 400."""


class Reader(asyncio.StreamReader):
    """A stream reader whose `gone` completes when the client has closed, also if nothing reads."""

    def __init__(self, loop):
        super().__init__(limit=HEAD_LIMIT, loop=loop)
        self.gone = loop.create_future()

    def set_gone(self):
        if not self.gone.done():
            self.gone.set_result(None)

    def feed_eof(self):
        super().feed_eof()
        self.set_gone()

    def set_exception(self, exc):
        super().set_exception(exc)
        self.set_gone()


class Request:
    """A request, with the parameters of its query and the first segment of its path, the route."""

    def __init__(self, method, target, version, headers):
        self.method, self.target, self.version, self.headers = method, target, version, headers
        self.path, _, self.query = target.partition("?")
        self.body = b""
        # The last value of a parameter counts.
        self.params = dict(parse_qsl(self.query, keep_blank_values=True, encoding="latin-1"))
        self.route, _, self.argument = self.path.lstrip("/").partition("/")

    def wants_close(self):
        tokens = [token.strip() for token in self.headers.get("connection", "").lower().split(",")]
        return "close" in tokens or (self.version == "HTTP/1.0" and "keep-alive" not in tokens)

    def pairs(self, *without):
        """Returns the parameters as pairs in their order, without those of the given names."""
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


async def read_request(reader, writer):
    """Returns the next request with its body, or None if the client has closed before it."""
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
