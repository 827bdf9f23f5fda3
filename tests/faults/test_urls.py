# SPDX-License-Identifier: MIT
"""URLs by each way in: a script's own, below a base, and in a Location, absolute and relative; by
get, stream and save. The server responds with the target that it received, byte by byte."""

import json
import socket
import threading
import unittest

import harness

SCRIPT = """
local http, json = require "septet.http", require "septet.json"
local input = json.decode(io.read "a")
local function save(s, url, options)
  local saved = s:save(url, "saved", options)
  return { url = saved.url, body = assert(io.open "saved"):read "a" }
end
local function stream(s, url, options) return s:stream("GET", url, options) end
for _, case in ipairs(input.cases) do
  local resolve = {}
  for _, name in ipairs(input.names) do resolve[name] = "127.0.0.1" end
  local s <close> = http.session {
    base_url = case.base, resolve = resolve, resolver = "127.0.0.1:1", timeout = 10,
    retries = false,
  }
  local how = ({ get = s.get, stream = stream, save = save })[case.how or "get"]
  local ok, r = pcall(how, s, case.url,
    { headers = { ["X-Case"] = case.id }, params = case.params })
  local said = ok and json.decode(r.body) or {}
  print(json.encode(ok and { url = r.url, target = said.target, host = said.host }
    or { kind = r.kind, code = r.code, reason = r.reason, phase = r.phase, message = tostring(r) }))
end
"""

# The examples of RFC 3986, 5.4, with {A} for the authority. None stands for a refusal.
BASE = "http://{A}/b/c/d;p?q"
EXAMPLES = {
    "g:h": None,
    "g": "/b/c/g",
    "./g": "/b/c/g",
    "g/": "/b/c/g/",
    "/g": "/g",
    "?y": "/b/c/d;p?y",
    "g?y": "/b/c/g?y",
    "#s": "/b/c/d;p?q#s",
    "g#s": "/b/c/g#s",
    "g?y#s": "/b/c/g?y#s",
    ";x": "/b/c/;x",
    "g;x": "/b/c/g;x",
    "g;x?y#s": "/b/c/g;x?y#s",
    ".": "/b/c/",
    "./": "/b/c/",
    "..": "/b/",
    "../": "/b/",
    "../g": "/b/g",
    "../..": "/",
    "../../": "/",
    "../../g": "/g",
    "../../../g": "/g",
    "../../../../g": "/g",
    "/./g": "/g",
    "/../g": "/g",
    "g.": "/b/c/g.",
    ".g": "/b/c/.g",
    "g..": "/b/c/g..",
    "..g": "/b/c/..g",
    "./../g": "/b/g",
    "./g/.": "/b/c/g/",
    "g/./h": "/b/c/g/h",
    "g/../h": "/b/c/h",
    "g;x=1/./y": "/b/c/g;x=1/y",
    "g;x=1/../y": "/b/c/y",
    "g?y/./x": "/b/c/g?y/./x",
    "g?y/../x": "/b/c/g?y/../x",
    "g#s/./x": "/b/c/g#s/./x",
    "g#s/../x": "/b/c/g#s/../x",
    "http:g": None,
}

# What follows the authority, and its normal form.
TAILS = {
    "": "/",
    "?q": "/?q",
    "#f": "/#f",
    "/a b?c d#e f": "/a%20b?c%20d#e%20f",
    "/caf\u00e9?q=caf\u00e9#caf\u00e9": "/caf%C3%A9?q=caf%C3%A9#caf%C3%A9",
    "/\"<>`{}^|'?\"<>`{}^|'#\"<>`{}^|'": (
        "/%22%3C%3E%60%7B%7D%5E|'?%22%3C%3E`{}^|%27#%22%3C%3E%60{}^|'"
    ),
    "/%41%7e%2F%c3%a9?%41%20+#%41": "/%41%7e%2F%c3%a9?%41%20+#%41",
    "/%?%#%": "/%?%#%",
    "/%zz": "/%zz",
    "/a/../b": "/b",
    "/a/%2e%2E/b/%2E": "/b/",
    "/./a/./": "/a/",
    "/../../a": "/a",
    "/a//b//": "/a//b//",
    "/a?b/../c": "/a?b/../c",
    "/a?b?c#d#e": "/a?b?c#d#e",
    "/a?x=\\y": "/a?x=\\y",
    "/a@b:c": "/a@b:c",
    "/?u=http://x@y/": "/?u=http://x@y/",
    "/[x]?[y]": "/[x]?[y]",
    "/a;b,c=d&e!$*": "/a;b,c=d&e!$*",
}

