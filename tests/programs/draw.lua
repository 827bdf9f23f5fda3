-- SPDX-License-Identifier: MIT
--- Generates programs from seeds: trees of operations, as tables. The same seed gives the same
--- program everywhere.
---
--- Every program ends: the number of its tasks and of the operations of each is limited, and code
--- that is shielded from the program's time limit waits only for events that are certain.
local draw = {}

-- splitmix64, because the sequence of math.random differs between releases of Lua.
local Random = {}
Random.__index = Random

--- Returns a number from 0 to n - 1.
function Random:below(n)
  self.state = self.state + 0x9e3779b97f4a7c15
  local z = self.state
  z = (z ~ (z >> 30)) * 0xbf58476d1ce4e5b9
  z = (z ~ (z >> 27)) * 0x94d049bb133111eb
  return ((z ~ (z >> 31)) >> 1) % n
end

function Random:chance(percent)
  return self:below(100) < percent
end

function Random:of(list)
  return list[1 + self:below(#list)]
end

-- Times are few and round, so that events often coincide, and exact in binary.
local SECONDS = { 0, 0, 0.25, 0.5, 0.5, 1, 1, 1, 2, 3 }
local LIMITS = { 0, 0.25, 0.5, 1, 1, 1.5, 2, 3 }

-- The context of an operation. `task`: the remaining operations of its task; `bounded`: it must end
-- by itself; `emits`: it is in a generator's function, outside of any block.
local function inside(at, fields)
  return setmetatable(fields or {}, { __index = at })
end

local Drawing = {}
Drawing.__index = Drawing

function Drawing:ops(at, most)
  local list = {}
  for _ = 1, 1 + self.random:below(most) do
    if at.task.left == 0 then break end
    at.task.left = at.task.left - 1
    list[#list + 1] = self:op(at)
  end
  return list
end

function Drawing:nested(at, fields, most)
  fields = fields or {}
  fields.depth = at.depth + 1
  return self:ops(inside(at, fields), most or 4)
end

-- The context of a block's body, in which no operation may emit.
function Drawing:block(at, most)
  return self:nested(at, { emits = false }, most)
end

--- The context of a new task's body.
function Drawing:task(at)
  self.ntasks = self.ntasks + 1
  local number = self.ntasks
  local left = 1 + self.random:below(12)
  return {
    number = number,
    ops = self:ops({ task = { left = left }, depth = at.depth + 1, bounded = at.bounded }, 12),
  }
end

function Drawing:tasks(at, most)
  local list = {}
  for i = 1, 1 + self.random:below(most) do
    if self.ntasks >= self.most_tasks and i > 1 then break end
    list[i] = self:task(at)
  end
  return list
end

-- Numbers that choose among the tasks or blocks that exist by then.
function Drawing:picks(most)
  local list = {}
  for i = 1, self.random:below(most + 1) do list[i] = self:pick() end
  return list
end

function Drawing:pick()
  return self.random:below(1000)
end

function Drawing:reason(op)
  return self.random:chance(50) and "reason " .. op.id or nil
end

-- Kinds of operations: their weight, and the function that generates the rest. `waits`: it may wait
-- without end; `spawns`, `nests`: it needs room for tasks, for another level.
local kinds = {}
local lots = {} -- the name of each, as often as its weight says

local function kind(name, weight, needs, fill)
  kinds[name] = { fill = fill }
  for word in needs:gmatch "%a+" do kinds[name][word] = true end
  for _ = 1, weight do lots[#lots + 1] = name end
end

kind("sleep", 14, "", function(d, op) op.seconds = d.random:of(SECONDS) end)
kind("checkpoint", 4, "", function() end)
kind("busy", 0, "", function(d, op) op.seconds = d.random:of(SECONDS) end)
kind("deadline", 2, "", function() end)
kind("extend", 2, "", function(d, op) op.seconds = d.random:of(SECONDS) end)
kind("fail", 2, "", function() end)

kind("await", 8, "waits", function(d, op) op.pick = d:pick() end)
kind("result", 2, "", function(d, op) op.pick = d:pick() end)
kind("wait", 4, "", function(d, op, at)
  op.picks = d:picks(3)
  op.when = d.random:of { "ALL_COMPLETED", "FIRST_COMPLETED", "FIRST_EXCEPTION" }
  op.timeout = (at.bounded or d.random:chance(40)) and d.random:of(LIMITS) or nil
end)
kind("cancel", 6, "", function(d, op) op.pick, op.reason = d:pick(), d:reason(op) end)
kind("cancel_block", 4, "", function(d, op) op.pick, op.reason = d:pick(), d:reason(op) end)

local function shared(name)
  return function(d, op) op.on = 1 + d.random:below(d.shared[name]) end
end
kind("send", 9, "waits", shared "channels")
kind("recv", 9, "waits", shared "channels")
kind("try_send", 3, "", shared "channels")
kind("try_recv", 3, "", shared "channels")
kind("close_channel", 1, "", shared "channels")
kind("iterate", 2, "waits", function(d, op, at)
  shared "channels"(d, op)
  op.take, op.body = 1 + d.random:below(3), d:nested(at, nil, 2)
end)
kind("produce", 2, "waits", function(d, op)
  shared "channels"(d, op)
  op.take = 1 + d.random:below(3)
end)
kind("burst", 1, "", function(d, op) op.take = 30 + d.random:below(40) end)
kind("event_wait", 3, "waits", shared "events")
kind("event_set", 3, "", shared "events")

local function held(name)
  return function(d, op, at)
    shared(name)(d, op)
    op.form = d.random:of { "with", "acquire" }
    op.body = d:nested(at, { emits = at.emits and op.form == "acquire" }, 3)
  end
end
kind("semaphore", 5, "waits nests", held "semaphores")
kind("lock", 5, "waits nests", held "locks")
kind("try_semaphore", 2, "nests", held "semaphores")
kind("try_lock", 2, "nests", held "locks")

kind("spawn", 10, "spawns nests", function(d, op, at) op.task = d:task(at) end)
function Drawing:spawn(at)
  local op = self:named "spawn"
  op.task = self:task(at)
  return op
end
kind("spawn_in", 4, "spawns nests", function(d, op, at) op.pick, op.task = d:pick(), d:task(at) end)
kind("start", 3, "spawns nests", function(d, op, at)
  op.pick, op.task = d:pick(), d:task(at)
  table.insert(op.task.ops, 1 + d.random:below(#op.task.ops + 1), d:named "started")
end)
kind("gather", 4, "spawns nests", function(d, op, at)
  op.tasks, op.picks = d:tasks(at, 3), at.bounded and {} or d:picks(1)
  op.limit = d.random:chance(30) and 1 + d.random:below(2) or nil
  op.settled = d.random:chance(30)
  op.twice = d.random:chance(20)
end)
kind("race", 3, "spawns nests", function(d, op, at) op.tasks = d:tasks(at, 3) end)
kind("as_completed", 3, "spawns nests", function(d, op, at)
  op.tasks, op.picks = d:tasks(at, 2), at.bounded and {} or d:picks(2)
  op.timeout = d.random:chance(30) and d.random:of(LIMITS) or nil
  op.take = 1 + d.random:below(4)
  op.body = d:block(at, 2)
end)

kind("group", 8, "nests", function(d, op, at)
  op.form = d.random:of { "function", "function", "block" }
  op.bounded = at.bounded
  op.body = {}
  for _ = 1, d.random:below(4) do
    if d.ntasks < d.most_tasks then
      table.insert(op.body, d:spawn(inside(at, { depth = at.depth + 1 })))
    end
  end
  table.move(d:block(at), 1, 4, #op.body + 1, op.body)
end)
local function limited(d, op, at)
  op.seconds = d.random:of(LIMITS)
  op.body = d:block(at)
end
kind("timeout", 5, "nests", limited)
kind("move_on_after", 4, "nests", limited)
kind("cleanup", 3, "nests", limited)
kind("shield", 3, "nests", function(d, op, at)
  op.body = d:nested(at, { emits = false, bounded = true })
end)

kind("generator", 4, "nests", function(d, op, at)
  op.form = d.random:of { "loop", "loop", "close", "call" }
  op.take = d.random:below(5)
  op.body = d:nested(at, { emits = true }, 5)
  op.each = d:block(at, 2)
end)
kind("emit", 0, "", function() end)
kind("pcall", 8, "nests", function(d, op, at)
  op.form = d.random:of { "pcall", "pcall", "task.pcall", "task.try" }
  op.body = d:nested(at)
  op.handler = d:block(at, 2)
  op.then_ = d.random:of { "go on", "rethrow", "rethrow", "raise" }
end)
kind("close", 5, "nests", function(d, op, at)
  op.body = d:nested(at)
  op.handler = d:block(at, 2)
end)
kind("coroutine", 3, "nests", function(d, op, at) op.body = d:block(at) end)
kind("started", 0, "", function() end)

local DEPTH = 7

function Drawing:fits(name, at)
  local k = kinds[name]
  return not (k.waits and at.bounded or k.nests and at.depth >= DEPTH
    or k.spawns and self.ntasks >= self.most_tasks)
end

function Drawing:name(at)
  if at.emits and self.random:chance(25) then return "emit" end
  if self.busy and self.random:chance(4) then return "busy" end
  local name
  repeat name = self.random:of(lots) until self:fits(name, at)
  return name
end

function Drawing:named(name)
  self.nops = self.nops + 1
  return { kind = name, id = self.nops }
end

function Drawing:op(at)
  local op = self:named(self:name(at))
  if not kinds[op.kind].waits or self.random:chance(40) then
    kinds[op.kind].fill(self, op, at)
    return op
  end
  -- Otherwise the tasks of most programs would only wait for one another.
  local limit = self:named(self.random:of { "move_on_after", "move_on_after", "timeout" })
  limit.seconds, limit.body = self.random:of(LIMITS), { op }
  kinds[op.kind].fill(self, op, inside(at, { emits = false }))
  return limit
end

--- Returns the program of a seed: the objects that its tasks share, and the body of its first task.
function draw.program(seed)
  local random = setmetatable({ state = seed * 0x2545f4914f6cdd1d }, Random)
  local d = setmetatable({ random = random, ntasks = 0, nops = 0 }, Drawing)
  d.most_tasks = 3 + random:below(28)
  d.busy = random:chance(10)
  d.shared = {
    channels = 1 + random:below(3), semaphores = 1 + random:below(2), locks = 1 + random:below(2),
    events = 1 + random:below(2),
  }
  local program = {
    seed = seed, busy = d.busy, events = d.shared.events, locks = d.shared.locks, channels = {},
    semaphores = {},
  }
  for i = 1, d.shared.channels do program.channels[i] = random:of { 0, 0, 1, 3 } end
  for i = 1, d.shared.semaphores do program.semaphores[i] = 1 + random:below(2) end
  d.ntasks = 1
  -- The first task starts others, guards them so that the first failure does not end the program,
  -- and gives them time.
  program.task = { number = 1, ops = {} }
  local function add(op) table.insert(program.task.ops, op) end
  local at = { task = { left = math.huge }, depth = 1 }
  repeat
    if random:chance(60) then
      add(d:spawn(at))
    else
      local op = d:named "pcall"
      op.form, op.body, op.handler, op.then_ = "task.pcall", d:ops(at, 2), {}, "go on"
      add(op)
    end
  until d.ntasks >= d.most_tasks
  local pause = d:named "sleep"
  pause.seconds = 20
  add(pause)
  return program
end

-- --- listing ---

local plain = {
  "on", "seconds", "timeout", "pick", "reason", "when", "form", "limit", "settled", "twice", "take",
  "then_",
}

local function title(op)
  local words = { ("%4d %s"):format(op.id, op.kind) }
  for _, field in ipairs(plain) do
    local value = op[field]
    if value then words[#words + 1] = ("%s=%s"):format(field:gsub("_", ""), tostring(value)) end
  end
  if op.picks then words[#words + 1] = "picks=" .. table.concat(op.picks, ",") end
  return table.concat(words, " ")
end

local list_ops

local function list_task(lines, t, indent)
  lines[#lines + 1] = ("%stask %d"):format(indent, t.number)
  list_ops(lines, t.ops, indent .. "  ")
end

function list_ops(lines, ops, indent)
  for _, op in ipairs(ops) do
    lines[#lines + 1] = indent .. title(op)
    local deeper = indent .. "     "
    if op.body then list_ops(lines, op.body, deeper .. "  ") end
    for _, part in ipairs { "each", "handler" } do
      if op[part] and #op[part] > 0 then
        lines[#lines + 1] = deeper .. part
        list_ops(lines, op[part], deeper .. "  ")
      end
    end
    for _, t in ipairs(op.tasks or { op.task }) do list_task(lines, t, deeper) end
  end
end

--- Returns a program's operations as text.
function draw.listing(program)
  local lines = {
    ("program %d: channels of %s, semaphores of %s, %d locks, %d events"):format(program.seed,
      table.concat(program.channels, ","), table.concat(program.semaphores, ","), program.locks,
      program.events),
  }
  list_task(lines, program.task, "")
  return table.concat(lines, "\n")
end

return draw
