-- SPDX-License-Identifier: MIT
-- septet.process: spawn() gives a process with its pipes, which ends with what it belongs to.
local process, task = require "septet.process", require "septet.task"
local children = require "children"

process.run { "true" } -- what a host opens with its first process stays open

local leaves_nothing = children.it

-- A process that says when it runs, and ends by SIGTERM with exit code 9, if it does.
local POLITE = "trap 'exit 9' TERM; echo ready; while :; do sleep 0.01; done"
local STUBBORN = "trap '' TERM; echo ready; while :; do sleep 0.01; done"

local function spawn(script, options)
  options = options or {}
  options[1], options.shell = script, true
  local p = process.spawn(options)
  equal(p.stdout:read_line(), "ready")
  return p
end

-- Waits until the system knows a process no more.
local function gone(pid)
  for _ = 1, 1000 do
    if not children.exists(pid) then return end
    task.sleep(0.01)
  end
  error(("process %d is still there"):format(pid), 2)
end

describe("a process", function()
  leaves_nothing("a process is written to and read from", function()
    local p <close> = process.spawn { "cat" }
    equal(math.type(p.pid), "integer")
    equal(p.command, "cat")
    equal(tostring(p), ("process %d 'cat'"):format(p.pid))
    p.stdin:write("one\n", 2, "\n")
    equal(p.stdout:read_line(), "one")
    equal(p.stdout:read_line(), "2")
    p.stdin:write "rest"
    p.stdin:close()
    equal(p.stdout:read_all(100), "rest")
    equal(table.pack(p:wait()), { 0, nil, n = 2 })
  end)

  leaves_nothing("a process runs before its output is read", function()
    local p <close> = process.spawn { "echo out; echo err >&2; exit 3", shell = true }
    equal(table.pack(p:wait()), { 3, nil, n = 2 })
    equal(p.stdout:read_line(), "out")
    equal(p.stderr:read_line(), "err")
    equal(p.stdout:read_line(), nil)
  end)

  leaves_nothing("a descriptor that is no pipe is nil", function()
    local p <close> = process.spawn { "true", stdin = "null", stdout = "null", stderr = "stdout" }
    equal(p.stdin, nil)
    equal(p.stdout, nil)
    equal(p.stderr, nil)
    equal(p:wait(), 0)
  end)

  leaves_nothing("any number of tasks wait, any number of times", function()
    local p <close> = spawn(POLITE)
    local function wait() return p:wait() end
    local tasks = task.map(wait, { 1, 2, 3 })
    task.checkpoint()
    equal(tasks[1]:waits_for():find("wait process " .. p.pid, 1, true) ~= nil, true)
    tasks[2]:cancel()
    p:kill()
    equal(tasks[1]:await(), 9)
    equal(tasks[3]:await(), 9)
    equal(p:wait(), 9)
    raises_error({ kind = "TaskCancelled" }, tasks[2].await, tasks[2])
  end)

  leaves_nothing("output that is dropped at the end is not handed out", function()
    local p = process.spawn { "trap '' TERM; echo ready >&2; while :; do echo x; sleep 0.01; done",
      shell = true, grace = 0.2 }
    equal(p.stderr:read_line(), "ready")
    local closing = task.spawn(p.close, p)
    task.checkpoint()
    equal(p.stdout, nil)
    closing:await()
    equal(p.stdout, nil)
    equal(table.pack(p:wait()), { nil, "KILL", n = 2 })
  end)

  leaves_nothing("a signal has a name or a number", function()
    for _, signal in ipairs { "KILL", "SIGKILL", 9 } do
      local p <close> = spawn(STUBBORN)
      equal(p:kill "TERM", true)
      equal(p:kill(signal), true)
      equal(table.pack(p:wait()), { nil, "KILL", n = 2 })
      equal(p:kill(signal), false)
    end
    local p <close> = process.spawn { "true" }
    p:wait()
    for _, signal in ipairs { "NOPE", "kill", 0, -1, 65, 1.5, {} } do
      raises_error({ kind = "Usage" }, p.kill, p, signal)
    end
  end)

  leaves_nothing("an unknown field or method raises Usage", function()
    local p <close> = process.spawn { "true" }
    raises("did you mean 'kill'", function() return p.send_signal end)
    raises("did you mean 'stdout'", function() return p.stdot end)
    raises("with a colon", p.wait)
  end)

  leaves_nothing("a line that is too long raises, and the process lives", function()
    local p <close> = process.spawn { "cat", max_line = 5 }
    p.stdin:write "123456\n12\n"
    raises_error({ kind = "IoError", code = "line_too_long", path = "stdout of cat" },
      p.stdout.read_line, p.stdout)
    equal(p.stdout:read(7), "123456\n")
    equal(p.stdout:read_line(), "12")
  end)

  leaves_nothing("a cancelled read loses nothing", function()
    local p <close> = process.spawn { "cat" }
    equal(task.move_on_after(0.02, function() p.stdout:read_line() end), false)
    p.stdin:write "a\n"
    equal(p.stdout:read_line(), "a")
  end)

  leaves_nothing("a process that reads slowly holds back what is written to it", function()
    local p <close> = process.spawn { "read x; echo $x; cat", shell = true }
    local writer = task.spawn(function()
      p.stdin:write "go\n"
      p.stdin:write(("x"):rep(1000000))
      p.stdin:close()
    end)
    equal(p.stdout:read_line(), "go")
    equal(#p.stdout:read_all(2000000), 1000000)
    writer:await()
  end)
end)

describe("the end of a scope", function()
  leaves_nothing("a <close> variable ends the process and waits for it", function()
    local p = spawn(POLITE)
    do
      local _ <close> = p
    end
    equal(children.exists(p.pid), false)
    equal(p:wait(), 9)
    raises_error({ kind = "Usage" }, p.stdout.read_line, p.stdout)
  end)

  leaves_nothing("a process that ignores SIGTERM is killed after the grace", function()
    local p = spawn(STUBBORN, { grace = 0.1 })
    local began = task.now()
    p:close()
    equal(task.now() - began >= 0.1, true)
    equal(table.pack(p:wait()), { nil, "KILL", n = 2 })
    p:close()
  end)

  leaves_nothing("without grace it is killed at once", function()
    local p = spawn(STUBBORN, { grace = 0 })
    p:close()
    equal(select(2, p:wait()), "KILL")
  end)

  leaves_nothing("a block ends the processes that were started in it", function()
    local p
    task.group(function() p = spawn(POLITE) end)
    equal(p:wait(), 9)
  end)

  leaves_nothing("a task ends the processes that it has started", function()
    local p = task.spawn(function() return spawn(POLITE) end):await()
    equal(p:wait(), 9)
  end)

  leaves_nothing("a process that the script has dropped runs on until its scope ends", function()
    local pid
    task.group(function()
      pid = spawn(STUBBORN, { grace = 0.05, stderr = "null" }).pid
      for _ = 1, 3 do
        collectgarbage()
        task.sleep(0.01)
      end
      equal(children.exists(pid), true)
    end)
    gone(pid)
  end)

  leaves_nothing("a dropped process that ends by itself is reaped", function()
    local pid = spawn("echo ready; exit 3").pid
    collectgarbage()
    gone(pid)
  end)

  leaves_nothing("a process in the background outlives the block, and the task", function()
    local p = task.spawn(function() return spawn(POLITE, { background = true }) end):await()
    task.sleep(0.05)
    equal(children.exists(p.pid), true)
    p:close()
    equal(p:wait(), 9)
  end)

  leaves_nothing("closing waits also in a cancelled task", function()
    local p
    local t = task.spawn(function()
      p = spawn(STUBBORN, { grace = 0.1 })
      local _ <close> = p
      task.sleep(60)
    end)
    repeat task.sleep(0.01) until p
    t:cancel()
    raises_error({ kind = "TaskCancelled" }, t.await, t)
    equal(children.exists(p.pid), false)
  end)

  leaves_nothing("a timeout ends run, and what it runs", function()
    local in_time = task.move_on_after(0.05, process.run, { "sleep", "60" })
    equal(in_time, false)
  end)

  leaves_nothing("a failure in a group ends the others' processes", function()
    raises(nil, task.group, function(g)
      g:spawn(process.run, { "sleep", "60" })
      g:spawn(process.run, { "false", check = true })
    end)
  end)

  leaves_nothing("the group of a process ends with its scope", function()
    local script = "trap 'exit 9' TERM; sleep 60 & echo ready; echo $!;"
      .. " while :; do sleep 0.01; done"
    local p = spawn(script, { group = true })
    local holder = tonumber(p.stdout:read_line())
    p:close()
    equal(p:wait(), 9)
    gone(holder)
  end)
end)