# References that are refused by each way in, with the reason for a script's URL.
REFUSED = (
    ("http://{A}\\@{B}/", "characters"),
    ("http://{A}/a\\b", "characters"),
    ("http://{A}/a\tb", "characters"),
    ("http://{A}/a\x1b[31m", "characters"),
    ("http://{A}/\x7f", "characters"),
    ("http://u:p@{A}/", "userinfo"),
    ("http://@{A}/", "userinfo"),
    ("http:/{A}/", "no_scheme"),
    ("http:{A}", "no_scheme"),
    ("http://a|b/", "host"),
    ("http://1.2.3.4.5/", "host"),
    ("http://[::%31]/", "host"),
    ("http:///{A}/", "host"),
    ("http://{A}1000000/", "port"),
)


class Server:
    """Responds to each request with its target and Host, or to the first of a case with its
    redirect."""

    def __init__(self):
        self.redirects, self.seen = {}, []
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def close(self):
        # A thread that waits on would take the connections of the next socket with this number.
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.socket.close()

    def serve(self):
        while True:
            try:
                connection = self.socket.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.one, args=(connection,), daemon=True).start()

    def one(self, connection):
        with connection, connection.makefile("rb") as file:
            while line := file.readline():
                heads = {}
                for head in iter(file.readline, b"\r\n"):
                    name, _, value = head.partition(b":")
                    heads[name.lower()] = value.strip().decode("latin-1")
                target, host = line.split(b" ")[1].decode("latin-1"), heads.get(b"host")
                self.seen.append((host, target))
                location = self.redirects.pop(heads.get(b"x-case"), None)
                body = json.dumps({"target": target, "host": host}).encode()
                head = (
                    b"HTTP/1.1 302 Found\r\nLocation: " + location
                    if location
                    else b"HTTP/1.1 200 OK"
                )
                connection.sendall(head + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


class Urls(harness.Case):
    def setUp(self):
        super().setUp()
        self.server, self.cases = Server(), []
        self.addCleanup(self.server.close)
        self.names = ["%s.test:%d" % (name, self.server.port) for name in "abg"]

    def text(self, text):
        return text.replace("{A}", self.names[0]).replace("{B}", self.names[1])

    def add(self, url, **options):
        """Adds a case. `location` is where its first response leads."""
        location = options.pop("location", None)
        options["id"] = str(len(self.cases))
        if location is not None:
            location = location if isinstance(location, bytes) else self.text(location).encode()
            self.server.redirects[options["id"]] = location
        if "base" in options:
            options["base"] = self.text(options["base"])
        self.cases.append(dict(options, url=self.text(url)))

    def outcomes(self):
        """Returns each case with its outcome."""
        script = self.write("s.lua", SCRIPT)
        result = self.septet(script, stdin=json.dumps({"cases": self.cases, "names": self.names}))
        self.assertEqual(result.status, 0, result)
        outcomes = [json.loads(line) for line in result.out.splitlines()]
        self.assertEqual(len(outcomes), len(self.cases))
        return list(zip(self.cases, outcomes))

    def check_all(self, expected):
        """Checks that each case led to its URL in `expected`, which lacks "http://" and the
        authority."""
        for (case, outcome), tail in zip(self.outcomes(), expected):
            self.assertEqual(
                outcome.get("url"), "http://%s%s" % (self.names[0], tail), (case, outcome)
            )
            self.assertEqual(outcome["target"], tail.partition("#")[0], (case, outcome))
            self.assertEqual(outcome["host"], self.names[0], (case, outcome))

    def test_examples(self):
        """X-13 H-15: references lead to where RFC 3986, 5.4, says, below a base and in a
        Location."""
        expected = []
        for how in "get", "stream", "save":
            for reference, tail in EXAMPLES.items():
                if tail is not None:
                    self.add(reference, base=BASE, how=how)
                    self.add(BASE, location=reference, how=how)
                    self.add("http://{A}" + tail, how=how)
                    expected += [tail] * 3
            self.add("", base=BASE, how=how)
            expected.append("/b/c/d;p?q")
        self.check_all(expected)

    def test_examples_that_lead_away(self):
        """X-13: another scheme or host, and a scheme without a host"""
        for reference, tail in EXAMPLES.items():
            if tail is None:
                self.add(reference, base=BASE)
                self.add(BASE, location=reference)
        self.add("//%s/x" % self.names[2], base=BASE)
        outcomes = [outcome for _, outcome in self.outcomes()]
        self.assertEqual(
            [(a["code"], a["reason"]) for a in outcomes],
            [
                ("url", "no_scheme"),
                ("redirect", "denied"),
                ("url", "no_scheme"),
                ("redirect", "location"),
                ("url", "no_scheme"),
            ],
        )
        self.cases = []
        self.add(BASE, location="//%s/x" % self.names[2])
        self.assertEqual(self.outcomes()[0][1]["url"], "http://%s/x" % self.names[2])

    def test_encoding(self):
        """H-15: each way in encodes a URL once, and the URL of the response is what was sent."""
        expected = []
        for how in "get", "stream", "save":
            for tail, one_form in TAILS.items():
                self.add("http://{A}" + tail, how=how)
                self.add("http://{A}/other", location="http://{A}" + tail, how=how)
                self.add("HTTP://{A}" + tail, base="http://{B}/other", how=how)
                expected += [one_form] * 3
                if tail.startswith("/"):
                    self.add("http://{A}/x/y?z", location=tail, how=how)
                    self.add(tail, base="http://{A}/x/y?z", how=how)
                    self.add("http://{A}/x/y?z", location="http://{A}" + one_form, how=how)
                    expected += [one_form] * 3
        self.check_all(expected)

    def test_bytes_that_are_no_text(self):
        """H-15: bytes that are no UTF-8 in a Location are encoded one by one."""
        self.add("http://{A}/", location=b"/\xe9?\xff")
        self.check_all(["/%E9?%FF"])

    def test_params(self):
        """H-15: parameters stand behind an encoded query, and before the fragment."""
        self.add("http://{A}/a b?c=\u00e9#d e", params={"f": "g h/\u00e9"})
        self.add("?c=\u00e9#d e", base="http://{A}/a b", params={"f": "g h/\u00e9"})
        self.check_all(["/a%20b?c=%C3%A9&f=g%20h%2F%C3%A9#d%20e"] * 2)

    def test_fragments(self):
        """H-15: a fragment stays behind redirects that have none (RFC 9110, 10.2.2)."""
        self.add("http://{A}/x#first", location="/y")
        self.add("http://{A}/x#first", location="/y#second")
        self.add("http://{A}/x#first", location="/y#")
        self.add("http://{A}/x", location="/y#second")
        self.add("http://{A}/x#fir st", location="?y")
        self.check_all(["/y#first", "/y#second", "/y#", "/y#second", "/x?y#fir%20st"])

    def test_bases(self):
        """H-15: the empty reference is the base itself."""
        for base in "/v1", "/api/v1?k=1", "/d/page", "/d/", "":
            self.add("", base="http://{A}" + base + "#old")
            self.add("#sec", base="http://{A}" + base + "#old")
            self.add("http://{A}" + base, location="#sec")
        expected = []
        for base in "/v1", "/api/v1?k=1", "/d/page", "/d/", "/":
            expected += [base, base + "#sec", base + "#sec"]
        self.check_all(expected)

    def test_refused(self):
        """H-5 H-15: each way in refuses a URL that parsers may read differently, and no server sees
        it."""
        for reference, _ in REFUSED:
            self.add(reference)
            self.add(reference, base="http://{A}/x")
            self.add("http://{A}/start", location=reference)
            self.add("http://{A}/start", location=reference, how="stream")
            self.add("http://{A}/start", location=reference, how="save")
        outcomes = self.outcomes()
        for i, (reference, reason) in enumerate(REFUSED):
            for case, outcome in outcomes[5 * i:5 * i + 2]:
                self.assertEqual(
                    (outcome.get("code"), outcome.get("reason")), ("url", reason), (case, outcome)
                )
            for case, outcome in outcomes[5 * i + 2:5 * i + 5]:
                self.assertEqual(
                    (outcome.get("code"), outcome.get("reason")),
                    ("redirect", "location"),
                    (case, outcome),
                )
                self.assertEqual(outcome["phase"], "receive")
                self.assertNotIn("\x1b", outcome["message"])
                self.assertNotIn("u:p", outcome["message"])
        self.assertEqual(set(self.server.seen), {(self.names[0], "/start")})

    def test_empty_location(self):
        """X-13: a Location that is empty is none, and the first that is not counts."""
        self.add("http://{A}/x", location=b" ")
        self.add("http://{A}/x", location=b"\r\nLocation: /y\r\nLocation: /z")
        self.check_all(["/x", "/y"])


if __name__ == "__main__":
    unittest.main()
