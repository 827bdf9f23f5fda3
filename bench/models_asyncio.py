# SPDX-License-Identifier: MIT
"""Measures what each of N tasks costs in asyncio: the other side of models.lua, in the same lines.

    python3 bench/models_asyncio.py QUESTION...

Prints "QUESTION N NS" for each N.
"""

import asyncio
import gc
import sys
import time

ITEMS = 200000  # in each measurement
SIZES, MANY = (1, 1000, 100000), (1000, 100000)
clock = time.process_time

# Each function below does its work for `n` tasks `times` over, and returns the CPU in s.


async def nothing():
    pass


async def spawn(n, times):
    c0 = clock()
    for _ in range(times):
        tasks = [asyncio.create_task(nothing()) for _ in range(n)]
        for t in tasks:
            await t
    gc.collect()
    return clock() - c0


async def end(tasks):
    for t in tasks:
        t.cancel()
    await asyncio.wait(tasks)


async def sleep_0(n, times):
    async def take_turns():
        while True:
            await asyncio.sleep(0)

    tasks = [asyncio.create_task(take_turns()) for _ in range(1, n)]
    await asyncio.sleep(0)
    c0 = clock()
    for _ in range(times):
        await asyncio.sleep(0)
    cpu = clock() - c0
    if tasks:
        await end(tasks)
    return cpu


# asyncio's queues hold one item at least: there is no hand-over without.


async def receivers(n, times):
    queue = asyncio.Queue(1)

    async def receive():
        while True:
            await queue.get()

    tasks = [asyncio.create_task(receive()) for _ in range(n)]
    await asyncio.sleep(0)
    c0 = clock()
    for _ in range(n * times):
        await queue.put(True)
    await asyncio.sleep(0)
    cpu = clock() - c0
    await end(tasks)
    return cpu


async def senders(n, times):
    queue = asyncio.Queue(1)

    async def send():
        while True:
            await queue.put(True)

    tasks = [asyncio.create_task(send()) for _ in range(n)]
    await asyncio.sleep(0)
    c0 = clock()
    for _ in range(n * times):
        await queue.get()
    await asyncio.sleep(0)
    cpu = clock() - c0
    await end(tasks)
    return cpu


async def job(i):
    await asyncio.sleep(0)
    return i


async def gather(n, times):
    c0 = clock()
    for _ in range(times):
        results = await asyncio.gather(*[job(i) for i in range(n)])
        assert results[n - 1] == n - 1
    gc.collect()
    return clock() - c0


async def as_completed(n, times):
    c0 = clock()
    for _ in range(times):
        total = 0
        for future in asyncio.as_completed([job(i) for i in range(n)]):
            total += await future
        assert total == n * (n - 1) // 2
    gc.collect()
    return clock() - c0


async def cancel(n, times):
    c0 = clock()
    for _ in range(times):
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(asyncio.sleep(3600)) for _ in range(n)]
            await asyncio.sleep(0)
            for t in tasks:
                t.cancel()
    gc.collect()
    return clock() - c0


QUESTIONS = {
    "spawn": (SIZES, spawn),
    "sleep_0": (SIZES, sleep_0),
    "receivers": (SIZES, receivers),
    "senders": (SIZES, senders),
    "gather": (MANY, gather),
    "as_completed": (MANY, as_completed),
    "cancel": (MANY, cancel),
}


async def answer(name):
    sizes, body = QUESTIONS[name]
    for n in sizes:
        for _ in range(2):  # the first warms up
            gc.collect()
            cpu = await body(n, ITEMS // n)
        print(name, n, f"{cpu / ITEMS * 1e9:.1f}", flush=True)


for question in sys.argv[1:]:
    asyncio.run(answer(question))
