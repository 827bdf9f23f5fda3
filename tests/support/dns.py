#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""dns [--log FILE]: a scripted DNS server on loopback, by UDP and TCP; prints 'port N' when it
listens, and ends when its standard input closes.

The labels of a name say what is answered, read from the left; the others mean nothing:

  a-127-0-0-1    an address; each such label adds one
  aaaa---1       the same of IPv6: '-' stands for ':'
  ttl-N          the TTL of what is answered (60)
  cname          the name is an alias of the rest behind this label, with the TTL before it
  nx             no such name; so is one without any address
  empty          the name is there, and has no address
  servfail, refused, garbage
  silent         never answered
  late-N         answered after N milliseconds
  tc             cut short by UDP, whole by TCP
  rebind         127.0.0.N, where N counts how often the name was asked for
  only6-WORD     WORD is for the questions of IPv6 alone

Each question is a line of JSON in the log, written before it is answered: "event": "query", "name"
as it was sent, "type" ("A", "AAAA", or a number) and "transport" ("udp" or "tcp").
"""

import argparse
import asyncio
import ipaddress
import json
import signal
import struct
import sys
from collections import Counter

A, CNAME, AAAA = 1, 5, 28
TYPES = {A: "A", AAAA: "AAAA"}
NOERROR, SERVFAIL, NXDOMAIN, REFUSED = 0, 2, 3, 5
RESPONSE, TRUNCATED = 0x8180, 0x0200  # recursion desired, and available


def read_question(packet):
    """Returns the id, the labels, the type, and the bytes of the question."""
    number, _, questions = struct.unpack_from("!HHH", packet)
    if questions != 1:
        raise ValueError("not one question")
    labels, at = [], 12
    while packet[at]:
        labels.append(packet[at + 1 : at + 1 + packet[at]].decode("ascii"))
        at += 1 + packet[at]
    kind, _ = struct.unpack_from("!HH", packet, at + 1)
    return number, labels, kind, packet[12 : at + 5]


def encode_name(labels):
    return b"".join(bytes([len(label)]) + label.encode("ascii") for label in labels) + b"\0"


def record(name, kind, ttl, data):
    return name + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data


class Answer:
    """The answer that the labels of a name describe."""

    def __init__(self, labels, kind, count):
        self.code, self.ttl, self.delay = NOERROR, 60, 0
        self.silent = self.cut = self.garbage = self.empty = False
        self.addresses, self.alias, self.alias_ttl, self.kind = [], None, 0, kind
        for place, label in enumerate(labels):
            if label.startswith("only6-"):
                label = label[6:] if kind == AAAA else ""
            self.read(label, labels[place + 1 :], count)
        if not self.addresses and not self.empty and self.code == NOERROR:
            self.code = NXDOMAIN

    def read(self, label, rest, count):
        word, _, argument = label.partition("-")
        if word == "a":
            self.addresses.append(ipaddress.IPv4Address(argument.replace("-", ".")))
        elif word == "aaaa":
            self.addresses.append(ipaddress.IPv6Address(argument.replace("-", ":")))
        elif word == "rebind":
            self.addresses.append(ipaddress.IPv4Address("127.0.0.0") + count)
        elif word == "ttl":
            self.ttl = int(argument)
        elif word == "late":
            self.delay = int(argument) / 1000
        elif word == "cname" and self.alias is None:
            self.alias, self.alias_ttl = rest, self.ttl
        elif word in ("servfail", "refused", "nx"):
            self.code = {"servfail": SERVFAIL, "refused": REFUSED, "nx": NXDOMAIN}[word]
        elif word in ("silent", "garbage", "empty"):
            setattr(self, word, True)
        elif word == "tc":
            self.cut = True

    def records(self):
        if self.code != NOERROR:
            return []
        name, out = b"\xc0\x0c", []  # the question's
        if self.alias is not None:
            out.append(record(name, CNAME, self.alias_ttl, encode_name(self.alias)))
            name = encode_name(self.alias)
        version = {A: 4, AAAA: 6}.get(self.kind)
        out += [
            record(name, self.kind, self.ttl, a.packed)
            for a in self.addresses
            if a.version == version
        ]
        return out

    def packet(self, number, question, transport):
        if self.garbage:
            return struct.pack("!HHHHHH", number, RESPONSE, 1, 9, 0, 0) + question + b"\xff"
        flags, records = RESPONSE | self.code, self.records()
        if self.cut and transport == "udp":
            flags, records = flags | TRUNCATED, []
        head = struct.pack("!HHHHHH", number, flags, 1, len(records), 0, 0)
        return head + question + b"".join(records)


class Server:
    def __init__(self, log):
        self.log = open(log, "a", encoding="utf-8", buffering=1) if log else None
        self.counts = Counter()

    async def answer(self, packet, transport):
        """Returns the bytes of the answer, or None."""
        try:
            number, labels, kind, question = read_question(packet)
        except (ValueError, IndexError, struct.error):
            return None
        if self.log:
            line = {
                "event": "query",
                "name": ".".join(labels),
                "type": TYPES.get(kind, kind),
                "transport": transport,
            }
            self.log.write(json.dumps(line) + "\n")
        labels = [label.lower() for label in labels]
        key = (kind, tuple(labels))
        self.counts[key] += 1
        answer = Answer(labels, kind, self.counts[key])
        if answer.silent:
            return None
        if answer.delay:
            await asyncio.sleep(answer.delay)
        return answer.packet(number, question, transport)

    async def serve_tcp(self, reader, writer):
        try:
            while True:
                (size,) = struct.unpack("!H", await reader.readexactly(2))
                reply = await self.answer(await reader.readexactly(size), "tcp")
                if reply is not None:
                    writer.write(struct.pack("!H", len(reply)) + reply)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        writer.close()


class Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server):
        self.server, self.tasks = server, set()

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, packet, peer):
        task = asyncio.ensure_future(self.reply(packet, peer))
        self.tasks.add(task)  # the loop keeps none itself
        task.add_done_callback(self.tasks.discard)

    async def reply(self, packet, peer):
        reply = await self.server.answer(packet, "udp")
        if reply is not None and not self.transport.is_closing():
            self.transport.sendto(reply, peer)


async def open_both(server):
    """Returns sockets at one free port, for UDP and TCP."""
    loop = asyncio.get_running_loop()
    while True:
        tcp = await asyncio.start_server(server.serve_tcp, "127.0.0.1", 0)
        address = tcp.sockets[0].getsockname()
        try:
            udp, _ = await loop.create_datagram_endpoint(
                lambda: Datagrams(server), local_addr=address
            )
            return tcp, udp, address[1]
        except OSError:
            tcp.close()


def watch_stdin(loop, stop):
    def readable():
        if not sys.stdin.buffer.raw.read(4096):
            loop.remove_reader(0)
            stop.set()

    loop.add_reader(0, readable)


async def serve(log):
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    tcp, udp, port = await open_both(Server(log))
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    watch_stdin(loop, stop)
    print(f"port {port}", flush=True)
    await stop.wait()
    tcp.close()
    udp.close()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--log", metavar="FILE", help="append each question to FILE, as JSON lines")
    asyncio.run(serve(parser.parse_args().log))


if __name__ == "__main__":
    main()
