-- SPDX-License-Identifier: MIT
-- The peer of peers.py in cqueues and lua-http: `lua5.3 tasks.lua WORK N [URL TASKS [CA_FILE]]`
-- does the work N times, and prints the work, N, the CPU and the time in seconds, and the peak of
-- the resident bytes.
local cqueues = require "cqueues"
local condition = require "cqueues.condition"
local promise = require "cqueues.promise"

local LIST = 1000 -- promises that are waited for together
local work, n, url, tasks, ca_file = ...
n, tasks = math.tointeger(tonumber(n)), math.tointeger(tonumber(tasks or 64))

local function nothing() end

local works = {}

function works.start() end

function works.spawn_await()
  for _ = 1, n do promise.new(nothing):get() end
end

function works.spawn_gather()
  local list = {}
  for _ = 1, n // LIST do
    for i = 1, LIST do list[i] = promise.new(nothing) end
    for i = 1, LIST do list[i]:get() end
  end
end

-- Runs fn(...) in `count` coroutines and waits for all.
local function together(count, fn, ...)
  local list = {}
  for i = 1, count do list[i] = promise.new(fn, ...) end
  for i = 1, count do list[i]:get() end
end

local function take_turns(count)
  together(count, function()
    for _ = 1, n // count do cqueues.sleep(0) end
  end)
end

function works.yield_2() take_turns(2) end
function works.yield_50() take_turns(50) end

function works.hand_off()
  local changed, full, item = condition.new(), false, nil
  local sent = promise.new(function()
    for i = 1, n do
      while full do changed:wait() end
      full, item = true, i
      changed:signal()
    end
  end)
  local sum = 0
  for _ = 1, n do
    while not full do changed:wait() end
    sum, full = sum + item, false
    changed:signal()
  end
  sent:get()
  assert(sum == n * (n + 1) // 2, "an item was lost")
end

function works.sleeps()
  together(n, cqueues.sleep, 1)
end

local function fetch(connection, version)
  local headers = require "http.headers"
  local scheme, authority, path = url:match("^(%w+)://([^/]*)(.*)$")
  for _ = 1, n // tasks do
    local request = headers.new()
    request:append(":method", "GET")
    request:append(":scheme", scheme)
    request:append(":authority", authority)
    request:append(":path", path)
    request:append("user-agent", "lua-http")
    local stream = connection:new_stream()
    assert(stream:write_headers(request, true))
    local response = assert(stream:get_headers())
    local body = assert(stream:get_body_as_string())
    assert(response:get(":status") == "200" and #body == 1024, "not as expected")
    assert(connection.version == version)
    stream:shutdown()
  end
end

-- A connection for each task, or one of HTTP/2 for all.
local function get(version)
  local client = require "http.client"
  local host, port = url:match("//(.-):(%d+)")
  local ctx
  if ca_file then
    ctx = require "http.tls".new_client_context()
    local store = require "openssl.x509.store".new()
    store:add(ca_file)
    ctx:setStore(store)
  end
  local function connect()
    return assert(client.connect {
      host = host, port = tonumber(port), tls = ca_file and true or false, ctx = ctx,
      version = version,
    })
  end
  local shared = version == 2 and connect()
  together(tasks, function() fetch(shared or connect(), version) end)
end

function works.get() get(1.1) end
works.get_h1 = works.get
function works.get_h2() get(2) end

local function peak()
  local file = assert(io.open("/proc/self/status"))
  local status = file:read("a")
  file:close()
  return tonumber(status:match("VmHWM:%s*(%d+)")) * 1024
end

local loop = cqueues.new()
loop:wrap(function()
  local c0, t0 = os.clock(), cqueues.monotime()
  works[work]()
  print(work, n, os.clock() - c0, cqueues.monotime() - t0, peak())
end)
assert(loop:loop())
