# SPDX-License-Identifier: MIT
"""The routes. Each takes a request and its response, and returns what becomes of the connection."""

import asyncio
import gzip
import time

from . import auth, files, script, uploads
from .request import BadRequest, duration, whole_number
from .response import FIN, KEEP, PIECE, RST, TEXT

FAILED = {}  # number of requests of /fail, by key
HELD = {}  # futures of the requests that wait in /hold, by key


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
    await response.echo(request)
    return KEEP


async def route_mirror(request, response):
    content_type = ("Content-Type", request.headers.get("content-type", TEXT[1]))
    await response.whole(200, request.body, content_type, *request.pairs())
    return KEEP


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
    await response.whole(
        request.count("status", 302), b"", location, *request.pairs("url", "status")
    )
    return KEEP


async def route_close(request, response):
    await response.ok(request.count("bytes", 2), ("Connection", "close"))
    return FIN


async def route_close_delimited(request, response):
    response.head(200, TEXT, ("Connection", "close"))
    await response.pattern(request.count("bytes", 2))
    return FIN


async def cut_short(request, response):
    """Sends the header block and the first bytes of a longer body, if there is an `after`."""
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
    **auth.ROUTES,
    **files.ROUTES,
    **script.ROUTES,
    **uploads.ROUTES,
    "bytes": route_bytes,
    "delay": route_delay,
    "status": route_status,
    "echo": route_echo,
    "mirror": route_mirror,
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
    "hold": route_hold,
    "garbage": route_garbage,
    "idle-close": route_idle_close,
    "idle-reset": route_idle_reset,
}
