# SPDX-License-Identifier: MIT
"""Writes a response to a connection."""

import asyncio
import http
import json

from .pieces import ByteByByte

PIECE = b"0123456789abcdef" * 4096
TEXT = ("Content-Type", "text/plain")

# What a route returns: the connection is kept, closed, or reset.
KEEP, FIN, RST = "keep", "fin", "rst"


class ClientGone(Exception):
    """The client has closed before its response was complete."""


class Response:
    """Writes the response to one request. A HEAD gets the header block alone."""

    def __init__(self, request, reader, writer):
        self.reader, self.writer = reader, writer
        self.head_only = request.method == "HEAD"

    def head(self, status, *headers):
        """Writes a header block."""
        try:
            reason = http.HTTPStatus(status).phrase
        except ValueError:
            reason = "Unknown"
        lines = [f"HTTP/1.1 {status} {reason}"] + [f"{name}: {value}" for name, value in headers]
        if isinstance(self.writer, ByteByByte):
            self.writer.begin(sum(value for _, value in headers if isinstance(value, int)))
        self.writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))

    async def body(self, data):
        """Sends bytes of the body, none for a HEAD."""
        if not self.head_only:
            await self.raw(data)

    async def raw(self, data):
        """Sends bytes as they are."""
        if isinstance(self.writer, ByteByByte):
            await self.writer.send(data)
        else:
            self.writer.write(data)
            await self.writer.drain()

    async def pattern(self, count, offset=0):
        """Sends `count` bytes of the pattern, from `offset`."""
        while count and not self.head_only:
            start = offset % 16
            piece = PIECE[start : start + min(count, len(PIECE) - 16)]
            await self.body(piece)
            count, offset = count - len(piece), offset + len(piece)
        await self.writer.drain()

    async def whole(self, status, data, *headers):
        """Sends a response with a length."""
        self.head(status, ("Content-Length", len(data)), *headers)
        await self.body(data)

    async def ok(self, count=2, *headers):
        """Sends a 200 with `count` bytes of the pattern."""
        self.head(200, ("Content-Length", count), TEXT, *headers)
        await self.pattern(count)

    async def echo(self, request):
        """Describes the request, as JSON."""
        said = {
            "method": request.method,
            "path": request.path,
            "query": request.query,
            "headers": request.headers,
            "body": request.body.decode("utf-8", "replace"),
            "body_size": len(request.body),
        }
        await self.whole(200, json.dumps(said).encode(), ("Content-Type", "application/json"))

    async def pause(self, seconds):
        """Waits, and raises ClientGone if the client closes first."""
        await asyncio.wait([self.reader.gone], timeout=seconds)
        if self.reader.gone.done():
            raise ClientGone

    async def wait_for_client_to_go(self):
        """Reads and discards until the client closes."""
        while await self.reader.read(1 << 16):
            pass
