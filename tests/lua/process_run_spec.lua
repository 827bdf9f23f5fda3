-- SPDX-License-Identifier: MIT
-- septet.process: run() gives a program its input and returns what it wrote and how it ended.
-- check: allow blocks
local process, task, sio = require "septet.process", require "septet.task", require "septet.io"
local sync = require "septet.sync"
local children, files, ticker = require "children", require "files", require "ticker"

process.run { "true" } -- what a host opens with its first process stays open

local leaves_nothing = children.it

describe("run", function()
  leaves_nothing("run returns the output and the exit code", function()
    local r = process.run { "/bin/sh", "-c", "echo out; echo err >&2; exit 3" }
    equal(r, { code = 3, stdout = "out\n", stderr = "err\n" })
  end)

  leaves_nothing("run passes arguments as they are, without a shell", function()
    local r = process.run { "printf", "%s|", "a b", "$HOME", "*", "", 'q"', 7, 1.5 }
    equal(r.stdout, 'a b|$HOME|*||q"|7|1.5|')
  end)

  leaves_nothing("run uses a shell if it is asked for", function()
    equal(process.run { "echo a | tr a b; exit 4", shell = true },
      { code = 4, stdout = "b\n", stderr = "" })
  end)

  leaves_nothing("run names the signal that ended the program", function()
    equal(process.run { "kill -9 $$", shell = true }, { signal = "KILL", stdout = "", stderr = "" })
    equal(process.run({ "kill -s USR1 $$", shell = true }).signal, "USR1")
  end)

  leaves_nothing("run gives the program its folder", function()
    equal(process.run({ "pwd", cwd = "/usr/bin" }).stdout, "/usr/bin\n")
    equal(process.run({ "./sh", "-c", "echo here", cwd = "/bin" }).stdout, "here\n")
  end)

  leaves_nothing("run sets and removes variables of the environment", function()
    local r = process.run { "echo $A-$B-${HOME-none}-${PATH:+path}", shell = true,
      env = { A = "x=y", B = 7, HOME = false } }
    equal(r.stdout, "x=y-7-none-path\n")
    equal(process.run({ "env", clear_env = true, env = { B = "2", A = "1" } }).stdout, "A=1\nB=2\n")
    equal(process.run({ "env", clear_env = true }).stdout, "")
  end)

  leaves_nothing("a program is found in the host's PATH, not in the one that it gets", function()
    equal(process.run({ "true", env = { PATH = "/nowhere" } }).code, 0)
  end)

  leaves_nothing("run returns all bytes, of both outputs at once", function()
    local script = "i=0; while [ $i -lt 2000 ]; do"
      .. " printf '%0999d\\n' $i; printf '%0999d\\n' $i >&2; i=$((i + 1)); done"
    local r = process.run { script, shell = true }
    equal(#r.stdout, 2000000)
    equal(r.stdout == r.stderr, true)
  end)

  leaves_nothing("run keeps NUL and bytes that are no UTF-8", function()
    equal(process.run({ "printf", "a\\0b\\377\\r\\n" }).stdout, "a\0b\255\r\n")
  end)

  leaves_nothing("stderr may go where stdout goes", function()
    local r = process.run { "echo a; echo b >&2; echo c", shell = true, stderr = "stdout" }
    equal(r, { code = 0, stdout = "a\nb\nc\n" })
  end)

  leaves_nothing("an output may be dropped, or go to a file", function()
    local file <close> = files.with "what was there"
    local r = process.run { "echo a; echo b >&2", shell = true, stdout = file.path,
      stderr = "null" }
    equal(r, { code = 0 })
    equal(files.contents(file.path), "a\n")
  end)

  leaves_nothing("several programs run at once", function()
    local running, all = 0, sync.event()
    local function met() -- is asked once the program runs
      running = running + 1
      if running == 8 then all:set() end
      all:wait()
    end
    local results = task.gather(task.map(function(n)
      return process.run({ "cat; echo " .. n, shell = true, stdin = met }).stdout
    end, { 1, 2, 3, 4, 5, 6, 7, 8 }))
    equal(table.concat(results), "1\n2\n3\n4\n5\n6\n7\n8\n")
  end)

  leaves_nothing("the loop is free while a program runs, and while one is fed", function()
    ticker.waits(function() process.run { "sleep", "0.2" } end)
    ticker.waits(function()
      process.run { "head -c 30000000 /dev/zero | (sleep 0.1; wc -c)", shell = true }
    end)
    ticker.waits(function()
      local r = process.run { "wc", "-c", stdin = ("x"):rep(10000000) }
      equal(tonumber(r.stdout), 10000000)
    end)
  end)
end)

describe("stdin of run", function()
  leaves_nothing("without stdin, a program reads nothing", function()
    equal(process.run({ "cat" }).stdout, "")
    equal(process.run({ "cat", stdin = "" }).stdout, "")
  end)

  leaves_nothing("a string is what the program reads, also one that no pipe holds", function()
    equal(process.run({ "cat", stdin = "a\nb" }).stdout, "a\nb")
    local text = ("0123456789abcdef"):rep(200000)
    equal(process.run({ "cat", stdin = text }).stdout == text, true)
  end)

  leaves_nothing("a function gives piece after piece, until it returns nil", function()
    local n = 0
    local r = process.run { "wc", "-c", stdin = function()
      n = n + 1
      task.sleep(0)
      return n <= 300 and ("x"):rep(n) or nil
    end }
    equal(tonumber(r.stdout), 300 * 301 // 2)
  end)

  leaves_nothing("a function is not asked for more than the program takes", function()
    local n = 0
    local r = process.run { "head -c 10 >/dev/null; sleep 0.05; cat >/dev/null", shell = true,
      stdin = function()
        n = n + 1
        return n <= 100 and ("x"):rep(65536) or nil
      end }
    equal(r.code, 0)
    equal(n, 101)
    n = 0
    process.run { "head -c 10 >/dev/null; sleep 0.05", shell = true, stdin = function()
      n = n + 1
      return ("x"):rep(65536)
    end }
    equal(n < 10, true, n)
  end)

  leaves_nothing("a reader gives its bytes", function()
    local file <close> = files.with(("line\n"):rep(100000))
    local reader <close> = sio.open(file.path)
    equal(tonumber(process.run({ "wc", "-l", stdin = reader }).stdout), 100000)
    local p <close> = process.spawn { "echo a; echo b", shell = true }
    equal(process.run({ "tr", "ab", "cd", stdin = p.stdout }).stdout, "c\nd\n")
  end)

  leaves_nothing("an error of the function is that of run, and ends the program", function()
    local err = raises(nil, process.run, { "cat", stdin = function() error { mine = true } end })
    equal(err.mine, true)
    raises_error({ kind = "Usage" }, process.run, { "cat", stdin = function() return 7 end })
  end)

  leaves_nothing("a function that waits does not outlive the program", function()
    local never = sync.event()
    equal(process.run({ "true", stdin = function() never:wait() end }).code, 0)
  end)

  leaves_nothing("a program that reads only a part is no error", function()
    local text = ("x"):rep(1000000)
    equal(process.run({ "head", "-c", "3", stdin = text }).stdout, "xxx")
    equal(process.run({ "true", stdin = text }).code, 0)
    equal(process.run({ "exec 0<&-; sleep 0.05; echo ok", shell = true, stdin = text }).stdout,
      "ok\n")
    equal(process.run({ "true", stdin = function() return text end }).code, 0)
  end)
end)

describe("limits of run", function()
  leaves_nothing("a timeout raises, with what was written before", function()
    local err = raises_error({ kind = "ProcessError", code = "timeout", stdout = "a\n",
      command = "echo a; exec sleep 60" },
      process.run, { "echo a; exec sleep 60", shell = true, timeout = 0.2 })
    equal(err.message, "'echo a; exec sleep 60' timed out after 0.2 s")
  end)

  leaves_nothing("output without end raises, with what fits", function()
    for _, to in ipairs { "", " >&2" } do
      local err = raises_error({ kind = "ProcessError", code = "max_output" },
        process.run, { "exec yes" .. to, shell = true, max_output = 100001 })
      equal(#(to == "" and err.stdout or err.stderr), 100001)
    end
    local err = raises_error({ code = "max_output" }, process.run, { "yes" })
    equal(#err.stdout, 16 * 1024 * 1024)
  end)

  leaves_nothing("output as long as the limit is no error", function()
    equal(process.run({ "printf", "12345", max_output = 5 }).stdout, "12345")
    equal(process.run({ "true", max_output = 0 }).code, 0)
    raises_error({ code = "max_output" }, process.run, { "printf", "12345", max_output = 4 })
  end)

  leaves_nothing("check raises for an exit code and for a signal", function()
    local err = raises_error({ kind = "ProcessError", code = "exit", status = 2, stdout = "out\n",
      stderr = "first\nlast\n", command = "echo out; echo first >&2; echo last >&2; exit 2" },
      process.run, { "echo out; echo first >&2; echo last >&2; exit 2", shell = true,
        check = true })
    equal(err.message:match "ended with exit code 2: last$" ~= nil, true)
    raises_error({ code = "exit", signal = "TERM" }, process.run,
      { "kill $$", shell = true, check = true })
    equal(process.run({ "true", check = true }).code, 0)
  end)
end)

describe("what a program leaves behind", function()
  leaves_nothing("run does not wait for a process that holds the output", function()
    local r = process.run { "sleep 60 & echo $!", shell = true }
    equal(r.code, 0)
    equal(r.incomplete, true)
    local pid = tonumber(r.stdout)
    equal(children.exists(pid), true)
    os.execute("kill " .. pid)
  end)

  leaves_nothing("what such a process writes soon is read", function()
    local r = process.run { "(sleep 0.1; echo late) & echo early", shell = true }
    equal(r, { code = 0, stdout = "early\nlate\n", stderr = "" })
  end)

  leaves_nothing("all that the program wrote is read, however late the loop comes to it", function()
    local script = "sleep 60 & head -c 60000 /dev/zero; echo $! >&2"
    local slow = task.spawn(function()
      for _ = 1, 5 do
        local until_ = os.clock() + 0.1
        while os.clock() < until_ do end
        task.sleep(0)
      end
    end)
    local r = process.run { script, shell = true }
    slow:await()
    equal(#r.stdout, 60000)
    os.execute("kill " .. tonumber(r.stderr))
  end)

  leaves_nothing("with group, the processes that it started end with it", function()
    local r = process.run { "sleep 60 & echo $!", shell = true, group = true }
    equal(r.incomplete, nil)
    local pid = tonumber(r.stdout)
    for _ = 1, 500 do -- until its parent, the system's first process, has reaped it
      if not children.exists(pid) then return end
      task.sleep(0.01)
    end
    error "it is still there"
  end)
end)

describe("a mistake", function()
  local function usage(words, options)
    local err = raises_error({ kind = "Usage" }, process.run, options)
    equal(err.message:find(words, 1, true) ~= nil, true, err.message)
  end

  it("a mistake in the command raises Usage", function()
    usage("table expected, got string", "true")
    usage("no command", {})
    usage("no command", { cwd = "/" })
    usage("argument 2 of the command", { "echo", {} })
    usage("argument 1 of the command", { true })
    usage("a NUL in an argument", { "echo", "a\0b" })
    usage("a NUL in ", { "a\0b" })
    usage("'shell' takes one string", { "echo", "a", shell = true })
  end)

  it("a mistake in an option raises Usage", function()
    usage("did you mean 'stdout'", { "true", stdotu = "null" })
    usage("unknown option 'background'", { "true", background = true })
    usage("bad option 'timeout'", { "true", timeout = -1 })
    usage("bad option 'max_output'", { "true", max_output = 1.5 })
    usage("a NUL in the path", { "true", cwd = "/\0" })
    usage("a NUL in the path", { "true", stdout = "a\0" })
    usage("a NUL in the environment", { "true", env = { A = "\0" } })
    usage("a name without '='", { "true", env = { ["A=B"] = "" } })
    usage("a name without '='", { "true", env = { "A=B" } })
    usage("a name without '='", { "true", env = { [""] = "" } })
    usage("bad value of 'A'", { "true", env = { A = true } })
    usage("bad option 'stdin'", { "true", stdin = 7 })
    usage("bad option 'stdin'", { "true", stdin = {} })
  end)
end)
