-- SPDX-License-Identifier: MIT
-- Tests a script's own code against a server that misbehaves, on a virtual clock that waits for
-- nothing: septet --virtual-time client_test.lua
local task, http, testing = require "septet.task", require "septet.http", require "septet.testing"

local function price(session, address) -- the code that is tested
  return session:get(address .. "/price"):raise_for_status():json().price
end

local function with(handler, fn)
  local server <close> = testing.serve(handler)
  local session <close> = http.session { retries = 2, timeout = 10 }
  return fn(session, server)
end

with(function() return { json = { price = 42 } } end, function(session, server)
  assert(price(session, server.url) == 42)
  assert(server.requests[1].target == "/price")
end)

local tries = 0
with(function()
  tries = tries + 1
  if tries < 3 then return { status = 503 } end
  return { json = { price = 7 } }
end, function(session, server)
  assert(price(session, server.url) == 7 and tries == 3)
end)

with(function() task.sleep(60) end, function(session, server)
  local ok, err = task.pcall(price, session, server.url)
  assert(not ok and err.code == "timeout")
end)
print "3 tests passed"
