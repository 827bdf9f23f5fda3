# SPDX-License-Identifier: MIT
"""The peer of peers.py in asyncio and aiohttp: `python3 tasks.py WORK N [URL TASKS [CA_FILE]]` does
the work N times, and prints the work, N, the CPU and the time in seconds, and the peak of the
resident bytes."""

import asyncio
import resource
import ssl
import sys
import time

LIST = 1000  # tasks that are waited for together
work, n = sys.argv[1], int(sys.argv[2])


async def nothing():
    pass


async def spawn_await():
    for _ in range(n):
        await asyncio.create_task(nothing())


async def spawn_gather():
    for _ in range(n // LIST):
        await asyncio.gather(*[asyncio.create_task(nothing()) for _ in range(LIST)])


async def take_turns(tasks):
    async def turns():
        for _ in range(n // tasks):
            await asyncio.sleep(0)
    await asyncio.gather(*[turns() for _ in range(tasks)])


async def hand_off():
    queue = asyncio.Queue(1)

    async def send():
        for i in range(1, n + 1):
            await queue.put(i)
    sent = asyncio.create_task(send())
    total = 0
    for _ in range(n):
        total += await queue.get()
    await sent
    assert total == n * (n + 1) // 2, "an item was lost"


async def sleeps():
    await asyncio.gather(*[asyncio.create_task(asyncio.sleep(1)) for _ in range(n)])


async def get():
    import aiohttp

    url, tasks = sys.argv[3], int(sys.argv[4])
    context = ssl.create_default_context(cafile=sys.argv[5]) if len(sys.argv) > 5 else None
    connector = aiohttp.TCPConnector(limit=tasks, ssl=context)

    async def fetch(session):
        for _ in range(n // tasks):
            async with session.get(url) as response:
                body = await response.read()
                assert response.status == 200 and len(body) == 1024, "not as expected"

    async with aiohttp.ClientSession(connector=connector) as session:
        await asyncio.gather(*[fetch(session) for _ in range(tasks)])


WORKS = {
    "start": nothing, "spawn_await": spawn_await, "spawn_gather": spawn_gather,
    "yield_2": lambda: take_turns(2), "yield_50": lambda: take_turns(50), "hand_off": hand_off,
    "sleeps": sleeps, "get": get, "get_h1": get,
}


async def main():
    cpu0, t0 = time.process_time(), time.monotonic()
    await WORKS[work]()
    cpu, seconds = time.process_time() - cpu0, time.monotonic() - t0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(work, n, cpu, seconds, peak)


asyncio.run(main())
