-- SPDX-License-Identifier: MIT
-- Random programs of tasks, recorded at each level: whatever they do, what ran is drawn as slices
-- that nest, in rows in which no two tasks overlap. Runs on the virtual clock, too.
local private = debug.getregistry()["septet.require"] -- of private modules
local export, chrome = private "septet.trace.export", private "septet.trace.chrome"
local json, sync = require "septet.json", require "septet.sync"
local task, trace = require "septet.task", require "septet.trace"
local perfetto = require "perfetto"

-- Returns a function that draws numbers from 1 to n.
local function drawer(seed)
  return function(n)
    seed = (seed * 6364136223846793005 + 1442695040888963407) & math.maxinteger
    return (seed >> 33) % n + 1
  end
end

local steps = {}

-- Runs a few random steps.
local function program(draw, depth)
  for _ = 1, draw(3) + 2 do
    steps[depth < 3 and draw(#steps) or draw(5)](draw, depth + 1)
  end
end

steps[1] = function(draw) task.sleep(draw(4) / 2000) end
steps[2] = function() task.sleep(0) end
steps[3] = function(draw) trace.mark("mark", draw(9)) end
steps[4] = function(draw) trace.count("counter", draw(9)) end
steps[5] = function() local _ = {} for i = 1, 100 do _[i] = i end end
steps[6] = function(draw, depth)
  local t = task.spawn(program, draw, depth)
  t.name = "child"
  if draw(3) > 1 then pcall(t.await, t) end
end
steps[7] = function(draw, depth)
  local t = task.spawn(program, draw, depth)
  if draw(2) == 1 then task.sleep(0) end
  t:cancel "enough"
  task.wait { t }
end
steps[8] = function(draw, depth)
  pcall(trace.span, "span " .. depth, function()
    program(draw, depth)
    if draw(4) == 1 then error "in a span" end
  end)
end
steps[9] = function(draw, depth)
  pcall(task.group, function(group)
    for _ = 1, draw(3) do group:spawn(program, draw, depth) end
    if draw(4) == 1 then error "in a group" end
  end)
end
steps[10] = function(draw, depth)
  task.move_on_after(draw(4) / 2000, program, draw, depth)
end
steps[11] = function(draw)
  local channel, n = sync.channel(draw(3) - 1), draw(3)
  local reader = task.spawn(function() for _ = 1, n do channel:recv() end end)
  for i = 1, n do channel:send(i) end
  reader:await()
end
steps[12] = function(draw) -- spans that do not nest, of which one may stay open
  local read = coroutine.wrap(function()
    trace.span("generator", function() coroutine.yield(1) end)
  end)
  trace.span("outer", read)
  if draw(2) == 1 then read() end
end

local function run_recorded(seed, level)
  local path = os.tmpname()
  local recording = trace.record(path, { level = level })
  local t = task.spawn(function() task.group(function() program(drawer(seed), 0) end) end)
  pcall(t.await, t)
  recording:close()
  local m, note = export.load(path)
  os.remove(path)
  equal(note, nil)
  return m, t.id
end

-- Checks a list of intervals of one task: in order, within the task, none in another.
local function check_list(list, t)
  local last = t.start
  for _, item in ipairs(list) do
    equal(last <= item.start and item.start <= item.finish and item.finish <= t.finish, true)
    last = item.finish
  end
end

local function check_task(t, first)
  if t.id >= first then equal({ t.open, t.outcome ~= nil }, { false, true }) end
  local busy = 0
  for _, run in ipairs(t.runs) do
    equal(run.duration >= 0, true)
    busy = busy + run.duration
  end
  equal({ math.abs(busy - t.busy) < 1e-9, t.resumes, t.sched >= 0, t.waited >= 0 },
    { true, #t.runs, true, true })
  check_list(t.waits, t)
  check_list(t.readies, t)
end

local function check_model(m, first)
  local ends = {}
  for _, t in ipairs(m.tasks) do
    equal(t.start >= (ends[t.lane] or 0) and t.start <= t.finish and t.lane < m.lanes, true)
    ends[t.lane] = t.finish
    check_task(t, first)
  end
  local last = 0
  for _, run in ipairs(m.runs) do
    equal(run.start >= last - 1e-9, true)
    last = run.start + run.duration
  end
  for _, span in ipairs(m.spans) do
    equal({ span.start <= span.finish, span.lane < m.rows }, { true, true })
    equal(span.open and span.name ~= "generator", false)
  end
end

for level = 1, 3 do
  describe("level " .. level, function()
    it("random schedules are drawn by the rules", function()
      local spans, arrows, tasks = 0, 0, 0
      for seed = 1, 20 do
        local m, first = run_recorded(seed * 3 + level, level)
        check_model(m, first)
        local pieces = {}
        chrome(m, function(text) pieces[#pieces + 1] = text end)
        local counts = perfetto.check(json.decode(table.concat(pieces)))
        arrows, spans, tasks = arrows + (counts.s or 0), spans + #m.spans, tasks + #m.tasks
      end
      equal({ tasks > 100, spans > 20, arrows > 9 }, { true, true, true })
    end)
  end)
end
