# SPDX-License-Identifier: MIT
"""Files with validators, ranges and faults, for saves that are resumed."""

import gzip
import re

from .response import FIN, KEEP, PIECE

FILES = {}  # key: the parameters of the last POST to it


def first_of_range(request, made):
    """Returns the first byte of the requested range, or None if the whole is requested."""
    found = re.fullmatch(r"bytes=(\d+)-", request.headers.get("range", ""))
    known = [made.get("etag"), made.get("modified")]
    if not found or made.get("ranges") == "no":
        return None
    if made.get("ranges") != "blind" and request.headers.get("if-range") not in known:
        return None
    return int(found.group(1))


async def route_file(request, response):
    if request.method == "POST":
        FILES[request.argument] = request.params
        await response.ok()
        return KEEP
    made = FILES.get(request.argument, {})
    size, version = int(made.get("size", 1000)), int(made.get("version", 0))
    headers = [(name, made[key]) for name, key in
               (("ETag", "etag"), ("Last-Modified", "modified"), ("Date", "date")) if key in made]
    first = first_of_range(request, made)
    if first is not None and first >= size:
        if made.get("ranges") != "bare":
            headers.append(("Content-Range", f"bytes */{size}"))
        await response.whole(416, b"", *headers)
        return KEEP
    if first is None and "gzip" in made:
        plain = (PIECE * (size // len(PIECE) + 2))[version : version + size]
        await response.whole(
            200, gzip.compress(plain, mtime=0), ("Content-Encoding", "gzip"), *headers
        )
        return KEEP
    begin = 0 if first is None else first + int(made.get("skip", 0))
    if first is not None:
        headers.append(("Content-Range", f"bytes {begin}-{size - 1}/{made.get('total', size)}"))
    response.head(200 if first is None else 206, ("Content-Length", size - begin), *headers)
    left = size - begin
    for how in ("cut", "stall"):
        left = min(left, int(made.get(how, left)))
    await response.pattern(left, begin + version)
    if "stall" in made:
        await response.wait_for_client_to_go()
    return KEEP if left == size - begin else FIN


ROUTES = {
    "file": route_file,
}
