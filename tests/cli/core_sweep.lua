-- SPDX-License-Identifier: MIT
-- Calls one function of septet.core, whose name is the argument, with every kind of value in up to
-- four positions, in and outside of blocks. The run must end by itself.
local core = debug.getregistry()["septet.core"]
local fn = core[...]
local http, json, sync, task =
  require "septet.http", require "septet.json", require "septet.sync", require "septet.task"

local ROUNDS = { [0] = 1, 50, 40, 40, 40 }

local function values()
  local session = http.session()
  return {
    false, true, 1, -1, 0, 0.5, 0 / 0, 1 / 0, 1 << 62, "", "x", "a\0b", {}, { 1, 2 }, { "a", "b" },
    setmetatable({}, {}), print, function() end, function() error "no" end, coroutine.create(print),
    (coroutine.running()), json.null, io.stderr,
    task.spawn(task.sleep, 1), task.spawn(error, "no"), task.current(), core.scope(true),
    core.scope(false), sync.lock(), sync.event(), sync.semaphore(1), sync.channel(1),
    core.error_meta, core.task_meta, core.scope_methods, select(2, pcall(task.sleep, "x")), session,
    assert(session.handle), task.var(1), core.completions {}, select(3, core.try(error, "x")),
    select(3, core.try(core.raise, "x", "trace", "label")),
  }
end

local around = {
  function(call) call() end,
  function(call) task.timeout(1, call) end,
  function(call) task.group(call) end,
  function(call)
    local _ <close> = task.group()
    call()
  end,
  function(call) task.shield(call) end,
  function(call) coroutine.wrap(call)() end,
}

local state = 1
local function random(n)
  state = (state * 1103515245 + 12345) & 0x7fffffff
  return (state >> 8) % n + 1
end

local function arguments(pool, n, round)
  if n == 1 then return { pool[round] } end
  local list = {}
  for i = 1, n do list[i] = pool[random(#pool + 1)] end
  return list
end

for n = 0, #ROUNDS do
  for round = 1, ROUNDS[n] do
    local t = task.spawn(function()
      local list = arguments(values(), n, round)
      around[round % #around + 1](function() fn(table.unpack(list, 1, n)) end)
    end)
    pcall(task.wait, { t }, { timeout = 0.5 })
    if t:status() == "suspended" then t:cancel() end
  end
end
collectgarbage()
os.exit(0)
