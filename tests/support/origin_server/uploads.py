# SPDX-License-Identifier: MIT
"""Routes that read the body of a request by themselves, in part, or not at all."""

from .request import read_body, whole_number
from .response import FIN, KEEP, RST, TEXT


async def route_early(request, response):
    if request.count("read", 0):
        await response.reader.readexactly(request.count("read", 0))
    await response.whole(
        whole_number(request.argument, "CODE"), b"enough\n", TEXT, ("Connection", "close")
    )
    # A close with bytes unread is a reset, which overtakes the response.
    if response.writer.can_write_eof():
        response.writer.write_eof()
        await response.wait_for_client_to_go()
    return FIN


async def route_vanish(request, response):
    if "read" in request.params:
        await response.reader.readexactly(request.count("read", 0))
    else:
        await read_body(request, response.reader)
    return RST if request.argument == "rst" else FIN


async def read_some(request, response):
    """Reads as much of the body as `read` says, after a 100 unless there is a `mute`."""
    if "mute" not in request.params:
        response.head(100)
    if request.params["read"] == "all":
        await read_body(request, response.reader)
    else:
        await response.reader.readexactly(request.count("read", 0))


async def route_refuse(request, response):
    asks = request.headers.get("expect") == "100-continue"
    if asks and "read" in request.params:
        await read_some(request, response)
    elif not asks:
        request.body = await read_body(request, response.reader)
    if not asks and "all" not in request.params:
        await response.echo(request)
        return KEEP
    await response.whole(417, b"r" * request.count("length", 9), TEXT)
    if request.params.get("end") == FIN and response.writer.can_write_eof():
        response.writer.write_eof()
        await response.wait_for_client_to_go()
    return request.params.get("end", KEEP)


async def route_stall_upload(request, response):
    await response.pause(None)
    return FIN


ROUTES = {
    "early": route_early,
    "vanish": route_vanish,
    "refuse": route_refuse,
    "stall-upload": route_stall_upload,
}
