-- SPDX-License-Identifier: MIT
-- Every report of an error says where it was raised, whatever functions of Septet it went through.
local task = require "septet.task"
local sync = require "septet.sync"

local function deep(err)
  error(err, 0)
end

local function raise(err)
  deep(err) -- no tail call: its line is in the traceback
  return nil
end

-- Every function of ours that calls one of the script's in the task that calls it.
local around = {
  timeout = function(fn) task.timeout(1, fn) end,
  ["timeout nil"] = function(fn) task.timeout(nil, fn) end,
  move_on_after = function(fn) task.move_on_after(1, fn) end,
  shield = function(fn) task.shield(fn) end,
  cleanup = function(fn) task.cleanup(1, fn) end,
  ["var:with"] = function(fn) task.var():with(1, fn) end,
  ["semaphore:with"] = function(fn) sync.semaphore(1):with(fn) end,
  ["lock:with"] = function(fn) sync.lock():with(fn) end,
  generator = function(fn)
    local generator = task.generator(function(emit)
      emit(1)
      fn()
    end)
    for _ in generator do task.checkpoint() end
  end,
  ["generator:close"] = function(fn)
    local g = task.generator(function(emit)
      local _ <close> = setmetatable({}, { __close = function() fn() end })
      emit(1)
    end)
    g()
    g:close()
  end,
  ["open generator"] = function(fn)
    task.timeout(1, function()
      local g = task.generator(function(emit)
        local _ <close> = setmetatable({}, { __close = function() fn() end })
        emit(1)
      end)
      g()
    end)
  end,
  ["task.pcall"] = function(fn)
    local ok, err = task.pcall(fn)
    if not ok then error(err, 0) end -- the script's own: it begins anew
  end,
  ["task.require"] = function(fn)
    package.preload.tracebacks_module = function()
      fn()
      return nil
    end
    local _ <close> = setmetatable({}, { __close = function()
      package.preload.tracebacks_module = nil
    end })
    task.require "tracebacks_module"
  end,
  ["five deep"] = function(fn)
    task.timeout(1, task.shield, task.move_on_after, 1, function()
      sync.lock():with(function()
        task.var():with(1, function()
          task.timeout(1, fn)
        end)
      end)
    end)
  end,
  ["after a wait"] = function(fn)
    task.timeout(1, function()
      task.sleep(0)
      fn()
    end)
  end,
}
local own = { ["task.pcall"] = true }

-- The same where the function runs in another task.
local beside = {
  await = function(fn) task.spawn(fn):await() end,
  ["await of what has ended"] = function(fn)
    local t = task.spawn(fn)
    task.wait { t }
    t:await()
  end,
  gather = function(fn) task.gather { fn, function() task.sleep(1) end } end,
  ["gather with a limit"] = function(fn) task.gather({ fn, fn }, { limit = 1 }) end,
  ["gather of a task"] = function(fn) task.gather { task.spawn(fn) } end,
  race = function(fn) task.race { fn, function() task.sleep(1) end } end,
  as_completed = function(fn) for t in task.as_completed { fn } do t:await() end end,
  ["group:start"] = function(fn) task.group(function(g) g:start(fn) end) end,
  ["await in blocks"] = function(fn)
    task.timeout(1, task.shield, function() task.spawn(task.shield, fn):await() end)
  end,
}

local errors = {
  string = function() return "a string" end,
  number = function() return 42 end,
  boolean = function() return false end,
  table = function() return { mine = true } end,
  ["locked table"] = function() return setmetatable({}, { __metatable = false }) end,
  ["function"] = function() return print end,
  ["ours"] = function() return select(2, pcall(task.sleep, -1)) end,
}

local function has_frame(text, what)
  if not text:find("tracebacks_spec.lua:%d+: in %w+ '?deep'") then
    error(("%s: no frame of 'deep' in %s"):format(what, text), 2)
  end
  if text:find("\n%s*%[septet%.") then
    error(("%s: a frame of ours in %s"):format(what, text), 2)
  end
end

-- Runs fn, which fails, in a task of its own, and checks that the error is `err`. Returns the
-- traceback of its handle.
local function traceback_of(fn, err, what)
  local t = task.spawn(fn)
  task.wait { t }
  local ok, got = t:result()
  equal(ok, false, what)
  equal(rawequal(got, err), true, what .. ": the same value")
  return t:traceback()
end

