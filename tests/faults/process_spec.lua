-- SPDX-License-Identifier: MIT
-- Processes that fail, that do not end, that leave something, and a host that runs out of what they
-- need: each raises or ends, and leaves no process and no descriptor.
-- check: allow blocks
local process, task, http = require "septet.process", require "septet.task", require "septet.http"
local children, files = require "children", require "files"
local origin = require "origin"

process.run { "true" } -- what a host opens with its first process stays open

local leaves_nothing = children.it
local STUBBORN = "trap '' TERM INT HUP; echo ready; while :; do sleep 0.01; done"

describe("a program that cannot be started", function()
  local function fails(reason, options, path)
    local what = { kind = "ProcessError", code = "spawn", reason = reason, command = options[1],
      path = path }
    raises_error(what, process.run, options)
    raises_error(what, process.spawn, options)
  end

  leaves_nothing("a program that is missing", function()
    fails("ENOENT", { "no-such-program-here" })
    fails("ENOENT", { "/no/such/program" })
    fails("ENOENT", { "" })
    fails("ENOENT", { "./true" })
    local err = raises_error({}, process.run, { "no-such-program-here" })
    equal(err.message, "cannot run 'no-such-program-here': no such file or directory")
  end)

  leaves_nothing("a file that is no program", function()
    fails("EACCES", { "/etc/passwd" })
    fails("EACCES", { "/" })
    local script <close> = files.with "no program\n"
    os.execute("chmod +x " .. script.path)
    fails("ENOEXEC", { script.path })
    local lost <close> = files.with "#!/no/such/interpreter\n"
    os.execute("chmod +x " .. lost.path)
    fails("ENOENT", { lost.path })
  end)

  leaves_nothing("a name or arguments that are too long", function()
    fails("ENAMETOOLONG", { ("x"):rep(5000) })
    fails("E2BIG", { "true", ("x"):rep(10000000) })
    fails("E2BIG", { "true", env = { A = ("x"):rep(10000000) } })
  end)

  leaves_nothing("a folder that is missing, or none", function()
    fails("ENOENT", { "true", cwd = "/no/such/folder" }, "/no/such/folder")
    fails("ENOENT", { "true", cwd = "" }, "")
    fails("ENOTDIR", { "true", cwd = "/etc/passwd" }, "/etc/passwd")
  end)

  leaves_nothing("a file for the output that cannot be opened", function()
    fails("ENOENT", { "true", stdout = "/no/such/file" }, "/no/such/file")
    fails("EISDIR", { "true", stderr = "/tmp" }, "/tmp")
    local fifo <close> = files.fifo()
    fails("ENXIO", { "true", stdout = fifo.path }, fifo.path)
  end)
end)

describe("a program that does not do what is expected", function()
  leaves_nothing("a program that closes its stdin early raises EPIPE, and no signal", function()
    local p <close> = process.spawn { "exec 0<&-; echo ready; exec sleep 60", shell = true }
    equal(p.stdout:read_line(), "ready")
    raises_error({ kind = "IoError", code = "EPIPE", path = "stdin of " .. p.command },
      function() for _ = 1, 100 do p.stdin:write(("x"):rep(65536)) end end)
  end)

  leaves_nothing("a program that reads nothing holds up its writer only", function()
    local p <close> = process.spawn { "sleep", "60" }
    local in_time = task.move_on_after(0.1, function() p.stdin:write(("x"):rep(1000000)) end)
    equal(in_time, false)
  end)

  leaves_nothing("a program that is killed ends a read, a write and a wait", function()
    local p <close> = process.spawn { "sleep", "60" }
    local read = task.spawn(function() return p.stdout:read_line() end)
    local write = task.spawn(function() p.stdin:write(("x"):rep(1000000)) end)
    local wait = task.spawn(function() return select(2, p:wait()) end)
    task.sleep(0.02)
    p:kill "KILL"
    equal(read:await(), nil)
    raises_error({ code = "EPIPE" }, write.await, write)
    equal(wait:await(), "KILL")
  end)

  leaves_nothing("output without end that is not read costs no memory", function()
    local p <close> = process.spawn { "yes" }
    equal(p.stdout:read_line(), "y")
    collectgarbage()
    local before = require("process").resident()
    task.sleep(0.2)
    equal(require("process").resident() - before < 4096, true)
  end)

  leaves_nothing("a program that ignores SIGTERM and writes without end is killed", function()
    local began = task.now()
    local ok = task.move_on_after(0.1, process.run,
      { "trap '' TERM; exec yes", shell = true, grace = 0.2, max_output = 1 << 40 })
    equal(ok, false)
    equal(task.now() - began >= 0.3, true)
  end)

  leaves_nothing("a stopped program is ended", function()
    local p = process.spawn { "sleep", "60" }
    p:kill "STOP"
    p:close()
    equal(select(2, p:wait()), "TERM")
  end)

  leaves_nothing("a program that writes while it ends neither stops nor dies of it", function()
    local script = "trap 'head -c 300000 /dev/zero; exit 7' TERM; echo ready;"
      .. " while :; do sleep 0.01; done"
    local p = process.spawn { script, shell = true }
    equal(p.stdout:read_line(), "ready")
    p:close()
    equal(p:wait(), 7)
    local other = process.spawn { script, shell = true } -- of which no output was asked for
    while task.move_on_after(0.05, function() other:wait() end) do end -- luacheck: ignore
    other:close()
    equal(other:wait(), 7)
  end)
end)

