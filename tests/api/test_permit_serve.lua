-- SPDX-License-Identifier: MIT
-- Scripts of test_permit_serve.c, with the functions of permit_fixture.h.
local task, http, testing = require "septet.task", require "septet.http", require "septet.testing"
local asked, assert_asked, deny = _G.asked, _G.assert_asked, _G.deny

local scripts = {}

local function assert_denied(fn, ...)
  local ok, e = pcall(fn, ...)
  assert(not ok and task.is(e, "IoError") and e.code == "denied", tostring(e))
end

function scripts.a_server_is_asked_about_by_its_address()
  local server <close> = testing.serve(function() return "ok" end)
  assert_asked "listen 127.0.0.1:0"
  local session <close> = http.session()
  assert(session:get(server.url).body == "ok")
  local here = "connect 127.0.0.1:" .. server.port
  assert_asked(here, here)
end

function scripts.a_server_that_is_denied_does_not_listen()
  deny "listen"
  assert_denied(testing.serve, print)
  assert_asked "listen 127.0.0.1:0"
  assert_denied(testing.serve, print, { host = "localhost", port = 1 })
  assert_asked "listen 127.0.0.1:1"
  assert_denied(testing.serve, print, { host = "::1" })
  assert_denied(testing.serve, print, { host = "0.0.0.0" })
  asked()
  assert_denied(testing.serve, print, { path = "/nowhere/socket" })
  assert_asked "listen unix:/nowhere/socket"
end

function scripts.an_event_stream_that_is_denied_is_not_tried_again()
  local server <close> = testing.serve(function() return { events = { "a" } } end)
  asked()
  local session <close> = http.session()
  local events = session:events(server.url, { retry = 0 })
  assert(events().data == "a")
  asked()
  deny "connect"
  local ok, e = pcall(events)
  assert(not ok and e.code == "denied" and e.reason == "permit", tostring(e))
  assert(events() == nil)
  assert(#server.requests == 1)
end

-- Of the standard profile, without a permission.
function scripts.the_standard_profile_serves_nothing()
  assert_denied(testing.serve, print)
  assert_denied(testing.serve, print, { path = "/nowhere/socket" })
end

return scripts
