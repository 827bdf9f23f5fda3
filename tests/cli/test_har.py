# SPDX-License-Identifier: MIT
"""HAR: what the exporter writes passes the schema of npm's har-schema (Debian: node-har-schema),
and the rules of HAR 1.2 that the schema does not have.

SEPTET_ORIGIN is the address of the origin server."""

import decimal
import json
import os
import subprocess
import sys
import unittest

import harness
import recorded

# Records the requests of a script, and writes them as HAR.
HEAD = recorded.head('private "septet.trace.har"(recorded, io.write)')

VALIDATOR = """
import ipaddress, json, re, sys, jsonschema

FOLDER = "/usr/share/nodejs/har-schema/lib/"

def load(name):
    def inline(node):
        if isinstance(node, dict) and "$ref" in node:
            return load(node["$ref"].rstrip("#"))
        if isinstance(node, dict):
            return {k: inline(v) for k, v in node.items() if k != "$id"}
        return [inline(item) for item in node] if isinstance(node, list) else node
    with open(FOLDER + name) as file:
        return inline(json.load(file))

checker = jsonschema.FormatChecker(formats=())

@checker.checks("date-time")
def is_date_time(value):
    return bool(re.fullmatch(r"\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d+)?Z", value))

@checker.checks("uri")
def is_uri(value):
    return bool(re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]*", value))

@checker.checks("ipv4", ValueError)
def is_ipv4(value):
    return bool(ipaddress.IPv4Address(value))

@checker.checks("ipv6", ValueError)
def is_ipv6(value):
    return bool(ipaddress.IPv6Address(value))

schema = load("har.json")
jsonschema.Draft6Validator.check_schema(schema)
validator = jsonschema.Draft6Validator(schema, format_checker=checker)
for error in validator.iter_errors(json.load(sys.stdin)):
    print("/".join(map(str, error.absolute_path)), error.message)
"""


def python():
    """Returns a Python that has jsonschema: Debian's package is only for Debian's own."""
    for path in (sys.executable, "/usr/bin/python3"):
        found = subprocess.run([path, "-c", "import jsonschema"], stderr=subprocess.DEVNULL)
        if found.returncode == 0:
            return path
    raise AssertionError("no jsonschema (run ./dev setup)")


PYTHON = python()


def breaches(text):
    """Returns the breaches of the schema, a line for each."""
    return subprocess.run([PYTHON, "-W", "ignore", "-c", VALIDATOR], input=text, text=True,
                          stdout=subprocess.PIPE, check=True).stdout


