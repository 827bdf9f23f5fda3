# SPDX-License-Identifier: MIT
"""Does the origin do what its routes say, and is it gone when its command is?"""

import gzip
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
WITH_ORIGIN = [sys.executable, os.path.join(HERE, "with_origin.py")]
HOST, PORT = "127.0.0.1", int(os.environ["SEPTET_ORIGIN"].rpartition(":")[2])
LIMIT = 30  # seconds; a hang is a failure


def pattern(count):
    return (b"0123456789abcdef" * (count // 16 + 1))[:count]


def raw(request):
    """What comes back until the end, and whether that was a reset."""
    with socket.create_connection((HOST, PORT), timeout=LIMIT) as sock:
        sock.sendall(request)
        got = b""
        try:
            while piece := sock.recv(65536):
                got += piece
            return got, False
        except ConnectionResetError:
            return got, True


def log_lines(**wanted):
    with open(os.environ["SEPTET_ORIGIN_LOG"], encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    return [line for line in lines if wanted.items() <= line.items()]


class Routes(unittest.TestCase):
    def setUp(self):
        self.connection = http.client.HTTPConnection(HOST, PORT, timeout=LIMIT)
        self.addCleanup(self.connection.close)

    def fetch(self, path, method="GET", **more):
        self.connection.request(method, path, **more)
        response = self.connection.getresponse()
        return response, response.read()

    def test_bytes_are_the_pattern_at_any_size(self):
        for count in (0, 1, 65519, 65520, 65521, 300001):
            self.assertEqual(self.fetch(f"/bytes/{count}")[1], pattern(count))

    def test_a_connection_is_kept_and_a_head_leaves_nothing_behind(self):
        self.connection.connect()
        port = self.connection.sock.getsockname()[1]
        for path in ("/bytes/40", "/chunked", "/gzip", "/drip", "/status/404", "/echo"):
            response, body = self.fetch(path, "HEAD")
            self.assertEqual(body, b"")
            self.assertEqual(self.fetch("/bytes/3")[1], b"012", path)
        opened = log_lines(event="open", peer=port)
        self.assertEqual(len(opened), 1)
        requests = log_lines(event="request", connection=opened[0]["connection"])
        self.assertEqual(len(requests), 12)

    def test_delay_is_not_early(self):
        start = time.monotonic()
        self.assertEqual(self.fetch("/delay/0.2?bytes=5")[1], b"01234")
        self.assertGreaterEqual(time.monotonic() - start, 0.2)

    def test_status_and_body(self):
        for status, size in ((200, 11), (204, 0), (304, 0), (404, 11), (503, 11), (799, 11)):
            response, body = self.fetch(f"/status/{status}")
            self.assertEqual((response.status, len(body)), (status, size))
        self.assertEqual(raw(b"GET /status/103 HTTP/1.0\r\n\r\n")[0].count(b"HTTP/1.1 "), 2)

    def test_echo_tells_what_came(self):
        _, body = self.fetch("/echo?a=b%20c", "PUT", body="x=1", headers={"X-One": "1"})
        echo = json.loads(body)
        self.assertEqual((echo["method"], echo["path"], echo["query"]), ("PUT", "/echo", "a=b%20c"))
        self.assertEqual(
            (echo["headers"]["x-one"], echo["body"], echo["body_size"]), ("1", "x=1", 3)
        )

    def test_a_chunked_request_is_read(self):
        _, body = self.fetch("/echo", "POST", body=iter([b"one", b"two"]), encode_chunked=True)
        self.assertEqual(json.loads(body)["body"], "onetwo")

    def test_headers_as_asked(self):
        response, _ = self.fetch("/headers?X-A=1&X-A=2&X-B=")
        self.assertEqual(
            (response.headers.get_all("X-A"), response.headers["X-B"]), (["1", "2"], "")
        )

    def test_redirects(self):
        self.assertEqual(self.fetch("/redirect/2")[0].headers["Location"], "/redirect/1")
        self.assertEqual(self.fetch("/redirect/0")[0].status, 200)
        response, _ = self.fetch("/redirect-to?url=http%3A%2F%2Fother%2F&status=307")
        self.assertEqual((response.status, response.headers["Location"]), (307, "http://other/"))

    def test_chunked_and_gzip_decode_to_the_pattern(self):
        self.assertEqual(self.fetch("/chunked?chunks=3&size=20")[1], pattern(60))
        self.assertEqual(gzip.decompress(self.fetch("/gzip?bytes=100000")[1]), pattern(100000))

    def test_drip_comes_one_by_one(self):
        start = time.monotonic()
        self.assertEqual(self.fetch("/drip?bytes=4&interval=0.05")[1], b"0123")
        self.assertGreaterEqual(time.monotonic() - start, 0.2)

    def test_no_such_route_and_bad_parameters(self):
        self.assertEqual(self.fetch("/nope")[0].status, 404)
        for path in (
            "/bytes/x", "/bytes/-1", "/delay/nan", "/delay/-1", "/status/99", "/close?bytes=z",
        ):
            self.connection.close()
            self.assertEqual(self.fetch(path)[0].status, 400, path)

    def test_file(self):
        def ranged(if_range):
            response, body = self.fetch(
                "/file/spec", headers={"Range": "bytes=95-", "If-Range": if_range}
            )
            return response.status, response.headers["Content-Range"], body

        self.fetch("/file/spec?size=100&version=1&etag=%22a%22&modified=M", "POST")
        response, body = self.fetch("/file/spec")
        self.assertEqual(
            (response.status, response.headers["ETag"], body), (200, '"a"', pattern(101)[1:])
        )
        for same in ('"a"', "M"):
            self.assertEqual(ranged(same), (206, "bytes 95-99/100", pattern(101)[96:]))
        self.assertEqual(ranged('"b"')[0], 200)
        self.fetch("/file/spec?size=90&etag=%22b%22&ranges=blind", "POST")
        self.assertEqual(ranged('"a"'), (416, "bytes */90", b""))


class Endings(unittest.TestCase):
    def get(self, path):
        got, was_reset = raw(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        head, _, body = got.partition(b"\r\n\r\n")
        return head, body, was_reset

    def test_reset(self):
        self.assertEqual(self.get("/reset"), (b"", b"", True))
        head, body, was_reset = self.get("/reset?after=100000&length=200000")
        self.assertIn(b"Content-Length: 200000", head)
        self.assertEqual((len(body), was_reset), (100000, True))
        self.assertTrue(self.get("/idle-reset")[2])

    def test_fin(self):
        self.assertEqual(self.get("/empty"), (b"", b"", False))
        self.assertEqual(self.get("/truncate?length=50&sent=7")[1:], (b"0123456", False))
        self.assertEqual(self.get("/close?bytes=3")[1:], (b"012", False))
        head, body, was_reset = self.get("/close-delimited?bytes=5")
        self.assertEqual((body, was_reset), (b"01234", False))
        self.assertNotIn(b"Content-Length", head)
        head, body, was_reset = self.get("/idle-close")
        self.assertEqual((body, was_reset), (b"01", False))
        self.assertIn(b"keep-alive", head)
        self.assertFalse(self.get("/garbage")[0].startswith(b"HTTP"))

    def test_stall_ends_with_the_client_who_is_logged_as_the_one_who_closed(self):
        with socket.create_connection((HOST, PORT), timeout=LIMIT) as sock:
            port = sock.getsockname()[1]
            sock.sendall(b"GET /stall?after=2&length=9 HTTP/1.1\r\n\r\n")
            got = b""
            while not got.endswith(b"\r\n\r\n01"):
                got += sock.recv(65536)
        number = log_lines(event="open", peer=port)[0]["connection"]
        until = time.monotonic() + LIMIT
        while (
            not (closed := log_lines(event="close", connection=number)) and time.monotonic() < until
        ):
            time.sleep(0.01)
        self.assertEqual([(line["requests"], line["by"]) for line in closed], [(1, "client")])


class Scripts(unittest.TestCase):
    def test_a_script_is_sent_to_the_byte_and_ended_as_it_says(self):
        for ending, was_reset in (("fin", False), ("rst", True)):
            lines = "\n".join(["send 6162ff", "sleep 0.01", "repeat 200 63", ending]).encode()
            raw(b"POST /script/spec HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s" % (len(lines), lines))
            self.assertEqual(
                raw(b"GET /raw/spec HTTP/1.1\r\n\r\n"), (b"ab\xff" + b"c" * 200, was_reset)
            )

    def test_one_that_sends_no_more_reads_on(self):
        raw(b"POST /script/spec HTTP/1.0\r\nContent-Length: 16\r\n\r\nsend 61\neof\nkeep")
        with socket.create_connection((HOST, PORT), timeout=LIMIT) as sock:
            port = sock.getsockname()[1]
            sock.sendall(b"GET /raw/spec HTTP/1.1\r\n\r\n")
            self.assertEqual((sock.recv(9), sock.recv(9)), (b"a", b""))
            sock.sendall(b"GET /raw/none HTTP/1.1\r\n\r\n")
            number = log_lines(event="open", peer=port)[0]["connection"]
            until = time.monotonic() + LIMIT
            while (
                len(seen := log_lines(event="request", connection=number)) < 2
                and time.monotonic() < until
            ):
                time.sleep(0.01)
        self.assertEqual([line["path"] for line in seen], ["/raw/spec", "/raw/none"])


# How many segments came: what a busy machine lets the reader find together was sent apart. 152 is
# the place of tcpi_data_segs_in.
SEGMENTS = """
import os, socket, struct
sock = socket.create_connection(("127.0.0.1", int(os.environ["SEPTET_ORIGIN"].rpartition(":")[2])))
sock.sendall(b"GET /bytes/1500 HTTP/1.0\\r\\n\\r\\n")
got = b""
while piece := sock.recv(65536):
    got += piece
assert got.endswith(b"\\r\\n\\r\\n" + b"0123456789abcdef" * 93 + b"0123456789ab")
print(struct.unpack_from("I", sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 156), 152)[0])
"""


class WithOrigin(unittest.TestCase):
    def segments(self, *options):
        command = [*WITH_ORIGIN, *options, sys.executable, "-c", SEGMENTS]
        return int(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)

    def test_one_byte_at_a_time(self):
        self.assertLess(self.segments(), 20)
        # Where the machine is busy, the kernel joins bytes that wait.
        self.assertTrue(any(self.segments("--one-byte") > 200 for _ in range(20)))

    def test_the_status_is_the_command_s(self):
        for script, status in (("exit 7", 7), ("exit 0", 0), ("kill -TERM $$", 143)):
            self.assertEqual(subprocess.call([*WITH_ORIGIN, "sh", "-c", script]), status)
        with open(os.devnull, "w") as nowhere:
            self.assertEqual(
                subprocess.call([*WITH_ORIGIN, "/no/such/command"], stderr=nowhere), 127
            )

    def start(self):
        """A with_origin whose command waits for ever, that command's process, and the origin's
        port."""
        script = "echo $$ $SEPTET_ORIGIN; exec sleep 1000"
        folder = tempfile.TemporaryDirectory()  # where a killed one leaves its log
        self.addCleanup(folder.cleanup)
        process = subprocess.Popen(
            [*WITH_ORIGIN, "sh", "-c", script],
            env=dict(os.environ, TMPDIR=folder.name),
            stdout=subprocess.PIPE,
            text=True,
            # nohup, around all the tests, would be heeded.
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
        )
        self.addCleanup(process.stdout.close)
        child, url = process.stdout.readline().split()
        return process, int(child), int(url.rpartition(":")[2])

    def assert_gone(self, port):
        until = time.monotonic() + LIMIT
        while time.monotonic() < until:
            try:
                socket.create_connection((HOST, port), timeout=LIMIT).close()
            except ConnectionRefusedError:
                return
            except ConnectionResetError:
                pass  # it was accepted by one that was just ending
            time.sleep(0.01)
        self.fail("the origin is still there")

    def test_a_signal_ends_the_command_and_the_origin(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            process, _, port = self.start()
            process.send_signal(number)
            self.assertEqual(process.wait(LIMIT), 128 + number)
            self.assert_gone(port)

    def test_the_origin_does_not_outlive_a_kill(self):
        process, child, port = self.start()
        process.kill()
        process.wait(LIMIT)
        os.kill(child, signal.SIGKILL)
        self.assert_gone(port)

    def test_only_loopback(self):
        for address in ("0.0.0.0", "10.0.0.1", "localhost", "::"):
            command = [sys.executable, os.path.join(HERE, "origin.py"), "--bind", address]
            done = subprocess.run(
                command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=LIMIT
            )
            self.assertEqual(done.returncode, 2)
            self.assertIn("is no loopback address", done.stderr)


if __name__ == "__main__":
    unittest.main()
