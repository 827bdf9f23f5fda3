-- SPDX-License-Identifier: MIT
--- Checks the trace of a program: in each task's events every wait has one end. Its digest is
--- compared between runs.
local events = {}

local trace = require "septet.trace"

-- The events that may follow in each state of a task. A turn is traced at its end, with the reason
-- of the end.
local grammar = {
  ready = { wait = "parking", ["run yield"] = "ready", ["run end"] = "ending" },
  parking = { ["run wait"] = "parked", ready = "ready" }, -- a wait may end before its turn does
  parked = { ready = "ready" },
  ending = { ["end"] = "ended" },
}

-- The fields of an event that go into the digest.
local fields = {
  spawn = { "parent", "defined", "at" },
  wait = { "what", "at", "ref" },
  ready = { "by", "cancelled" },
  run = { "duration", "left" },
  cancel = { "by", "source" },
  ["end"] = { "outcome" },
}
-- Kinds that may come in any state of a task, and those of no task, whose number depends on the
-- real clock.
local anywhere = { cancel = true, name = true, stuck = true, unhandled = true }
local of_no_task = { sample = true, clock = true }
local ids = { parent = true, by = true, ref = true }

local p -- of the program that runs
local newest = 0 -- the id of the task that was spawned last

--- Begins the trace of a program. `main` is the id of the task that runs it, which must have begun
--- a turn of the loop. on_end(id, outcome, time, number) is called for the end of each task.
function events.begin(now, main, on_end, digest)
  p = {
    start = now, edge = now, main = main, base = math.max(main, newest), on_end = on_end,
    digest = digest and 0, n = 0, states = { [main] = "ready" }, wrongs = {}, texts = {},
  }
end

local function mix(value)
  p.digest = (p.digest ~ value) * 0x100000001b3
  p.digest = p.digest ~ (p.digest >> 29)
end

local function mix_text(text)
  local number = p.texts[text]
  if not number then
    number = 0
    local relative = text:gsub("#(%d+)", function(id) return "#" .. tonumber(id) - p.base end)
    for i = 1, #relative do number = number * 31 + relative:byte(i) end
    p.texts[text] = number
  end
  mix(number)
end

-- Tasks are numbered from the first of the program.
local function add_to_digest(e)
  mix_text(e.kind)
  mix(math.floor((e.time - p.start) * 1e6 + 0.5))
  mix(e.task > p.base and e.task - p.base or 0)
  for _, field in ipairs(fields[e.kind] or {}) do
    local value = e[field]
    if ids[field] then
      mix(value > p.base and value - p.base or value == 0 and -1 or 0)
    elseif type(value) == "number" then
      mix(math.floor(value * 1e6 + 0.5))
    else
      mix_text(tostring(value))
    end
  end
end

local function wrong(e, format, ...)
  p.wrongs[#p.wrongs + 1] = ("trace of #%d at %g: %s"):format(e.task, e.time - p.start,
    format:format(...))
end

local function follow(e)
  local state = p.states[e.task]
  local word = e.kind == "run" and "run " .. e.left or e.kind
  if e.kind == "spawn" then
    if state then wrong(e, "spawned twice") end
    p.states[e.task], newest = "ready", e.task
  elseif e.kind == "lost" then
    wrong(e, "%d records lost", e.count)
  elseif not anywhere[e.kind] then
    local next_state = (grammar[state] or {})[word]
    if not next_state then wrong(e, "%s while %s", word, state or "not there") end
    p.states[e.task] = next_state
  end
  if e.kind == "end" then
    p.states[e.task] = nil
    p.on_end(e.task, e.outcome, e.time, p.n)
  end
end

-- Checks that turns do not overlap, and that the events of a turn are within it.
local function check_time(e)
  if e.time < p.edge then
    wrong(e, "%s %g before the turn in which it came", e.kind, p.edge - e.time)
  end
  if e.kind == "run" then p.edge = e.time + e.duration end
end

trace.subscribe(function(e)
  if not p or of_no_task[e.kind] then return end
  p.n = p.n + 1
  follow(e)
  check_time(e)
  if p.digest then add_to_digest(e) end
end)

--- Ends the trace, once all its events were delivered. Returns the violations, the number of
--- events, and the digest.
function events.finish()
  local done = p
  p = nil
  for id, state in pairs(done.states) do
    if id ~= done.main then
      table.insert(done.wrongs, ("trace of #%d: it never ended, and is %s"):format(id, state))
    end
  end
  return done.wrongs, done.n, done.digest
end

return events
