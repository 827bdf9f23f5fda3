#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bodies.py SEPTET: reads bodies of a gigabyte, plain and by gzip, with pauses, and a bomb of gzip.

The reader pauses for 0.2 s at every 64 MB. The bytes must have the right digest, and the peak of
the process's memory must be at most 40 MB. A bomb of 1:1000 must stop at the limit, gathered or
streamed.
"""

import hashlib
import http.server
import os
import subprocess
import sys
import tempfile
import threading
import zlib

GIGABYTE = 1 << 30
PIECE = bytes(range(256)) * 4096  # 1 MB
PEAK_MAX = 40 * 1024              # kilobytes
CAP = 64 << 20                    # bytes, of a bomb

READER = """
local http, files, task = require "septet.http", require "septet.io", require "septet.task"
local session <close> = http.session()
local response <close> = session:stream("GET", arg[1])
local sink <close> = files.create(arg[2], { digest = "sha256" })
local n, mark = 0, 0
for piece in response:chunks() do
  sink:write(piece)
  n = n + #piece
  if n - mark >= 64 * 1024 * 1024 then
    mark = n
    task.sleep(0.2)
  end
end
sink:sync()
print(n, sink:digest())
"""

BOMB = """
local http = require "septet.http"
local session <close> = http.session { max_body = tonumber(arg[2]) }
local n = 0
local ok, err = pcall(function()
  if arg[3] == "gathered" then return session:get(arg[1]) end
  local response <close> = session:stream("GET", arg[1])
  for piece in response:chunks() do n = n + #piece end
end)
print(ok, err.code, n <= tonumber(arg[2]))
"""

PEAK = """
for line in io.lines "/proc/self/status" do
  local peak = line:match "^VmHWM:%s+(%d+)"
  if peak then print("peak", peak) end
end
"""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        try:
            getattr(self, "send_" + self.path.strip("/"))()
        except (BrokenPipeError, ConnectionResetError):
            pass
        self.close_connection = True

    def head(self, *headers):
        self.send_response(200)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()

    def send_plain(self):
        self.head(("Content-Length", str(GIGABYTE)))
        for _ in range(GIGABYTE // len(PIECE)):
            self.wfile.write(PIECE)

    def send_gzip(self):
        self.compressed(PIECE, GIGABYTE // len(PIECE))

    def send_bomb(self):
        self.compressed(bytes(1 << 20), 4096)

    def compressed(self, piece, times):
        self.head(("Content-Encoding", "gzip"), ("Connection", "close"))
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        for _ in range(times):
            self.wfile.write(packer.compress(piece))
        self.wfile.write(packer.flush())

    def log_message(self, *_):
        pass


def run(septet, folder, script, *arguments):
    """Returns the lines of the script, and the peak of its memory in kilobytes."""
    path = os.path.join(folder, "script.lua")
    with open(path, "w") as file:
        file.write(script + PEAK)
    done = subprocess.run(
        [septet, path, *arguments], stdout=subprocess.PIPE, text=True, check=True, timeout=600
    )
    *lines, peak = done.stdout.splitlines()
    return lines, int(peak.split()[1])


def main():
    septet = sys.argv[1]
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/"
    digest = hashlib.sha256()
    for _ in range(GIGABYTE // len(PIECE)):
        digest.update(PIECE)
    expected, failed = f"{GIGABYTE}\t{digest.hexdigest()}", 0

    def check(what, good, peak, limit):
        nonlocal failed
        good = good and peak < limit
        failed += not good
        print(f"{'ok' if good else 'not ok'} {what}: peak {peak} kB, limit {limit} kB", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        for path in ("plain", "gzip"):
            lines, peak = run(septet, folder, READER, url + path, os.path.join(folder, "body"))
            check(f"1 GB, {path}", lines == [expected], peak, PEAK_MAX)
        for how, limit in (("gathered", PEAK_MAX + CAP // 1024 * 2), ("streamed", PEAK_MAX)):
            lines, peak = run(septet, folder, BOMB, url + "bomb", str(CAP), how)
            check(f"a bomb of 4 GB, {how}", lines == ["false\tbody_too_large\ttrue"], peak, limit)
    server.shutdown()
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