for place, call in pairs(around) do
  it(("T-F: a traceback has the frames that raised inside %s"):format(place), function()
    for kind, make in pairs(errors) do
      local err, what = make(), place .. " of " .. kind
      local function fail()
        raise(err)
        return nil
      end
      if not own[place] then has_frame(traceback_of(function() call(fail) end, err, what), what) end
      if not own[place] then
        local ok, got, text = task.try(call, fail)
        equal({ ok, rawequal(got, err) }, { false, true }, what)
        has_frame(text, what .. ", task.try")
      end
    end
  end)
end

for place, call in pairs(beside) do
  it(("T-F: behind %s, a traceback has the frames that raised"):format(place), function()
    for kind, make in pairs(errors) do
      local err, what = make(), place .. " of " .. kind
      local function fail()
        raise(err)
        return nil
      end
      local function awaiting_frame()
        call(fail)
        return nil
      end
      local function awaits()
        awaiting_frame()
        return nil
      end
      local text
      if place == "group:start" then
        local _, got, tb = task.try(awaits)
        equal(rawequal(got.errors[1], err), true, what)
        text = got.tracebacks[1]
        equal(type(tb), "string")
      else
        text = traceback_of(awaits, err, what)
        equal(select(2, text:gsub("stack traceback:", "")), 1, what)
      end
      has_frame(text, what)
      equal(text:find "raised at, in task '[^\n]+':\n" ~= nil, true, text)
      equal(text:find "awaited at, in task '[^\n]+':\n.*awaiting_frame" ~= nil, true, text)
    end
  end)
end

