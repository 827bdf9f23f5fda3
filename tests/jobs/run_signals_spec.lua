-- SPDX-License-Identifier: MIT
-- Runs in processes of their own: signals, and exits.
local fs, process, task = require "septet.fs", require "septet.process", require "septet.task"
local children = require "children"
local command = require "command"
local files = require "files"
local helpers = require "helpers"

-- What each script begins with. It prints "felt" once the signal has reached it.
local HEAD = [[
io.stdout:setvbuf "no"
local jobs, task, sio = require "septet.jobs", require "septet.task", require "septet.io"
local q = jobs.open(arg[1])
local function never() task.sleep(math.huge) end
local function feel()
  task.spawn(function()
    local _, err = pcall(never)
    print("felt " .. tostring(err.reason))
  end)
end
local function told()
  local go = task.future()
  task.background(function() go:set(sio.stdin():read_line()) end)
  return go
end
local function tell(what)
  task.cleanup(5, function()
    local s = q:stats()
    print(("%s: %d pending %d leased %d done %d dead"):format(what, s.pending, s.leased, s.done,
      s.dead))
  end)
end
]]

-- Calls fn(child) with a process of the script, on a queue. Returns what it printed, and how it
-- ended.
local function run_on(url, script, fn)
  local file <close> = files.with((HEAD:gsub("\n", " ")) .. script)
  local child <close> = process.spawn { command.path, file.path, url, stderr = "null" }
  local lines = {}
  function child.expect(line)
    repeat
      lines[#lines + 1] = child.stdout:read_line() or error("no line " .. line)
    until lines[#lines] == line
  end
  fn(child)
  for line in child.stdout:lines() do lines[#lines + 1] = line end
  return lines, table.pack(child:wait())
end

local function run(script, fn)
  return run_on("memory:", script, fn)
end

describe("law_5: a run that", function()
  for _, signal in ipairs { "INT", "TERM" } do
    children.it("gets SIG" .. signal .. " ends the jobs at work, and takes no new ones", function()
      local lines, ended = run([[
for i = 1, 5 do q:put { key = "k" .. i } end
feel()
local go = told()
local ok, err = pcall(q.run, q, { workers = 2 }, function(job)
  print "began"
  go:await()
  return job.key
end)
print(task.is_cancelled(err))
tell "then"
error(err, 0)]], function(child)
        child.expect "began"
        child.expect "began"
        child:kill(signal)
        child.expect "felt interrupted"
        child.stdin:write "go\n"
      end)
      equal(lines, { "began", "began", "felt interrupted", "true",
        "then: 3 pending 0 leased 2 done 0 dead" })
      equal({ ended[1], ended[2] }, { nil, signal })
    end)
  end

  children.it("gets a signal cancels the jobs after the grace, and counts no attempt", function()
    local lines, ended = run([[
for i = 1, 3 do q:put { key = "k" .. i } end
local began = 0
pcall(q.run, q, { workers = 2, grace = 0.05 }, function(job)
  began = began + 1
  if began == 2 then print "began" end
  local ok, err = pcall(never)
  print(err.reason)
  error(err, 0)
end)
tell "then"
task.shield(q.run, q, {}, function(job) print(job.attempt) end)]], function(child)
      child.expect "began"
      child:kill "TERM"
    end)
    equal(lines, { "began", "interrupted", "interrupted", "then: 3 pending 0 leased 0 done 0 dead",
      "1", "1", "1" })
    equal(ended[1], 0)
  end)

  children.it("gets a signal with no grace cancels the jobs at once", function()
    local lines = run([[
q:put { key = "a" }
pcall(q.run, q, { grace = 0 }, function()
  print "began"
  never()
end)
tell "then"]], function(child)
      child.expect "began"
      child:kill "INT"
    end)
    equal(lines, { "began", "then: 1 pending 0 leased 0 done 0 dead" })
  end)

  children.it("gets a second signal ends at once", function()
    for _, second in ipairs { "INT", "TERM" } do
      local lines, ended = run([[
q:put { key = "a" }
feel()
q:run({ grace = 1000 }, function()
  print "began"
  never()
end)]], function(child)
        child.expect "began"
        child:kill "TERM"
        child.expect "felt interrupted"
        child:kill(second)
      end)
      equal(lines, { "began", "felt interrupted" })
      equal({ ended[1], ended[2] }, { nil, second })
    end
  end)

  children.it("waits for a delay, or for more, ends at once", function()
    for _, idle in ipairs { 'q:put { key = "a", delay = 1000 }', "forever = true" } do
      local lines, ended = run(idle .. [[

feel()
task.spawn(function() task.sleep(0) print "idle" end)
q:run({ grace = 1000, forever = forever }, function() end)]], function(child)
        child.expect "idle"
        child:kill "TERM"
      end)
      equal(lines, { "idle", "felt interrupted" })
      equal({ ended[1], ended[2] }, { nil, "TERM" })
    end
  end)

  children.it("is below a group is given the grace, too, but not one that the script ends",
    function()
      local lines = run([[
for i = 1, 2 do q:put { key = "k" .. i } end
feel()
local go = told()
local ok, err = pcall(task.group, function(g)
  g:spawn(q.run, q, { grace = 1000 }, function(job)
    print "began"
    go:await()
    return 1
  end)
end)
tell "then"]], function(child)
        child.expect "began"
        child.expect "began"
        child:kill "TERM"
        child.expect "felt interrupted"
        child.stdin:write "go\n"
      end)
      equal(lines, { "began", "began", "felt interrupted",
        "then: 0 pending 0 leased 2 done 0 dead" })
    end)
end)

describe("a process that", function()
  local AT_WORK = [[
for i = 1, 4 do q:put { key = "k" .. i } end
feel()
q:run({ workers = 2, grace = 1000, lease = 1000 }, function(job)
  job:put { key = "child of " .. job.key }
  print "began"
  never()
end)]]
  local NEXT = [[
q:run({ workers = 1 }, function(job)
  print(job.key .. " " .. job.attempt)
  return job.attempt
end)
tell "then"]]

  children.it("law_5_is_ended_by_a_second_signal_loses_nothing", function()
    local dir <close> = fs.temp_dir()
    local url = dir.path .. "/q.db"
    run_on(url, AT_WORK, function(child)
      child.expect "began"
      child.expect "began"
      child:kill "INT"
      child.expect "felt interrupted"
      child:kill "INT"
    end)
    -- their attempts count: the process was ended while they were at work
    equal(run_on(url, NEXT, function() end),
      { "k1 2", "k2 2", "k3 1", "k4 1", "then: 0 pending 0 leased 4 done 0 dead" })
  end)

  children.it("law_4_is_killed_leaves_its_jobs_to_a_run_that_waits_for_them", function()
    local dir <close> = fs.temp_dir()
    local url = dir.path .. "/q.db"
    local seen
    run_on(url, AT_WORK, function(child)
      child.expect "began"
      child.expect "began"
      seen = run_on(url, NEXT, function(other)
        other.expect "k4 1"
        child:kill "KILL"
      end)
    end)
    table.sort(seen)
    equal(seen, { "k1 2", "k2 2", "k3 1", "k4 1", "then: 0 pending 0 leased 4 done 0 dead" })
  end)

  children.it("law_5_ends_in_its_grace_has_given_back_what_did_not_end", function()
    local dir <close> = fs.temp_dir()
    local url = dir.path .. "/q.db"
    local lines, ended = run_on(url, [[
for i = 1, 4 do q:put { key = "k" .. i } end
local felt, began = task.future(), 0
task.spawn(function()
  pcall(never)
  felt:set()
end)
q:run({ workers = 2, grace = 0.05 }, function(job)
  began = began + 1
  if began == 2 then print "began" end
  if job.key == "k2" then never() end
  felt:await() -- the grace has just begun
  return "quick"
end)]], function(child)
      child.expect "began"
      child:kill "TERM"
    end)
    equal({ lines, ended[2] }, { { "began" }, "TERM" })
    equal(run_on(url, NEXT, function() end),
      { "k2 1", "k3 1", "k4 1", "then: 0 pending 0 leased 4 done 0 dead" })
  end)
end)

describe("a job that", function()
  children.it("calls os.exit ends the process with that status", function()
    for status, how in pairs { [3] = "os.exit(3)", [4] = "os.exit(4, true)" } do
      local lines, ended = run([[
for i = 1, 3 do q:put { key = "k" .. i } end
local began, both = 0, task.future()
q:run({ workers = 2 }, function(job)
  print "began"
  began = began + 1
  if began == 2 then both:set() end
  if job.key == "k1" then both:await() ]] .. how .. [[ end
  never()
end)
print "not here"]], function() end)
      equal(lines, { "began", "began" })
      equal(ended[1], status)
    end
  end)

  children.it("computes without an end is ended by a signal", function()
    local lines, ended = run([[
q:put { key = "a" }
q:run({}, function()
  print "began"
  while true do end
end)]], function(child)
      child.expect "began"
      child:kill "TERM"
    end)
    equal(lines, { "began" })
    equal({ ended[1], ended[2] }, { nil, "TERM" })
  end)
end)

describe("a job's task", function()
  it("is named by the key, for `septet ps` and tracebacks", function()
    local jobs = require "septet.jobs"
    local q <close> = jobs.open "memory:"
    q:put { key = "https://user:secret@example.com/page" }
    local name
    q:run({}, function() name = task.current().name end)
    helpers.has(name, "example.com/page")
    equal(name:find "secret", nil)
  end)
end)
