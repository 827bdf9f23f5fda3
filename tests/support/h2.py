#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""h2 FOLDER LOG: a server of HTTP/2 on a free port of loopback, with faults that real ones rarely
have.

Speaks TLS with FOLDER/server.pem. The first label of the client's SNI selects the behaviour of a
connection: see SCENARIOS. It reads no headers, so that it needs no HPACK. Each response is a status
and the body "hello". Prints "port N" once it listens, and ends when its standard input is closed.

The log, one JSON object a line: "open", "request" (a stream), "reset" (a stream, by the client),
"close"; each with "connection" and "scenario".
"""

import asyncio
import json
import os
import ssl
import sys

FOLDER, LOG = sys.argv[1:3]
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7
END_STREAM = END_HEADERS_ACK = 1
END_HEADERS = 4
STATUS_200 = b"\x88"  # of HPACK's own table
STATUS_417 = b"\x08\x03417"  # by a name of that table
LENGTH_100 = b"\x0f\x0d\x03100"  # content-length: 100, by a name of that table
INTERNAL_ERROR, REFUSED_STREAM, NO_ERROR = 2, 7, 0
TOGETHER = 100  # streams that "together" waits for
CRASHING = 20   # those of "crashing", beside the first

counts = {"connections": {}, "streams": {}}


def log(event, **fields):
    with open(LOG, "a", encoding="utf-8") as file:
        file.write(json.dumps({"event": event, **fields}) + "\n")


def frame(kind, flags, stream, payload=b""):
    return (
        len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload
    )


def response(stream, body=b"hello", status=STATUS_200):
    return frame(HEADERS, END_HEADERS, stream, status) + frame(DATA, END_STREAM, stream, body)


def begun(stream):
    """Sends a header block with a length of 100 bytes, and some of them."""
    return frame(HEADERS, END_HEADERS, stream, STATUS_200 + LENGTH_100) + frame(
        DATA, 0, stream, b"x" * 10
    )


def reset(stream, code):
    return frame(RST_STREAM, 0, stream, code.to_bytes(4, "big"))


def goaway(last, code=NO_ERROR):
    return frame(GOAWAY, 0, 0, last.to_bytes(4, "big") + code.to_bytes(4, "big"))


class Connection:
    settings = b""

    def __init__(self, scenario, number, reader, writer):
        self.scenario, self.number, self.reader, self.writer = scenario, number, reader, writer
        self.streams, self.with_body = [], set()

    def log(self, event, **fields):
        log(event, connection=self.number, scenario=self.scenario, **fields)

    def send(self, data):
        self.writer.write(data)

    async def run(self):
        self.log("open")
        try:
            await self.reader.readexactly(len(PREFACE))
            self.send(frame(SETTINGS, 0, 0, self.settings))
            self.opened()
            while not self.writer.is_closing():
                await self.read_frame()
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        self.log("close")
        self.writer.close()

    async def read_frame(self):
        head = await self.reader.readexactly(9)
        payload = await self.reader.readexactly(int.from_bytes(head[:3], "big"))
        kind, flags, stream = head[3], head[4], int.from_bytes(head[5:9], "big") & 0x7FFFFFFF
        if kind == SETTINGS and not flags & END_HEADERS_ACK:
            self.send(frame(SETTINGS, END_HEADERS_ACK, 0))
        elif kind == PING and not flags & END_HEADERS_ACK:
            self.send(frame(PING, END_HEADERS_ACK, 0, payload))
        elif kind == RST_STREAM:
            self.log("reset", stream=stream)
        elif kind == HEADERS:
            self.streams.append(stream)
            counts["streams"][self.scenario] = counts["streams"].get(self.scenario, 0) + 1
            self.log("request", stream=stream)
            self.headed(stream)
        elif kind == DATA:
            self.with_body.add(stream)
        if kind in (HEADERS, DATA) and flags & END_STREAM:
            self.requested(stream)
        await self.writer.drain()

    def opened(self):
        pass

    def headed(self, stream):
        pass

    def requested(self, stream):
        self.send(response(stream))

    def is_first(self):
        return counts["connections"][self.scenario] == 1

    async def end(self):
        await self.writer.drain()
        self.writer.close()


class Together(Connection):
    """Responds when as many streams are open as it waits for."""

    def requested(self, stream):
        if len(self.streams) == TOGETHER:
            self.send(b"".join(response(each) for each in self.streams))


class Leaving(Connection):
    """The first connection responds to its first stream, sends a GOAWAY without the others, and
    closes."""

    def requested(self, stream):
        if not self.is_first():
            self.send(response(stream))
        elif stream == self.streams[0]:
            self.send(response(stream) + goaway(stream))


class LeavingMidway(Connection):
    """Closes in the middle of each body."""

    def requested(self, stream):
        self.send(begun(stream) + goaway(stream))
        asyncio.ensure_future(self.end())


class Resetting(Connection):
    """Resets each stream in the middle of its body."""

    def requested(self, stream):
        self.send(begun(stream) + reset(stream, INTERNAL_ERROR))


class Short(Connection):
    """Ends each stream properly, before its length."""

    def requested(self, stream):
        self.send(begun(stream) + frame(DATA, END_STREAM, stream))


class Refusing(Connection):
    """Refuses the first stream of all, unprocessed."""

    def requested(self, stream):
        first = counts["streams"][self.scenario] == 1
        self.send(reset(stream, REFUSED_STREAM) if first else response(stream))


class Doubting(Connection):
    """Responds with 417 before a body, on the first stream of all."""

    status = STATUS_200  # of the others

    def headed(self, stream):
        if counts["streams"][self.scenario] == 1:
            self.send(response(stream, status=STATUS_417))

    def requested(self, stream):
        if counts["streams"][self.scenario] > 1:
            self.send(response(stream, status=self.status))


class DoubtingAll(Doubting):
    """Responds with 417 to all streams, also after their bodies."""

    status = STATUS_417


class RefusingLater(Connection):
    """Refuses the second of every three streams of all, unprocessed."""

    def requested(self, stream):
        second = counts["streams"][self.scenario] % 3 == 2
        self.send(reset(stream, REFUSED_STREAM) if second else response(stream))


class Declining(Connection):
    """Refuses every stream, unprocessed."""

    def requested(self, stream):
        self.send(reset(stream, REFUSED_STREAM))


class Dying(Connection):
    """Responds to the first stream, and breaks the connection at the next."""

    def requested(self, stream):
        if stream == self.streams[0]:
            self.send(response(stream))
        else:
            self.writer.transport.abort()


class Crashing(Connection):
    """The first connection responds to its first stream, and breaks when as many as it waits for
    are open."""

    def requested(self, stream):
        if not self.is_first() or stream == self.streams[0]:
            self.send(response(stream))
        elif len(self.streams) > CRASHING:
            self.writer.transport.abort()


class Departing(Connection):
    """Responds to a stream and sends a GOAWAY, but does not close."""

    def requested(self, stream):
        self.send(response(stream) + goaway(stream))


class Closing(Connection):
    """Responds to a stream, and closes."""

    def requested(self, stream):
        self.send(response(stream) + goaway(stream))
        asyncio.ensure_future(self.end())


class Closed(Connection):
    """Never opens the window for a request's body."""

    settings = (4).to_bytes(2, "big") + (0).to_bytes(4, "big")


