# SPDX-License-Identifier: MIT
"""septet.testing.serve as other clients see it: curl, http.client, and bytes over a socket."""

import http.client
import os
import socket
import struct
import subprocess
import time
import unittest

import harness

SERVER = """
io.stdout:setvbuf 'no'
local task, testing = require 'septet.task', require 'septet.testing'
local server <close> = testing.serve(function(r)
  if r.path == '/pieces' then
    local n = 0
    return { body = function()
      n = n + 1
      task.sleep(0.001)
      return n < 4 and ('x'):rep(n) or nil
    end }
  elseif r.path == '/fail' then
    error('as planned', 0)
  elseif r.path == '/wait' then
    task.sleep(math.huge)
  end
  return { headers = { ['X-Body'] = #r.body }, body = r.method .. ' ' .. r.target .. '\\n' }
end, { timeout = 10 })
print(server.port)
task.sleep(math.huge)
"""


def descriptors(child):
    return len(os.listdir(f"/proc/{child.process.pid}/fd"))


class Serve(harness.Case):
    def serve(self):
        child = self.start(self.write("s.lua", SERVER))
        return child, int(child.line())

    def test_http_client(self):
        child, port = self.serve()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        for method, path, body, chunked in (
            ("GET", "/a?b", None, False), ("POST", "/b", b"x" * 70000, False),
            ("PUT", "/c", iter([b"ab", b"cd"]), True), ("HEAD", "/d", None, False),
        ):
            connection.request(method, path, body, encode_chunked=chunked)
            response = connection.getresponse()
            self.assertEqual(response.status, 200)
            expected = b"" if method == "HEAD" else f"{method} {path}\n".encode()
            self.assertEqual(response.read(), expected)
        connection.request("GET", "/pieces")
        response = connection.getresponse()
        self.assertEqual((response.getheader("Transfer-Encoding"), response.read()),
                         ("chunked", b"xxxxxx"))
        connection.close()
        child.kill(15)
        child.end()

    def test_curl(self):
        child, port = self.serve()
        url = f"http://127.0.0.1:{port}"
        large = self.write("large", "y" * 2000000)
        for options, expected in (
            ((url + "/a", url + "/b"), "GET /a\nGET /b\n"),
            (("-d", "x=1", url), "POST /\n"),
            (("-T", large, url + "/up"), "PUT /up\n"),
            (("-T", large, "-H", "Expect: 100-continue", url + "/up"), "PUT /up\n"),
            (("-T", large, "-H", "Transfer-Encoding: chunked", url + "/up"), "PUT /up\n"),
            (("-0", url + "/old"), "GET /old\n"), (("-0", url + "/pieces"), "xxxxxx"),
            (("-I", "-w", "%{http_code}", "-o", "/dev/null", url), "200"),
        ):
            result = subprocess.run(
                ["curl", "-sS", "--noproxy", "*", "--max-time", "60", *options],
                capture_output=True, text=True, timeout=120,
            )
            self.assertEqual((result.returncode, result.stdout, result.stderr), (0, expected, ""),
                             options)
        child.kill(15)
        child.end()

    def test_sockets_that_come_and_go(self):
        """No descriptor is left of clients that go at each byte, with FIN or RST."""
        child, port = self.serve()
        text = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
        before = descriptors(child)
        for n in range(len(text) + 1):
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(text[:n])
                if n % 2:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        client.request("GET", "/", headers={"Connection": "close"})
        self.assertEqual(client.getresponse().status, 200)
        client.close()
        until = time.monotonic() + 30
        while descriptors(child) > before and time.monotonic() < until:
            time.sleep(0.01)
        self.assertLessEqual(descriptors(child), before)
        child.kill(15)
        child.end()

    def test_a_handler_that_raises_fails_the_run(self):
        result = self.lua("""
local http, testing = require 'septet.http', require 'septet.testing'
local server <close> = testing.serve(function() error('as planned', 0) end)
print(http.get(server.url .. '/x').status)
""")
        self.assertEqual((result.status, result.out), (1, "500\n"), result)
        self.assertIn("handler of GET /x", result.err)
        self.assertIn("as planned", result.err)

    def test_a_virtual_clock_jumps_beside_a_server(self):
        """The waits of a server for clients do not hold a virtual clock, those for a request do."""
        script = self.write("s.lua", """
local task, http, testing = require 'septet.task', require 'septet.http', require 'septet.testing'
local server <close> = testing.serve(function(r)
  if r.path == '/slow' then task.sleep(5) end
  return 'ok'
end, { timeout = 1e9 })
local session <close> = http.session()
print(session:get(server.url).body)
local start = task.now()
task.sleep(1e8)
print(task.now() - start > 1e8 - 1)
local t = task.spawn(session.get, session, server.url .. '/slow')
server:wait(2)
testing.advance(5)
print(t:await().body, session:stats().connections_made)
""")
        self.check(self.septet("--virtual-time", script), out="ok\ntrue\nok\t1\n")

    def test_a_run_ends_with_its_server(self):
        """A server that nothing closes ends with the script, also with a handler that waits."""
        result = self.lua("""
local task, http, testing = require 'septet.task', require 'septet.http', require 'septet.testing'
local server = testing.serve(function() task.sleep(math.huge) end)
task.background(pcall, http.get, server.url)
server:wait(1)
print 'end'
""")
        self.check(result, out="end\n")


if __name__ == "__main__":
    unittest.main()
