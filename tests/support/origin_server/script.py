# SPDX-License-Identifier: MIT
"""Raw bytes that a test scripts: /script/KEY sets them, and /raw/KEY sends them."""

import contextlib

from .response import FIN, KEEP

SCRIPTS = {}  # parts of /raw, each a list of lines, by key


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
            with contextlib.suppress(OSError):  # the client may have gone
                response.writer.write_eof()
        elif word == "stall":
            await response.wait_for_client_to_go()
        else:
            return word
    return FIN


ROUTES = {
    "script": route_script,
    "raw": route_raw,
}
