# SPDX-License-Identifier: MIT
# peers: tls
"""Proxies of the environment are ignored unless the script asks for them. CAs are read from the
disk once."""

import json
import os
import unittest

import harness

ORIGIN = harness.ORIGIN
LOG = os.environ["SEPTET_ORIGIN_LOG"]
DEAD = "http://127.0.0.1:1"
PROXIES = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")

SCRIPT = """
local http = require "septet.http"
local session <close> = http.session { proxy = PROXY }
local ok, r = pcall(session.get, session, arg[1])
print(ok, ok and r.status or r.code, ok and r.body or r.reason)
"""

REUSED = """
local http = require "septet.http"
local session <close> = http.session { deny = "private" }
session:get("http://a.invalid/bytes/1", { proxy = arg[1] })
print(session:stats().connections)
local ok, err = pcall(session.get, session, "http://a.invalid/bytes/1", { proxy = "environment" })
print(err.code, err.reason, "connections: " .. session:stats().connections_made)
"""


class Environment(harness.Case):
    def get(self, proxy, env, path="/bytes/2", base=ORIGIN):
        script = self.write("s.lua", SCRIPT.replace("PROXY", proxy))
        clean = {name: "" for name in PROXIES + ("no_proxy", "NO_PROXY")}
        return self.septet(script, base + path, env={**clean, **env})

    def works(self, *how):
        self.check(self.get(*how), 0, "true\t200\t01\n")

    def goes_to_the_dead_proxy(self, *how):
        self.check(self.get(*how), 0, "false\tconnect\trefused\n")

    def test_http_37_the_environment_is_ignored(self):
        """http.37 the environment is ignored"""
        self.works("nil", {name: DEAD for name in PROXIES})

    def test_http_37_the_environment_counts_where_the_script_asks(self):
        """http.37 the environment is used if the script asks for it"""
        self.goes_to_the_dead_proxy('"environment"', {"http_proxy": DEAD})
        self.goes_to_the_dead_proxy('"environment"', {"all_proxy": DEAD})
        self.works('"environment"', {"https_proxy": DEAD})
        # A CGI script gets HTTP_PROXY from a header of its client.
        self.works('"environment"', {"HTTP_PROXY": DEAD})

    def test_h_9_no_password_of_a_proxy_that_the_environment_names_is_shown(self):
        """H-9: no password of a proxy that the environment names is shown"""
        script = self.write("s.lua", """
            local http = require "septet.http"
            local ok, err = pcall(http.get, "http://example.test/", { proxy = "environment" })
            for name, value in pairs(err) do print(name, value) end
            http.get("http://example.test/", { proxy = "environment" })
        """)
        for proxy in (
            "http://bob:hunter2@x@127.0.0.1:1", "http://bob:hunter2#x@127.0.0.1:1", "bob:hunter2",
            "http://bob:hunter2@127.0.0.1:99999", "foo://bob:hunter2@127.0.0.1:1",
            "http://bob:hunter2@", "http://bob:hunter2@127.0.0.1:1",
            "socks5://bob:hunter2@127.0.0.1:1", "http://bob:hunter2/@h:1",
        ):
            with self.subTest(proxy=proxy):
                done = self.septet("--trace", script, env={"http_proxy": proxy})
                self.assertNotIn("hunter2", done.out + done.err)
                self.assertIn("HttpError", done.out)
                self.assertEqual(done.status, 1)

    def test_http_37_no_proxy_exempts_hosts(self):
        """http.37 no_proxy exempts hosts"""
        for exempt in ("127.0.0.1", "example.invalid,127.0.0.1", "*", "127.0.0.0/8"):
            self.works('"environment"', {"http_proxy": DEAD, "no_proxy": exempt})
        for other in ("127.0.0.2", "localhost"):
            self.goes_to_the_dead_proxy('"environment"', {"http_proxy": DEAD, "no_proxy": other})

    def test_http_37_no_proxy_does_not_touch_a_proxy_of_the_scripts(self):
        """http.37 no_proxy does not touch a proxy of the script's"""
        self.goes_to_the_dead_proxy(f'"{DEAD}"', {"http_proxy": ORIGIN})
        for name in ("no_proxy", "NO_PROXY"):
            self.goes_to_the_dead_proxy(f'"{DEAD}"', {name: "*"})

    def test_rules_for_addresses_hold_where_the_environment_may_name_a_proxy(self):
        """Denies a name's address. An address in the URL would be denied by itself."""
        denied = (
            '"environment", deny = "private", resolve = { ["a.invalid:%s"] = "127.0.0.1" }'
            % ORIGIN.split(":")[2]
        )
        url = ORIGIN.replace("127.0.0.1", "a.invalid")
        for environment in (
            {}, {"http_proxy": DEAD, "no_proxy": "a.invalid"}, {"http_proxy": DEAD},
        ):
            self.check(self.get(denied, environment, base=url), 0, "false\tdenied\taddress\n")

    def test_rules_for_addresses_hold_for_a_connection_that_is_open(self):
        """Opens the connection to a proxy that the script named, to which no rule applies."""
        result = self.septet(
            self.write("s.lua", REUSED), ORIGIN, env={"http_proxy": ORIGIN, "no_proxy": ""}
        )
        self.check(result, 0, "1\ndenied\taddress\tconnections: 1\n")

    def test_fault_37_what_goes_to_a_dead_proxy_goes_nowhere_else(self):
        """fault.37 a request to a dead proxy goes nowhere else"""
        self.goes_to_the_dead_proxy('"environment"', {"http_proxy": DEAD}, "/bytes/2?dead")
        with open(LOG) as log:
            events = [json.loads(line) for line in log]
        self.assertEqual([event for event in events if event.get("query") == "dead"], [])


HANDSHAKES = """
local http, task = require "septet.http", require "septet.task"
local session <close> = http.session { tls = { ca_file = arg[2] }, limit_per_host = 8 }
for _ = 1, 3 do
  local list = {}
  for i = 1, 8 do
    list[i] = function()
      return session:get(arg[1] .. "/bytes/2", { headers = { Connection = "close" } }).status
    end
  end
  for _, status in ipairs(task.gather(list)) do assert(status == 200) end
end
"""


class Files(harness.Case):
    def test_http_36_the_cas_are_read_once_for_all_connections(self):
        """http.36 the CAs are read once for all connections"""
        ca = os.path.join(os.environ["SEPTET_TLS"], "ca.pem")
        script = self.write("s.lua", HANDSHAKES)
        result, lines = self.strace(
            script, os.environ["SEPTET_TLS_ORIGIN"], ca, options=("-e", "trace=openat,open")
        )
        self.check(result)
        opens = [line for line in lines if ca in line]
        # The file is opened once to check it, and once to read it.
        self.assertEqual(len(opens), 2, "\n".join(opens))


if __name__ == "__main__":
    unittest.main()
