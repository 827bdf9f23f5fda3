-- SPDX-License-Identifier: MIT
-- Scripts of test_turns.c. `received` returns the bytes of bodies that their session has got.
-- check: globals origin
local task, http = require "septet.task", require "septet.http"

local scripts = {}
local PACKED, PATTERN = 20000000, ("0123456789abcdef"):rep(4096)
local session

function _G.received()
  return session and session:stats().bytes_received or 0
end

local function assert_body(body, len)
  assert(#body == len, #body)
  for at = 1, len, #PATTERN do
    local piece = body:sub(at, at + #PATTERN - 1)
    assert(piece == PATTERN:sub(1, #piece))
  end
end

--- Calls fn in a session that `received` knows.
local function with_session(fn, options)
  session = http.session(options)
  fn(session)
  if session then session:close() end
  session = nil
end

function scripts.bodies_at_once()
  with_session(function(s)
    local bodies = task.gather(task.map(function()
      return s:get(origin .. "/bytes/1048576").body
    end, { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 }))
    for _, body in ipairs(bodies) do assert_body(body, 1048576) end
    assert(#bodies == 16)
  end, { limit_per_host = 16 })
end

function scripts.a_packed_body()
  with_session(function(s)
    assert_body(s:get(origin .. "/gzip?bytes=" .. PACKED).body, PACKED)
  end)
end

--- Counts how much another task sees of a body that is decoded.
function scripts.a_packed_body_beside_a_task()
  with_session(function(s)
    local seen, last = 0, 0
    local ticker = task.spawn(function()
      repeat
        task.sleep(0)
        local now = _G.received()
        if now ~= last then seen, last = seen + 1, now end
      until now >= PACKED
    end)
    assert_body(s:get(origin .. "/gzip?bytes=" .. PACKED).body, PACKED)
    ticker:cancel()
    assert(seen > 200, seen)
  end)
end

local function reach_the_middle()
  while _G.received() == 0 do task.sleep(0) end
  assert(_G.received() < PACKED)
end

function scripts.a_packed_body_is_cancelled()
  with_session(function(s)
    local getter = task.spawn(s.get, s, origin .. "/gzip?bytes=" .. PACKED)
    reach_the_middle()
    getter:cancel()
    assert(not pcall(getter.await, getter))
    assert(s:stats().active == 0)
    assert(s:get(origin .. "/bytes/3").body == "012")
  end)
end

function scripts.a_session_is_closed_under_a_packed_body()
  with_session(function(s)
    local getter = task.spawn(pcall, s.get, s, origin .. "/gzip?bytes=" .. PACKED)
    reach_the_middle()
    s:close()
    session = nil
    local ok, e = getter:await()
    assert(not ok and e.code == "closed", tostring(e))
  end)
end

function scripts.a_packed_body_is_streamed()
  with_session(function(s)
    local r <close> = s:stream("GET", origin .. "/gzip?bytes=" .. PACKED)
    local parts = {}
    for piece in r:chunks() do parts[#parts + 1] = piece end
    assert_body(table.concat(parts), PACKED)
  end)
end

function scripts.a_packed_body_is_saved()
  with_session(function(s)
    local path = os.tmpname()
    local saved = s:save(origin .. "/gzip?bytes=" .. PACKED, path,
      { headers = { ["Accept-Encoding"] = "gzip" } })
    assert(saved.bytes == PACKED, saved.bytes)
    os.remove(path)
  end)
end

--- A TLS library may hold bytes of which the socket knows nothing.
function scripts.bodies_over_tls()
  with_session(function(s)
    local bodies = task.gather(task.map(function(path)
      return s:get(os.getenv "SEPTET_TLS_ORIGIN" .. path).body
    end, { "/bytes/300001", "/gzip?bytes=3000001", "/bytes/300001" }))
    assert_body(bodies[1], 300001)
    assert_body(bodies[2], 3000001)
    assert_body(bodies[3], 300001)
  end, { tls = { ca_file = os.getenv "SEPTET_TLS" .. "/ca.pem" } })
end

return scripts