describe("many processes", function()
  leaves_nothing("1,000 processes at 50 at once", function()
    local next_one, most, at_once = 0, 0, 0
    local function work()
      while next_one < many(1000) do
        next_one = next_one + 1
        at_once = at_once + 1
        most = math.max(most, at_once)
        local n = next_one
        equal(process.run({ "echo", n }).stdout, n .. "\n")
        at_once = at_once - 1
      end
    end
    local workers = {}
    for i = 1, 50 do workers[i] = task.spawn(work) end
    task.gather(workers)
    equal(most, math.min(50, many(1000)))
  end)

  leaves_nothing("100 processes that ignore SIGTERM end together", function()
    local began = task.now()
    task.move_on_after(0.5, function()
      local tasks = {}
      for i = 1, many(100) do -- one after the other, they would take longer than a spec may
        tasks[i] = task.spawn(process.run, { STUBBORN, shell = true, grace = 1 })
      end
      task.gather(tasks)
    end)
    equal(task.now() - began >= 1.5, true)
  end)
end)

describe("a cancellation", function()
  -- Cancels process.run() and what is around it after n turns of the loop.
  local function cancel_after(n, options)
    local t = task.spawn(process.run, options)
    for _ = 1, n do task.sleep(0.0002) end
    t:cancel()
    task.wait { t }
  end

  leaves_nothing("a cancellation at each phase leaves nothing", function()
    for n = 0, 60 do
      cancel_after(n, { "cat >/dev/null; exec sleep 60", shell = true, stdin = ("x"):rep(1000000) })
      cancel_after(n, { "sleep", "60", stdin = function() return "x" end })
    end
  end)

  leaves_nothing("a cancellation before the first turn starts nothing", function()
    local file <close> = files.temporary()
    local t = task.spawn(process.run, { "touch", file.path })
    t:cancel()
    raises_error({ kind = "TaskCancelled" }, t.await, t)
    process.run { "true" }
    equal(files.contents(file.path), nil)
  end)

  leaves_nothing("a deadline at each phase leaves nothing", function()
    for n = 0, 40 do
      task.move_on_after(n / 5000, function()
        local p <close> = process.spawn { "cat" }
        p.stdin:write "a\n"
        p.stdout:read_line()
        p:wait()
      end)
    end
  end)
end)

describe("what a child gets of the host", function()
  leaves_nothing("a child has no descriptor of the host's", function()
    local file <close> = assert(io.open("/etc/passwd"))
    local pipe <close> = assert(io.popen("sleep 60 & echo $!"))
    local sleeper = pipe:read "n"
    local stream <close> = http.default():stream("GET", origin.url .. "/bytes/10")
    local other <close> = process.spawn { "cat" }
    other.stdin:write "x\n"
    equal(other.stdout:read_line(), "x")
    local r = process.run { "ls", "/proc/self/fd" }
    equal(r.stdout, "0\n1\n2\n3\n") -- 3 is the folder
    equal(file ~= nil and stream.status, 200)
    os.execute("kill " .. sleeper)
    stream:close()
    http.default():close()
  end)

  leaves_nothing("a child blocks and ignores no signal", function()
    local r = process.run { "grep", "-E", "Sig(Blk|Ign)", "/proc/self/status" }
    for mask in r.stdout:gmatch "%x%x%x%x+" do equal(mask, "0000000000000000") end
    equal(select(2, r.stdout:gsub("0000000000000000", "")), 2)
  end)
end)

