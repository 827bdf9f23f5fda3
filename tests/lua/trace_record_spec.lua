-- SPDX-License-Identifier: MIT
-- Recordings of the trace: what they miss, and what they refuse. The decoder on damaged bytes.
-- check: allow blocks
local task, trace = require "septet.task", require "septet.trace"
local origin = require "origin"

local decode = debug.getregistry()["septet.modules"]["septet.trace.decode"]

local RING = 65536 -- records

-- Returns a path where there is no file, and one that removes it when it is closed.
local function new_path()
  local path = os.tmpname()
  os.remove(path)
  return path, setmetatable({}, { __close = function() os.remove(path) end })
end

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

-- Returns the number of events of each kind in a recording, and of the lost ones.
local function count(bytes)
  local counts, lost = {}, 0
  local _, at = assert(decode.head(bytes))
  while at <= #bytes do
    at = assert(decode.block(bytes, at, function(event)
      counts[event.kind] = (counts[event.kind] or 0) + 1
      if event.kind == "lost" then lost = lost + event.count end
    end))
  end
  return counts, lost
end

local function marks(n)
  for i = 1, n do trace.mark("a mark", i) end
end

describe("recordings", function()
  it("a turn may have any number of records", function()
    local path <const>, _ <close> = new_path()
    local recording = trace.record(path)
    marks(3 * RING + 5)
    recording:close()
    local counts, lost = count(read(path))
    equal({ counts.mark, lost }, { 3 * RING + 5, 0 })
  end)

  it("several at once miss nothing, whenever each begins", function()
    local paths, recordings, before = {}, {}, {}
    local _ <close> = setmetatable({}, { __close = function()
      for _, path in ipairs(paths) do os.remove(path) end
    end })
    local made = 0
    for i = 1, 4 do
      paths[i] = new_path()
      before[i] = made
      recordings[i] = trace.record(paths[i], { level = i < 4 and i or 1 })
      marks(RING // 2 - 3)
      made = made + RING // 2 - 3
    end
    marks(RING)
    made = made + RING
    for i = 1, 4 do
      recordings[i]:close()
      local counts, lost = count(read(paths[i]))
      equal({ counts.mark, lost }, { made - before[i], 0 })
    end
  end)

  it("long texts of one turn are all there", function()
    local path <const>, _ <close> = new_path()
    local recording = trace.record(path)
    local name, seen = ("x"):rep(250), 0
    for i = 1, 20000 do trace.mark(name .. i) end -- more than the texts' ring holds
    recording:close()
    local bytes = read(path)
    local _, at = decode.head(bytes)
    while at <= #bytes do
      at = assert(decode.block(bytes, at, function(event)
        if event.kind == "mark" then
          seen = seen + 1
          equal(event.name, name .. seen)
        end
      end))
    end
    equal(seen, 20000)
  end)

  it("goes on although nobody holds it, and ends with the task's block that does", function()
    local path <const>, _ <close> = new_path()
    local t = task.spawn(function()
      local _ <close> = trace.record(path)
      task.sleep(math.huge)
    end)
    turns(1)
    collectgarbage()
    marks(3)
    t:cancel()
    task.wait { t }
    marks(1)
    equal(count(read(path)).mark, 3)
  end)

  it("can be read by its user alone", function()
    local path <const>, _ <close> = new_path()
    trace.record(path):close()
    local pipe <close> = io.popen("stat -c %a " .. path)
    equal(pipe:read "n", 600)
  end)

  it("replaces what was in the file", function()
    local path <const>, _ <close> = new_path()
    for _ = 1, 2 do
      local recording = trace.record(path)
      marks(100)
      recording:close()
    end
    equal(count(read(path)).mark, 100)
  end)

  it("one file has one recording", function()
    local path <const>, _ <close> = new_path()
    local recording = trace.record(path)
    marks(2)
    raises_error({ kind = "IoError", code = "EBUSY", path = path }, trace.record, path)
    marks(2)
    recording:close()
    equal(count(read(path)).mark, 4)
    trace.record(path):close()
  end)

  it("what is no file is refused", function()
    local path <const>, _ <close> = new_path()
    raises_error({ kind = "IoError", code = "EISDIR" }, trace.record, "/tmp")
    raises_error({ kind = "IoError", code = "ENOSPC" }, trace.record, "/dev/full")
    assert(os.execute("mkfifo " .. path))
    raises_error({ kind = "IoError", code = "ENXIO" }, trace.record, path)
    local _ <close> = io.open(path, "r+") -- a pipe that somebody reads
    raises_error({ kind = "IoError", code = "EINVAL" }, trace.record, path)
    misuse("a NUL in the path", function() trace.record(path .. "\0") end)
    misuse("string expected, got nil", function() trace.record() end)
    misuse("bad option 'level' to 'record'", function() trace.record(path, { level = 0 }) end)
  end)

  it("says so if its file was removed", function()
    local path <const>, _ <close> = new_path()
    local recording = trace.record(path)
    os.remove(path)
    marks(1)
    raises_error({ kind = "IoError", code = "ENOENT", path = path }, recording.close, recording)
    recording:close() -- it is closed
  end)

  it("the level may change while tasks wait", function()
    local path <const>, _ <close> = new_path()
    local recording = trace.record(path)
    local t = task.spawn(function()
      task.sleep(0.001)
      task.sleep(0.002)
    end)
    turns(1)
    local stop = trace.subscribe(function() end, { level = 3 })
    t:await()
    stop()
    local t2 = task.spawn(task.sleep, 0.003)
    t2:await()
    recording:close()
    local whats, bytes = {}, read(path)
    local _, at = decode.head(bytes)
    while at <= #bytes do
      at = assert(decode.block(bytes, at, function(event)
        if event.kind == "wait" and (event.task == t.id or event.task == t2.id) then
          whats[#whats + 1] = event.what
        end
      end))
    end
    equal(whats, { "sleep", "sleep 0.002 s", "sleep" })
  end)

  it("finalizers make records while a subscriber reads, and may end it", function()
    local stop, seen, others = nil, 0, 0
    stop = trace.subscribe(function()
      seen = seen + 1
      for _ = 1, 20 do
        setmetatable({}, { __gc = function()
          trace.mark "finalized"
          if seen > 2 then stop() end
        end })
      end
      collectgarbage()
    end)
    local stop_other = trace.subscribe(function(event)
      if event.name == "finalized" then others = others + 1 end
    end)
    marks(5)
    origin.eventually(function() return others >= 40 end)
    stop_other()
    equal(seen, 3)
  end)

  it("a subscriber that makes records does not hold up the host", function()
    local seen, last = 0, nil
    local stop = trace.subscribe(function(event)
      if event.kind == "mark" then
        seen, last = seen + 1, event.value
        trace.mark("again", event.value + 1)
      end
    end)
    trace.mark("first", 1)
    origin.eventually(function() return seen >= 3 end)
    stop()
    equal(last, seen)
  end)
end)

-- --- the decoder ---

local function sample()
  local path <const>, _ <close> = new_path()
  local recording = trace.record(path, { level = 3 })
  local session <close> = require "septet.http".session()
  for i = 1, 3 do
    local t = task.spawn(function()
      session:get(origin.url .. "/bytes/" .. i)
      trace.span("a span", task.sleep, 0)
      trace.count("a counter", i)
    end)
    t.name = "a name"
    t:await()
    pcall(session.get, session, origin.refused)
    marks(20)
    task.sleep(0.001)
  end
  recording:close()
  return read(path)
end

-- Decodes as much as there is. Returns the number of events, and of the bytes that were decoded.
local function decode_all(bytes)
  local events = 0
  local meta, at = decode.head(bytes)
  if not meta then return 0, 0 end
  while at <= #bytes do
    local following, problem = decode.block(bytes, at, function(event)
      events = events + 1
      assert(type(event.kind) == "string" and type(event.task) == "number")
    end)
    if not following then
      assert(problem == "cut off" or problem == "damaged")
      break
    end
    assert(following > at)
    at = following
  end
  return events, at - 1
end

-- Functions that damage bytes, with a generator of numbers.
local damages = {
  function(bytes, random) -- some bits flip
    for _ = 1, random(5) do
      local i = random(#bytes)
      bytes = bytes:sub(1, i - 1) .. string.char(bytes:byte(i) ~ (1 << random(0, 7)))
        .. bytes:sub(i + 1)
    end
    return bytes
  end,
  function(bytes, random) -- it ends
    return bytes:sub(1, random(0, #bytes))
  end,
  function(bytes, random) -- a huge number
    local i = random(#bytes - 4)
    return bytes:sub(1, i - 1) .. string.pack("=I4", 0xffffffff >> random(0, 31))
      .. bytes:sub(i + 4)
  end,
  function(bytes, random) -- a piece is missing
    local i = random(#bytes)
    return bytes:sub(1, i) .. bytes:sub(i + random(200))
  end,
  function(bytes, random) -- other bytes
    local i = random(#bytes)
    local noise = {}
    for n = 1, random(64) do noise[n] = string.char(random(0, 255)) end
    return bytes:sub(1, i) .. table.concat(noise) .. bytes:sub(i + #noise)
  end,
}

describe("the decoder", function()
  it("reads whatever lies in a file", function()
    local bytes = sample()
    local events = decode_all(bytes)
    local seed = tonumber(os.getenv "SEPTET_SEED") or 20
    math.randomseed(seed)
    local before = collectgarbage "count"
    for i = 1, 400 do
      local damaged = damages[i % #damages + 1](bytes, math.random)
      local ok, found = pcall(decode_all, damaged)
      equal(ok, true, ("seed %d, number %d: %s"):format(seed, i, found))
      assert(found <= #damaged // 32 + #damaged // 20)
    end
    collectgarbage()
    assert(collectgarbage "count" - before < 10000)
    assert(events > 100)
  end)

  it("has all blocks before the cut of a file", function()
    local bytes = sample()
    local last, last_at = -1, 0
    for cut = 0, #bytes, 7 do
      local events, at = decode_all(bytes:sub(1, cut))
      assert(events >= last and at >= last_at and at <= cut)
      last, last_at = events, at
    end
  end)
end)

-- --- what scripts add ---

describe("marks of scripts", function()
  -- Returns what fn() records.
  local function recorded(fn)
    local path <const>, _ <close> = new_path()
    local recording, list = trace.record(path), {}
    fn()
    recording:close()
    local bytes = read(path)
    local _, at = decode.head(bytes)
    while at <= #bytes do
      at = assert(decode.block(bytes, at, function(event) list[#list + 1] = event end))
    end
    return list
  end

  it("a name is cut to 256 bytes, and no character is split", function()
    local list = recorded(function()
      trace.mark(("é"):rep(200))
      trace.mark("x" .. ("é"):rep(200))
      trace.mark ""
      trace.count("n" .. ("é"):rep(200), 2)
      trace.count("n" .. ("é"):rep(200) .. "m", 3)
      trace.span("s" .. ("é"):rep(200), function() end)
    end)
    local names = {}
    for _, event in ipairs(list) do
      if event.name and event.task == task.current().id then names[#names + 1] = event.name end
    end
    local cut = ("é"):rep(127)
    equal(names, { ("é"):rep(128), "x" .. cut, "", "n" .. cut, "n" .. cut, "s" .. cut })
  end)

  it("what is no name or number is refused at its line", function()
    local mark, count_, span = trace.mark, trace.count, trace.span
    for _, bad in ipairs { 1, true, {}, print } do
      misuse("bad argument #1 to 'mark' %(string expected, got " .. type(bad),
        function() mark(bad) end)
      misuse("bad argument #1 to 'count' %(string expected", function() count_(bad, 1) end)
      misuse("bad argument #1 to 'span' %(string expected", function() span(bad, print) end)
    end
    misuse("bad argument #2 to 'mark' %(number expected, got string", function() mark("x", "1") end)
    misuse("bad argument #2 to 'count' %(number expected, got nil", function() count_ "x" end)
    misuse("bad argument #2 to 'span' %(function expected, got nil", function() span "x" end)
    misuse("too many arguments to 'mark'", function() mark("x", 1, 2) end)
  end)

  it("a span ends in the task that began it, however it is left", function()
    local tasks = {}
    local list = recorded(function()
      tasks[1] = task.spawn(trace.span, "cancelled", task.sleep, math.huge)
      tasks[2] = task.spawn(function()
        local inner = coroutine.wrap(function()
          trace.span("in a coroutine", coroutine.yield, 1)
        end)
        inner()
        task.sleep(0)
        inner()
      end)
      tasks[3] = task.spawn(function()
        local function nest(depth)
          if depth > 0 then return trace.span("deep", nest, depth - 1) end
        end
        nest(500)
      end)
      tasks[4] = task.spawn(function()
        local waiting = coroutine.create(function() trace.span("closed", coroutine.yield) end)
        coroutine.resume(waiting)
        coroutine.close(waiting)
      end)
      turns(2)
      tasks[1]:cancel()
      task.wait(tasks)
    end)
    local open, ended = {}, {}
    for _, event in ipairs(list) do
      if event.kind == "span_begin" then
        open[event.ref] = event
      elseif event.kind == "span_end" then
        local begun = open[event.ref]
        equal(begun.task, event.task)
        local key = begun.name .. (event.failed and " failed" or "")
        ended[key] = (ended[key] or 0) + 1
      end
    end
    equal(ended, { ["cancelled failed"] = 1, ["in a coroutine"] = 1, deep = 500, closed = 1 })
  end)
end)