class Flooding(Connection):
    """Sends SETTINGS without end, and nothing else."""

    def opened(self):
        asyncio.ensure_future(self.flood())

    async def flood(self):
        while not self.writer.is_closing():
            self.send(frame(SETTINGS, 0, 0) * 100)
            try:
                await self.writer.drain()
            except ConnectionError:
                return
            await asyncio.sleep(0.005)

    def requested(self, stream):
        pass


class Mute(Connection):
    """Responds only to a request with a body."""

    def requested(self, stream):
        if stream in self.with_body:
            self.send(response(stream))


class Stalling(Mute):
    """Responds to a request with a body, and to others with the beginning alone."""

    def requested(self, stream):
        if stream not in self.with_body:
            self.send(begun(stream))
        super().requested(stream)


class Trailing(Connection):
    """Sends trailers behind each body, after a while."""

    def requested(self, stream):
        self.send(
            frame(HEADERS, END_HEADERS, stream, STATUS_200) + frame(DATA, 0, stream, b"hello")
        )
        asyncio.ensure_future(self.trail(stream))

    async def trail(self, stream):
        await self.writer.drain()
        await asyncio.sleep(0.02)
        block = b"\x00\x05x-sum\x03abc"  # a literal name and value
        self.send(frame(HEADERS, END_HEADERS | END_STREAM, stream, block))


SCENARIOS = {
    "trailing": Trailing,
    "ok": Connection,
    "together": Together,
    "leaving": Leaving,
    "midway": LeavingMidway,
    "resetting": Resetting,
    "refusing-later": RefusingLater,
    "short": Short,
    "refusing": Refusing,
    "declining": Declining,
    "dying": Dying,
    "crashing": Crashing,
    "doubting": Doubting,
    "doubting-all": DoubtingAll,
    "departing": Departing,
    "closing": Closing,
    "closed": Closed,
    "flooding": Flooding,
    "mute": Mute,
    "many": Mute,
    "stalling": Stalling,
}


def tls_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(FOLDER, "server.pem"))
    context.set_alpn_protocols(["h2", "http/1.1"])

    def name(connection, host, _):
        connection.scenario = (host or "ok").split(".")[0]

    context.sni_callback = name
    return context


async def main():
    number = 0

    async def connected(reader, writer):
        nonlocal number
        number += 1
        connection = writer.get_extra_info("ssl_object")
        scenario = getattr(connection, "scenario", "ok")
        counts["connections"][scenario] = counts["connections"].get(scenario, 0) + 1
        if connection.selected_alpn_protocol() != "h2":
            writer.close()
            return
        try:
            await SCENARIOS.get(scenario, Connection)(scenario, number, reader, writer).run()
        except asyncio.CancelledError:
            pass

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls_context())
    print("port", server.sockets[0].getsockname()[1], flush=True)
    done = asyncio.Event()
    asyncio.get_running_loop().add_reader(0, lambda: os.read(0, 4096) or done.set())
    await done.wait()


if __name__ == "__main__":
    asyncio.run(main())
