-- SPDX-License-Identifier: MIT
-- The script of fuzz_dns: one request for a fresh name, with the DNS server at a port.
local http, task = require "septet.http", require "septet.task"
local planted = ...

local n = 0

return function(port)
  n = n + 1
  local session <close> = http.session {
    resolver = "127.0.0.1:" .. port, allow = { "127.0.0.1", "::1" },
    timeout = { total = 0.06, connect = 0.03, first_byte = 0.02, idle = 0.02 },
  }
  local ok, err = pcall(session.get, session, ("http://n%d.test:1/"):format(n))
  assert(not ok, "nothing listens at port 1")
  assert(task.is(err, "HttpError"), err)
  local expected = { dns = true, connect = true, timeout = true, denied = not planted }
  assert(expected[err.code], err.code)
end
