-- SPDX-License-Identifier: MIT
-- Scripts of test_http_limits.c, which meet the embedder's limits on requests and bodies.
-- check: globals origin
local task, http = require "septet.task", require "septet.http"

local scripts = {}

local function assert_refused(fn, ...)
  local ok, e = pcall(fn, ...)
  assert(not ok and task.is(e, "LimitExceeded"), tostring(e))
  assert(e.limit == "requests" and e.max == 3, tostring(e))
  assert(tostring(e):find("cannot make a request: the %a+ has reached its limit of 3 requests"), e)
end

--- Starts `n` requests that are not answered, of which some wait for the others.
local function stall(session, n)
  local tasks = {}
  for i = 1, n do
    tasks[i] = task.spawn(session.get, session, origin .. "/stall")
  end
  task.sleep(0)
  return tasks
end

local function cancel_all(tasks)
  for _, t in ipairs(tasks) do
    t:cancel()
    pcall(t.await, t)
  end
end

function scripts.requests_are_counted_while_they_last()
  local session <close> = http.session { limit = 2 }
  for _ = 1, 3 do
    local tasks = stall(session, 3)
    assert_refused(session.get, session, origin .. "/bytes/1")
    assert_refused(session.stream, session, "GET", origin .. "/bytes/1")
    cancel_all(tasks)
    assert(session:get(origin .. "/bytes/1").status == 200)
  end
end

function scripts.every_end_gives_a_request_back()
  for _ = 1, 4 do
    local session = http.session()
    local soon = { timeout = { first_byte = 0.01 } }
    assert(not pcall(session.get, session, origin .. "/stall", soon))
    assert(not pcall(session.get, session, "http://127.0.0.1:1/")) -- no connection
    assert(not pcall(session.get, session, "ftp://127.0.0.1/")) -- is never started
    assert(not pcall(session.get, session, origin .. "/reset"))
    assert(session:get(origin .. "/redirect/2").status == 200)
    assert(session:stream("GET", origin .. "/bytes/300000"):read() ~= "")
    do
      local r <close> = session:stream("GET", origin .. "/bytes/30000000")
      assert(#r:read(10) == 10)
    end
    task.timeout(10, function() -- ends with its scope
      session:stream("GET", origin .. "/bytes/30000000"):read(10)
    end)
    local t = task.spawn(pcall, session.get, session, origin .. "/stall")
    task.sleep(0)
    session:close()
    assert(not t:await())
  end
end

local function assert_too_large(fn, ...)
  local ok, e = pcall(fn, ...)
  assert(not ok and task.is(e, "HttpError") and e.code == "body_too_large", tostring(e))
end

function scripts.bodies_are_bounded()
  local session <close> = http.session { max_body = 1 << 30 }
  local path_of_save = os.tmpname()
  for _, path in ipairs { "/bytes/1001", "/gzip?bytes=1001", "/chunked?chunks=1&size=1001" } do
    assert_too_large(session.get, session, origin .. path)
    assert_too_large(function()
      local r <close> = session:stream("GET", origin .. path)
      r:read()
    end)
    assert_too_large(session.save, session, origin .. path, path_of_save)
  end
  os.remove(path_of_save)
  assert(#session:get(origin .. "/gzip?bytes=1000").body == 1000)
  assert_too_large(session.get, session, origin .. "/bytes/11", { max_body = 10 })
end

function scripts.a_body_of_1001_bytes()
  assert(#http.get(origin .. "/bytes/1001").body == 1001)
end

function scripts.three_requests_at_once()
  local session <close> = http.session()
  cancel_all(stall(session, 3))
end

return scripts
