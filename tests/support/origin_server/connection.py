# SPDX-License-Identifier: MIT
"""A connection: its requests and their responses in order, a tunnel, and its log."""

import asyncio
import json
import socket
import ssl
import struct
import sys
import time

from .pieces import SIOCOUTQNSD, queued, send_all_in_drain
from .request import BadRequest, Request, read_request, whole_number
from .response import FIN, KEEP, RST, TEXT, ClientGone, Response
from .routes import ROUTES


class Log:
    """Appends one JSON object a line, flushed before the response is sent."""

    def __init__(self, path):
        self.file = open(path, "a", encoding="utf-8", buffering=1) if path else None

    def write(self, event, connection, **fields):
        if self.file:
            line = {"event": event, "time": time.time(), "connection": connection, **fields}
            self.file.write(json.dumps(line) + "\n")


async def pump(reader, writer):
    """Copies one direction of a tunnel until its end."""
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()


class Connection:
    """One client: its requests in order, until one side closes."""

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
        # Between two requests reading ends if the client closes. The origin closes after reading.
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
        """Connects to the requested address, as a proxy, and copies both directions."""
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
        """Sends a 400 and ends: the beginning of the next request is not known."""
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
        """Waits until the written bytes have left the kernel's queue, which a RST would discard."""
        send_all_in_drain(self.writer)
        await self.writer.drain()
        while sys.platform == "linux" and queued(sock, SIOCOUTQNSD) and not self.reader.gone.done():
            await asyncio.wait([self.reader.gone], timeout=0.001)