describe("a host without descriptors", function()
  -- Runs a script in a septet of its own that may have few descriptors.
  local function limited(script)
    local file <close> = files.with(script)
    local interpreter = arg[-1] or "septet"
    local line = ("ulimit -n 24; exec '%s' %s"):format(interpreter, file.path)
    local r = process.run { line, shell = true }
    equal({ r.code, r.stderr }, { 0, "" })
    return r.stdout
  end

  leaves_nothing("spawn raises EMFILE, whichever descriptor is missing, and closes the others",
    function()
      equal(limited [[
        local process = require "septet.process"
        process.run { "true" }
        local held, reasons = {}, {}
        repeat
          local file = io.open "/dev/null"
          held[#held + 1] = file
        until not file
        for free = 0, 12 do
          local ok, err = pcall(process.run, { "cat", stdin = "x" })
          reasons[#reasons + 1] = ok and err.stdout or err.reason
          local p, q = pcall(process.spawn, { "cat" })
          if p then q:close() end
          q = nil
          collectgarbage()
          held[#held]:close()
          held[#held] = nil
        end
        print(table.concat(reasons, " "))
      ]], "EMFILE EMFILE EMFILE EMFILE EMFILE EMFILE x x x x x x x\n")
    end)

  leaves_nothing("the first process raises EMFILE, too", function()
    local out = limited [[
      local process = require "septet.process"
      local held, n = {}, 0
      repeat
        local file = io.open "/dev/null"
        held[#held + 1] = file
      until not file
      while #held > 0 and not pcall(process.run, { "true" }) do
        n = n + 1
        table.remove(held):close()
      end
      print(n)
    ]]
    equal(tonumber(out) > 0 and tonumber(out) < 12, true, out)
  end)
end)

describe("the end of the host", function()
  -- Runs a script with septet, and returns the numbers that it prints, of processes, once it ended.
  local function pids_of(script)
    local file <close> = files.with(script)
    local r = process.run { arg[-1] or "septet", file.path }
    local pids = {}
    for pid in r.stdout:gmatch "%d+" do pids[#pids + 1] = tonumber(pid) end
    return pids, r
  end

  local function all_gone(pids)
    for _, pid in ipairs(pids) do
      for _ = 1, 500 do
        if not children.exists(pid) then break end
        task.sleep(0.01)
      end
      equal(children.exists(pid), false)
    end
  end

  leaves_nothing("a script's end ends its processes, also those that ignore SIGTERM", function()
    local pids = pids_of(([[
      local process = require "septet.process"
      local p = process.spawn { "sleep", "60" }
      local q = process.spawn { "sleep", "60", background = true }
      local r = process.spawn { %q, shell = true, grace = 0.1 }
      r.stdout:read_line()
      print(p.pid, q.pid, r.pid)
    ]]):format(STUBBORN))
    equal(#pids, 3)
    all_gone(pids)
  end)

  leaves_nothing("an error and os.exit end them, too", function()
    for _, ending in ipairs { "error 'x'", "os.exit(3)", "os.exit(3, true)" } do
      local pids, r = pids_of(([[
        local process = require "septet.process"
        print(process.spawn({ "sleep", "60" }).pid)
        io.stdout:flush()
        %s
      ]]):format(ending))
      equal(r.code ~= 0, true)
      equal(#pids, 1)
      all_gone(pids)
    end
  end)

  leaves_nothing("a signal ends them, too", function()
    local file <close> = files.with [[
      local process = require "septet.process"
      local p = process.spawn { "sleep", "60" }
      print(p.pid)
      io.stdout:flush()
      p:wait()
    ]]
    for _, signal in ipairs { "INT", "TERM" } do
      local host <close> = process.spawn { arg[-1] or "septet", file.path, stderr = "null" }
      local pid = tonumber(host.stdout:read_line())
      host:kill(signal)
      host:wait()
      all_gone { pid }
    end
  end)
end)