it("T-F: the errors of a group's body and of its tasks have their frames", function()
  local forms = {
    ["function"] = function(fn) task.group(fn) end,
    block = function(fn)
      local g <close> = task.group()
      fn(g)
    end,
    ["in a block"] = function(fn) task.timeout(1, task.group, fn) end,
    ["block in a block"] = function(fn)
      task.shield(function()
        local g <close> = task.group()
        fn(g)
      end)
    end,
    ["block behind a closing variable"] = function(fn)
      local g <close> = task.group()
      local _ <close> = setmetatable({}, { __close = function()
        pcall(task.timeout, 1, error, "another")
      end })
      fn(g)
    end,
  }
  for form, group in pairs(forms) do
    for kind, make in pairs(errors) do
      local err, what = make(), form .. " with " .. kind
      local t = task.spawn(function()
        group(function()
          raise(err)
          return nil
        end)
      end)
      task.wait { t }
      local _, got = t:result()
      equal({ got.kind, #got, rawequal(got.errors[1], err) }, { "ErrorGroup", 1, true }, what)
      has_frame(got.tracebacks[1], what)
      has_frame(tostring(got), what)

      t = task.spawn(function()
        group(function(g) g:spawn(function() task.shield(raise, err) end) end)
      end)
      task.wait { t }
      _, got = t:result()
      equal({ got.kind, #got, rawequal(got.errors[1], err) }, { "ErrorGroup", 1, true }, what)
      has_frame(got.tasks[1]:traceback(), what)
      has_frame(tostring(got), what)
    end
  end
end)

it("T-F: an error in a wrapped coroutine has its frames, and those of the resumer", function()
  local ways = {
    ["at once"] = function(fn) coroutine.wrap(fn)() end,
    ["after a yield"] = function(fn)
      local next_one = coroutine.wrap(function()
        coroutine.yield()
        fn()
        return nil
      end)
      next_one()
      next_one()
    end,
    ["after a wait"] = function(fn)
      coroutine.wrap(function()
        task.sleep(0)
        fn()
        return nil
      end)()
    end,
    ["in a loop"] = function(fn)
      local next_one = coroutine.wrap(function()
        coroutine.yield(1)
        fn()
        return nil
      end)
      for _ in next_one do end
    end,
    nested = function(fn)
      coroutine.wrap(function()
        coroutine.wrap(function()
          task.shield(fn)
          return nil
        end)()
        return nil
      end)()
    end,
  }
  for way, call in pairs(ways) do
    for kind, make in pairs(errors) do
      local err = make()
      local function resuming_frame()
        call(function()
          raise(err)
          return nil
        end)
        return nil
      end
      local t = task.spawn(function()
        resuming_frame()
        return nil
      end)
      task.wait { t }
      local _, got = t:result()
      if type(err) ~= "string" then equal(rawequal(got, err), true) end
      has_frame(t:traceback(), way .. " of " .. kind)
      equal(t:traceback():find "raised at:\n.*'deep'.*\nresumed at:\n.*resuming_frame" ~= nil, true,
        t:traceback())
    end
  end
  local _, err, text = task.try(function() -- what was caught within does not come back
    pcall(coroutine.wrap(function() raise "caught" end))
    error("same", 0)
  end)
  equal({ err, text:find "deep" }, { "same" })
end)

it("T-F: on_unhandled gets the frames", function()
  for place, call in pairs(around) do
    local report = nil
    task.on_unhandled = function(_, err, traceback) report = { err, traceback } end
    task.timeout(1, function()
      task.spawn(function() call(function() raise "lost" end) end)
      turns(20)
    end)
    turns(3)
    equal(report[1], "lost", place)
    if not own[place] then has_frame(report[2], place) end
  end
end)

it("T-F: a Timeout tells where it was stuck, behind any number of blocks", function()
  local function stuck_here()
    task.sleep(10)
    return nil
  end
  local ways = {
    directly = function() task.timeout(0.01, stuck_here) end,
    ["in blocks"] = function()
      task.timeout(0.01, task.group, function() task.move_on_after(9, stuck_here) end)
    end,
    ["in a lock"] = function() task.timeout(0.01, function() sync.lock():with(stuck_here) end) end,
    ["in task.pcall"] = function() task.timeout(0.01, function() task.pcall(stuck_here) end) end,
    ["in task.try"] = function() task.timeout(0.01, function() task.try(stuck_here) end) end,
    ["in the inner of two"] = function() task.timeout(9, task.timeout, 0.01, stuck_here) end,
  }
  for way, fn in pairs(ways) do
    local t = task.spawn(fn)
    task.wait { t }
    local _, err = t:result()
    equal(err.kind, "Timeout", way)
    equal(err.traceback:find "'?stuck_here" ~= nil
      or err.traceback:find "in function 'task.sleep'" ~= nil, true, way)
    equal(t:traceback(), err.traceback .. t:traceback():sub(#err.traceback + 1), way)
    equal(t:traceback():find "task.sleep" ~= nil, true, way .. t:traceback())
  end
end)

it("T-F: the traceback has the awaits in order, and a chain of them takes little room", function()
  local function chain(n)
    if n == 0 then raise "bottom" end
    task.spawn(chain, n - 1):await()
    return nil
  end
  local t = task.spawn(chain, 3)
  pcall(t.await, t)
  local text = t:traceback()
  has_frame(text, "three")
  equal(select(2, text:gsub("raised at", "")), 1)
  equal(select(2, text:gsub("awaited at", "")), 3)

  t = task.spawn(chain, 1000)
  pcall(t.await, t)
  text = t:traceback()
  has_frame(text, "a thousand")
  equal(#text < 10000, true, #text)
  equal(text:find "%(9%d%d more left out%)" ~= nil, true, text)
end)

it("T-F: an error absorbed by a block, or raised anew, brings no old frames", function()
  local function old() error("same words", 0) end
  local function new() error("same words", 0) end
  local t = task.spawn(function()
    pcall(task.timeout, 1, old)
    task.move_on_after(0, task.sleep, 1)
    new()
  end)
  task.wait { t }
  equal({ t:traceback():find "'old'", t:traceback():find "'new'" ~= nil }, { nil, true })

  t:result()
  t = task.spawn(function()
    pcall(task.timeout, 1, old)
    return true
  end)
  t:await()
  equal(t:traceback(), "")
end)

it("T-F: a stray Cancelled has a place", function()
  local kept
  local first = task.spawn(function() kept = select(2, pcall(task.sleep, 1)) end)
  task.sleep(0)
  first:cancel()
  task.wait { first }
  local t = task.spawn(function() task.shield(function() raise(kept) end) end)
  task.wait { t }
  local _, err = t:result()
  equal(err.message, "stray Cancelled")
  has_frame(t:traceback(), "stray")
  has_frame(err.traceback, "stray")
end)

it("T-F: a body and a hook of a request tell their frames", function()
  local http = require "septet.http"
  local function body() raise "body" end
  local function hook() raise "hook" end
  for name, options in pairs {
    body = { body = body }, hook = { trace = { request_start = hook } },
  } do
    local session <close> = http.session { retries = { attempts = 2 } }
    local ok, err, text = task.try(session.post, session, "http://127.0.0.1:1/", options)
    if task.is(err, "HttpError") then -- the connection failed first
      equal(name, "body")
    else
      equal({ ok, err }, { false, name })
      has_frame(text, name)
    end
  end
end)
