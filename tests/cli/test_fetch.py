# SPDX-License-Identifier: MIT
"""scripts/fetch.lua: its output and its exit status."""

import json
import os
import pty
import subprocess
import unittest

import harness

FETCH = os.path.join(harness.ROOT, "scripts", "fetch.lua")
ORIGIN = harness.ORIGIN
REFUSED = "http://127.0.0.1:1/"


class Fetch(harness.Case):
    def fetch(self, *args, **more):
        return self.septet(FETCH, *args, **more)

    def results(self, result):
        return {r["url"]: r for r in map(json.loads, result.out.splitlines())}

    def on_terminal(self, *args, stdout=None):
        """Returns what a terminal shows and the exit status. `stdout` is a file instead of the
        terminal."""
        master, slave = pty.openpty()
        process = subprocess.Popen(
            [harness.SEPTET, FETCH, *args], cwd=self.dir, env=harness.environment({}),
            stdin=subprocess.DEVNULL, stdout=slave if stdout is None else stdout, stderr=slave,
        )
        self.addCleanup(process.kill)
        os.close(slave)
        shown = b""
        try:
            while data := os.read(master, 65536):
                shown += data
        except OSError:  # EIO: it has ended
            pass
        os.close(master)
        return shown.decode().replace("\r\n", "\n"), process.wait()

    def test_h_22_a_byte_order_mark_before_the_first_url_is_passed_over(self):
        """H-22: a byte order mark before the first URL is skipped"""
        text = f"\ufeff{ORIGIN}/bytes/1\n{ORIGIN}/bytes/2\n"
        for arguments, given in (
            (("--file", self.write("urls", text)), ""),
            (("--file", "-"), text),
            ((), text),
        ):
            done = self.fetch("--json", *arguments, stdin=given)
            self.assertEqual(done.status, 0, done)
            self.assertEqual(sorted(self.results(done)), [f"{ORIGIN}/bytes/1", f"{ORIGIN}/bytes/2"])
        commented = self.write("urls", f"\ufeff# one\n{ORIGIN}/bytes/1\n")
        self.assertEqual(
            list(self.results(self.fetch("--json", "--file", commented))), [f"{ORIGIN}/bytes/1"]
        )

    def test_progress_on_a_terminal(self):
        path = self.write("urls", f"{ORIGIN}/delay/0.7\n{ORIGIN}/status/404\n{REFUSED}\n")
        with open(os.path.join(self.dir, "results"), "w+") as results:
            shown, status = self.on_terminal(
                "--json", "--retries=0", "--file", path, stdout=results
            )
            results.seek(0)
            self.assertEqual(len([json.loads(line) for line in results]), 3)
        self.assertEqual(status, 1)
        self.assertRegex(
            shown, r"\r\x1b\[K2 of 3 done, 2 failed, \d+ a second, 0:\d\d left\r\r\x1b\[K"
        )
        self.assertRegex(shown, r"left\r\r\x1b\[K3 done, 2 failed, .*\nseconds: 50 % .*\n$")

    def test_results_between_progress_on_a_terminal(self):
        shown, status = self.on_terminal("--limit=1", f"{ORIGIN}/delay/0.5", f"{ORIGIN}/bytes/1")
        self.assertEqual(status, 0, shown)
        self.assertRegex(
            shown,
            r"second\r\r\x1b\[K200 +\d+ B +[\d.]+ s  \S+/delay/0.5\n"
            r"(?:\r\x1b\[K\d.*\r\r\x1b\[K)?200 +1 B .*/bytes/1\n",
        )

    def test_a_line_of_json_for_each_url(self):
        urls = [f"{ORIGIN}/bytes/{n}" for n in range(200)]
        done = self.fetch("--json", "--limit=20", *urls)
        self.assertEqual(done.status, 0, done)
        results = self.results(done)
        self.assertEqual(sorted(results), sorted(urls))
        for n, url in enumerate(urls):
            self.assertEqual((results[url]["status"], results[url]["bytes"]), (200, n))
            self.assertGreater(results[url]["seconds"], 0)
        self.assertRegex(
            done.err, r"^200 done, 0 failed, 0\.0 MB in .*\nseconds: 50 % within [\d.]+, 90 % .*\n$"
        )

    def test_what_fails_is_told_and_counts(self):
        done = self.fetch(
            "--json", "--retries", "0", ORIGIN + "/status/404", REFUSED, ORIGIN + "/bytes/1",
            "no URL",
        )
        self.assertEqual(done.status, 1)
        results = self.results(done)
        self.assertEqual(results[ORIGIN + "/status/404"]["status"], 404)
        self.assertEqual(
            (results[REFUSED]["code"], results[REFUSED]["phase"]), ("connect", "connect")
        )
        self.assertNotIn("status", results[REFUSED])
        self.assertEqual(results["no URL"]["code"], "url")
        self.assertRegex(done.err, "^4 done, 3 failed")

    def test_urls_come_from_a_file_or_standard_input(self):
        lines = f"{ORIGIN}/bytes/1\n\n# {ORIGIN}/bytes/2\n  {ORIGIN}/bytes/3  \n"
        path = self.write("urls", lines)
        for done in (
            self.fetch("--file", path), self.fetch(stdin=lines),
            self.fetch("--file=-", stdin=lines),
        ):
            self.assertEqual(done.status, 0, done)
            self.assertEqual(
                sorted(line.split()[0] + " " + line.split()[-1] for line in done.out.splitlines()),
                [f"200 {ORIGIN}/bytes/1", f"200 {ORIGIN}/bytes/3"],
            )
        self.assertEqual(self.fetch().err.split(",")[0], "0 done")

    def test_retries_and_time_limits(self):
        done = self.fetch("--json", "--retries", "1", ORIGIN + "/fail/1?key=fetch")
        self.assertEqual(json.loads(done.out)["attempts"], 2, done)
        done = self.fetch("--json", "--timeout", "0.05", ORIGIN + "/stall")
        self.assertEqual((done.status, json.loads(done.out)["code"]), (1, "timeout"), done)

    def test_bad_usage(self):
        self.assertRegex(self.fetch("--help").out, "^usage: ")
        for args, why in (
            (["--limti", "3"], "unknown option '--limti'"),
            (["--limit"], "--limit needs a value"),
            (["--limit", "x"], "a whole number, not negative, expected, got 'x'"),
            (["--rate", "10", "u"], "bad rate '10'"),
            (["--file", "/nope"], "cannot open '/nope'"),
        ):
            done = self.fetch(*args)
            self.check(done, 2, err=None)
            self.assertRegex(done.err, "^fetch.lua: .*" + why)


if __name__ == "__main__":
    unittest.main()
