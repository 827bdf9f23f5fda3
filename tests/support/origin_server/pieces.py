# SPDX-License-Identifier: MIT
"""A writer that sends each byte by itself, and the queues of the kernel that it watches."""

import asyncio
import fcntl
import os
import struct
import termios
import time

SIOCOUTQNSD = 0x894B  # Linux: how many bytes of the send queue have not been sent yet


def queued(sock, which):
    return struct.unpack("i", fcntl.ioctl(sock.fileno(), which, b"\0" * 4))[0]


def send_all_in_drain(writer):
    """Makes drain() return when all is sent. (With a limit of 0, it would never return on TLS.)"""
    writer.transport.set_write_buffer_limits(1, 0)


class ByteByByte:
    """A writer that sends each byte by itself. Of more than 128 KB, it so sends the first 64 KB: no
    buffer of a reader is larger."""

    LARGE, FIRST, TURN = 1 << 17, 1 << 16, 256
    # Bytes of each response that wait until the one before was received; seconds, at most.
    AWAITED, PATIENCE = 256, 50e-6

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
        """Waits until the byte is received: the kernel joins those that are sent before that."""
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
        """Like write(), but other connections get turns, and no byte waits for the one before."""
        at = 0
        while at < len(data):
            size = self.TURN if self.left else len(data)
            self.write(data[at : at + size])
            at += size
            await self.writer.drain()
            await asyncio.sleep(0)
