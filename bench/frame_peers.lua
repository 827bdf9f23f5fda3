-- SPDX-License-Identifier: MIT
-- The peers of frame.c: the same tasks as plain Lua coroutines with a scheduler written by hand.
--
--     lua5.4 bench/frame_peers.lua FRAMES BUDGET_US PERIOD_US [HOST PORT]
--
-- Without HOST there is no I/O: the tasks that would fetch are left out. With HOST, luv (lua-luv)
-- fetches over sockets, by a minimal client that keeps connections and decodes nothing. Prints a
-- line like that of frame.c.
local frames, budget, period = tonumber(arg[1]), arg[2] / 1e6, arg[3] / 1e6
local host, port = arg[4], tonumber(arg[5])
local uv = host and require "luv"

local COMPUTING, FETCHING, MOVING = 100, 100, 799
local SLICE = 50e-6
local BODIES = { "body", "body", "body", "big", "text.gz" }

math.randomseed(1)
local clock = os.clock
local requests, received, longest = 0, 0, 0

-- The time of the frames: os.clock() is the CPU's, and stands still while luv sleeps.
local now = uv and function()
  return uv.hrtime() / 1e9
end or clock

-- --- the scheduler: a list of ready coroutines, and a heap of sleeping ones ---

local ready, first, last = {}, 1, 0
local heap, size = {}, 0

local function make_ready(co)
  last = last + 1
  ready[last] = co
end

local function push_sleeper(at, co)
  size = size + 1
  local i = size
  while i > 1 and heap[i // 2].at > at do
    heap[i] = heap[i // 2]
    i = i // 2
  end
  heap[i] = { at = at, co = co }
end

local function pop_sleeper()
  local top, moved = heap[1], heap[size]
  heap[size] = nil
  size = size - 1
  local i = 1
  while 2 * i <= size do
    local child = 2 * i
    if child < size and heap[child + 1].at < heap[child].at then
      child = child + 1
    end
    if heap[child].at >= moved.at then
      break
    end
    heap[i] = heap[child]
    i = child
  end
  if size > 0 then
    heap[i] = moved
  end
  return top.co
end

local function sleep(seconds)
  push_sleeper(now() + seconds, coroutine.running())
  coroutine.yield()
end

local function step()
  local t0 = clock()
  if uv then
    uv.run "nowait"
  end
  local at = now()
  while size > 0 and heap[1].at <= at do
    make_ready(pop_sleeper())
  end
  local t = clock()
  while first <= last do
    local co = ready[first]
    ready[first] = nil
    first = first + 1
    assert(coroutine.resume(co))
    local t1 = clock()
    longest = math.max(longest, t1 - t)
    t = t1
    if t - t0 >= budget then
      break
    end
  end
end

-- --- the tasks ---

local function compute()
  while true do
    local deadline = clock() + SLICE
    while clock() < deadline do
    end
    sleep(0.01 + 0.02 * math.random())
  end
end

local function move(i)
  local x = i
  while true do
    local moved = { x = x, by = math.random() }
    x = moved.x + moved.by
    sleep(0.016)
  end
end

local function connect(co)
  local socket = uv.new_tcp()
  socket:connect(host, port, function(err)
    assert(not err, err)
    make_ready(co)
  end)
  coroutine.yield()
  return socket
end

-- Gathers a response's pieces until its body is complete, and then wakes the task.
local function receive(socket, co)
  local pieces, head, left, body = {}, "", nil, nil
  socket:read_start(function(err, piece)
    assert(not err and piece, err)
    if not left then
      head = head .. piece
      local _, stop = head:find("\r\n\r\n", 1, true)
      if not stop then
        return
      end
      assert(head:find "^HTTP/1.1 200")
      left = tonumber(head:match "Content%-Length: (%d+)")
      piece = head:sub(stop + 1)
    end
    pieces[#pieces + 1] = piece
    left = left - #piece
    if left <= 0 then
      socket:read_stop()
      body = table.concat(pieces)
      make_ready(co)
    end
  end)
  coroutine.yield()
  return body
end

local function fetch()
  local co = coroutine.running()
  local socket = connect(co)
  while true do
    socket:write(("GET /%s HTTP/1.1\r\nHost: %s\r\nAccept-Encoding: gzip\r\n\r\n"):format(
      BODIES[math.random(#BODIES)], host))
    local body = receive(socket, co) -- waits, so that `received` is read after it
    received = received + #body
    requests = requests + 1
  end
end

local function spawn(n, fn)
  for i = 1, n do
    local co = coroutine.create(function()
      fn(i)
    end)
    make_ready(co)
  end
end

spawn(COMPUTING, compute)
if uv then
  spawn(FETCHING, fetch)
end
spawn(MOVING, move)

-- --- the frames ---

local costs, next_frame = {}, now()
for i = 1, frames do
  local t0 = clock()
  step()
  costs[i] = (clock() - t0) * 1e6
  next_frame = next_frame + period
  if uv then
    uv.sleep(math.max(0, math.floor((next_frame - now()) * 1000)))
  end
  while now() < next_frame do
  end
end
table.sort(costs)

local function at(part)
  return costs[math.min(frames, math.floor(frames * part) + 1)]
end

print(("frames %d p50 %.1f p99 %.1f p99.9 %.1f max %.1f turn %.1f collector 0.0 us tasks %d"
  .. " requests %d mib %d"):format(frames, at(0.5), at(0.99), at(0.999), at(1), longest * 1e6,
  COMPUTING + MOVING + (uv and FETCHING or 0), requests, received // (1 << 20)))
