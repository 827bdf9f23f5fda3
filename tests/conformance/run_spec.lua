-- SPDX-License-Identifier: MIT
-- A whole run: its end, what is left then, and its exit status.
local command, helpers = require "command", require "helpers"

local has, count = helpers.has, helpers.count
local run = command.run

it("run.error: an error of the main task ends the run with status 1 after cleanup", function()
  local out, status = run [[
local _ <close> = setmetatable({}, { __close = function()
  task.cleanup(5, task.sleep, 1)
  say "closed"
end })
task.spawn(function()
  local _, err = pcall(task.sleep, 1000)
  say(err.source)
  error(err, 0)
end)
local function failing_frame() error "broken" end
task.sleep(1)
failing_frame()
say "not reached"]]
  equal(status, 1)
  has(out, "^2 s:\tclosed\n2 s:\towner\nseptet: s.lua:10: broken\nstack traceback:\n"
    .. ".*'failing_frame'.*s.lua:12: ")
  equal(count(out, "broken"), 1)

  out, status = run "error { code = 7 }"
  equal(status, 1)
  has(out, "^septet: %(error object is a table value%): { code = 7 }\n")
  out, status = run "error()"
  equal(status, 1)
  has(out, "^septet: nil error\n")
  out, status = run "task.current():cancel 'enough' task.sleep(1)"
  equal({ status, out }, { 1, "septet: cancelled: enough\n" })
  equal({ run "pcall(error, 'handled') pcall(task.gather, { function() error 'handled' end })" },
    { "", 0 })
end)

it("run.hanging_tasks: tasks left at the end of main are cancelled, children first", function()
  equal({ run [[
local function hang(name, last, ...)
  local child = ... and task.spawn(hang, ...)
  local _, err = pcall(task.sleep, 1000)
  task.cleanup(5, task.sleep, last)
  say(name, err.source, child and child:status())
  error(err, 0)
end
task.background(hang, "background", 1)
task.spawn(hang, "child", 2, "grandchild", 1)
task.sleep(1)
say "main ends"]] }, { [[
1 s:	main ends
2 s:	grandchild	owner	nil
3 s:	child	owner	cancelled
4 s:	background	owner	nil
]], 0 })
end)

it("run.hanging_task_errors: errors of the tasks left make the run fail", function()
  local out, status = run [[
local function hang(name)
  pcall(task.sleep, 1000)
  error(name .. " broke", 0)
end
task.background(hang, "background")
task.spawn(hang, "child")
task.spawn(error, "early", 0)
task.sleep(1)
say "main ends"]]
  equal(status, 1)
  has(out, "^1 s:\tmain ends\nseptet: unhandled error in task '%[C%]#%d+': early\n")
  has(out, "\nseptet: unhandled error in task 's.lua:1#%d+': child broke\nstack traceback:\n")
  has(out, "\nseptet: unhandled error in task 's.lua:1#%d+': background broke\nstack traceback:\n")
  equal(count(out, "unhandled error"), 3)
end)

-- Only C can ask for a run, and is refused (tests/api): a script has nothing to ask with.
it("run.nested: a run cannot be started from inside a run", function()
  for name, module in pairs(package.loaded) do
    for key in pairs(name:find "^septet" and module or {}) do
      local asks = key == "run" or key == "run_until" or key == "step" or key == "loop"
      equal(asks, false, ("%s.%s"):format(name, key))
    end
  end
end)

it("run.deadlock: a deadlock lists each task and ends the run with status 4", function()
  local out, status = run [[
local _ <close> = setmetatable({}, { __close = function() say "closed" end })
local first, second
first = task.spawn(function() second:await() end)
second = task.spawn(function() first:await() end)
task.background(function() sync.event():wait() end)
task.spawn(function() sync.channel():recv() end)
task.sleep(1)
first:await()
say "not reached"]]
  equal(status, 4)
  has(out, "^septet: warning: deadlock: all 5 tasks wait and nothing can wake them\n")
  has(out, "\nseptet: warning: #1 main +wait join +0.000s #2 s.lua:3#2  s.lua:8 in main chunk\n")
  has(out, "\nseptet: warning: ├─ #2 [%w_]+:3 +wait join +1.000s #3 s.lua:4#3  s.lua:3\n")
  has(out, "\nseptet: warning: ├─ #3 [%w_]+:4 +wait join +1.000s #2 s.lua:3#2  s.lua:4\n")
  has(out, "\nseptet: warning: └─ #5 [%w_]+:6 +wait recv +1.000s %(capacity 0%)  s.lua:6\n")
  has(out, "\nseptet: warning: #4 [%w_]+:5 +wait event +1.000s +s.lua:5\n")
  has(out, "\nseptet: warning: in a circle: 's.lua:3#2' %-> 's.lua:4#3' %-> 's.lua:3#2'\n")
  has(out, "\n1 s:\tclosed\n$")
  equal(count(out, "\n"), 8)
  equal({ run [[
local main = task.current()
task.spawn(function() main:await() end)
task.sleep(1000) -- a timer can wake it
say "done"]] }, { "1000 s:\tdone\n", 0 })
end)