class Har(harness.Case):
    HEAD = HEAD

    def export(self, source):
        """Runs a script and returns the entries of its HAR, which keeps all rules."""
        result = self.lua(source + "\nexport()", env={"SEPTET_ORIGIN": harness.ORIGIN})
        self.check(result, out=None)
        self.assertEqual(breaches(result.out), "")
        log = json.loads(result.out, parse_float=decimal.Decimal)["log"]
        starts = [entry["startedDateTime"] for entry in log["entries"]]
        self.assertEqual(starts, sorted(starts))
        for entry in log["entries"]:
            self.check_entry(entry)
        return log["entries"]

    def check_entry(self, entry):
        timings = entry["timings"]
        for name in ("send", "wait", "receive"):
            self.assertGreaterEqual(timings[name], 0, entry)
        spent = [timings[name] for name in timings if name != "ssl" and timings[name] != -1]
        self.assertEqual(sum(spent), entry["time"], entry)
        self.assertTrue(all(value >= 0 for value in spent), entry)
        self.assertLessEqual(timings["ssl"], timings["connect"], entry)
        self.assertEqual(entry["cache"], {})
        known = {"startedDateTime", "time", "request", "response", "cache", "timings",
                 "serverIPAddress", "connection"}
        self.assertEqual([k for k in entry if k not in known and not k.startswith("_")], [])

    def test_the_schema_finds_faults(self):
        self.assertIn("startedDateTime", breaches(json.dumps({"log": {
            "version": "1.2", "creator": {"name": "x", "version": "1"}, "entries": [
                {"startedDateTime": "yesterday", "time": 1, "request": {}, "response": {},
                 "cache": {}, "timings": {}}]}})))

    def test_requests_of_all_kinds(self):
        entries = self.export("""
local s = http.session { timeout = { first_byte = 5 } }
s:get(origin .. "/bytes/5?a=b%20c&d")
s:get(origin .. "/bytes/7")                         -- reused
s:post(origin .. "/echo", { body = "hello" })
s:get(origin .. "/redirect/2")
pcall(s.get, s, "http://127.0.0.1:1/refused")
pcall(s.get, s, origin .. "/delay/5", { timeout = { first_byte = 0.05 } })
task.gather(task.map(function(n) return s:get(origin .. "/bytes/" .. n) end, { 1, 2, 3 }))
task.move_on_after(0.05, s.get, s, origin .. "/delay/5")
""")
        self.assertEqual(len(entries), 12)
        first, reused, post = entries[:3]
        self.assertEqual(first["request"]["queryString"],
                         [{"name": "a", "value": "b c"}, {"name": "d", "value": ""}])
        self.assertGreaterEqual(first["timings"]["connect"], 0)
        self.assertEqual(reused["timings"]["connect"], -1)
        self.assertEqual(post["request"]["method"], "POST")
        self.assertEqual([e["response"]["status"] for e in entries[3:6]], [302, 302, 200])
        failed = {e["_error"] for e in entries if e["response"]["status"] == 0}
        self.assertEqual(failed, {"connect", "timeout", "cancelled"})

    def test_the_command_records_headers_and_bodies(self):
        self.write("s.lua", """
local s = require "septet.http".session()
local origin = os.getenv "SEPTET_ORIGIN"
s:get(origin .. "/redirect/1", { headers = { Authorization = "sEcret", Cookie = "a=sEcret" } })
s:post(origin .. "/echo", { body = "hello", headers = { ["Content-Type"] = "text/x" } })
pcall(s.get, s, "http://127.0.0.1:1/")
""")
        self.check(self.septet("--trace=run.har", "--har-bodies", "s.lua",
                               env={"SEPTET_ORIGIN": harness.ORIGIN}))
        with open(os.path.join(self.dir, "run.har")) as file:
            text = file.read()
        self.assertEqual(breaches(text), "")
        self.assertNotIn("sEcret", text)
        entries = json.loads(text, parse_float=decimal.Decimal)["log"]["entries"]
        for entry in entries:
            self.check_entry(entry)
        first, second, post, refused = entries
        names = [header["name"] for header in first["request"]["headers"]]
        self.assertIn("Authorization", names)
        self.assertEqual(first["response"]["statusText"], "Found")
        self.assertEqual(first["response"]["redirectURL"], "/redirect/0")
        self.assertEqual((first["_request"], first["_attempt"]),
                         (second["_request"], second["_attempt"] - 1))
        self.assertEqual(first["connection"], second["connection"])
        self.assertEqual(first["serverIPAddress"], "127.0.0.1")
        self.assertEqual((first["request"]["headersSize"], post["request"]["bodySize"]), (-1, 5))
        self.assertGreater(post["request"]["headersSize"], 50)
        self.assertGreater(post["response"]["headersSize"], 30)
        self.assertEqual(post["request"]["postData"], {"mimeType": "text/x", "text": "hello"})
        self.assertEqual(len(post["response"]["content"]["text"]),
                         post["response"]["content"]["size"])
        self.assertEqual((refused["response"]["status"], refused["_error"]), (0, "connect"))

    def test_the_golden_file_of_a_fixed_trace(self):
        with open(os.path.join(harness.ROOT, "tests", "golden", "har.golden")) as file:
            text = file.read()
        self.assertEqual(breaches(text), "")
        entries = json.loads(text, parse_float=decimal.Decimal)["log"]["entries"]
        for entry in entries:
            self.check_entry(entry)
        self.assertIn(True, [entry.get("_open") for entry in entries])

    def test_nothing_at_all(self):
        self.assertEqual(self.export(""), [])


if __name__ == "__main__":
    unittest.main()
