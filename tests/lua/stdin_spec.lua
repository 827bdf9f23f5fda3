-- SPDX-License-Identifier: MIT
-- septet.io: standard input, of a file and of a pipe. Other kinds are in tests/cli/test_stdin.py.
local command, files = require "command", require "files"

-- What a septet of its own prints that runs `script` with that on its standard input.
local function child(script, stdin, options)
  local f <close> = files.with(script)
  local line = ("'%s' %s '%s' %s"):format(command.path, options or "", f.path, stdin)
  return (command.shell(line))
end

describe("standard input", function()
  local HEAD = "local task, sio = require 'septet.task', require 'septet.io' local r = sio.stdin() "

  it("standard input may be a file", function()
    local f <close> = files.with "one\ntwo"
    equal(child(HEAD .. "for l in r:lines() do print(l) end", "<" .. f.path), "one\ntwo\n")
  end)

  it("standard input may be a pipe", function()
    local f <close> = files.with(("a line\n"):rep(30000))
    equal(child(HEAD .. "local n = 0 for l in r:lines() do n = n + 1 end print(n)",
      ("< /dev/null; cat '%s' | '%s' -e \"%s\""):format(f.path, command.path,
      HEAD .. "local n = 0 for l in r:lines() do n = n + #l end print(n)")), "0\n180000\n")
  end)

  it("standard input may be empty", function()
    equal(child(HEAD .. "print(r:read_line(), r:read(1))", "< /dev/null"), "nil\tnil\n")
  end)

  it("the next reader of standard input goes on where the last one stopped", function()
    local f <close> = files.with "one\ntwo\nthree\nfour\n"
    equal(child(HEAD
      .. "print(r:read_line()) print(sio.stdin():read_line()) r:close() print(sio.stdin():read(3)) "
      .. "do local s <close> = sio.stdin { max_line = 2 } print(pcall(s.read_line, s)) end "
      .. "print(sio.stdin():read_line())", "<" .. f.path),
      "one\ntwo\nthr\ntrue\tee\nfour\n")
  end)

  it("only one task waits for standard input, whichever reader it has", function()
    local f <close> = files.fifo()
    -- a writer is open: the pipe is not at its end
    local out <close> = assert(io.open(f.path, "r+b"))
    out:setvbuf "no"
    equal(child(HEAD .. "local t = task.spawn(r.read_line, r) task.checkpoint() task.checkpoint() "
      .. "local s = sio.stdin() print(pcall(s.read_line, s)) s:close() print(t:status()) "
      .. "r:close() print(pcall(t.await, t))",
      "<" .. f.path):gsub("%S+:1: ", ""),
      "false\tanother task reads from 'stdin'\nsuspended\n"
        .. "false\tthe reader of 'stdin' was closed\n")
  end)

  it("the end of the host does not wait for standard input", function()
    local f <close> = files.fifo()
    local out <close> = assert(io.open(f.path, "r+b")) -- luacheck: ignore
    equal(child(HEAD
      .. "task.background(r.read_line, r) task.checkpoint() task.checkpoint() print 'end'",
      "<" .. f.path), "end\n")
    equal(child(HEAD
      .. "task.background(r.read, r, 1) task.checkpoint() task.checkpoint() print 'end'",
      "< /dev/zero"), "end\n")
  end)

  it("a read from standard input keeps a virtual clock from jumping", function()
    local f <close> = files.with "line\n"
    equal(child(HEAD .. "local t = task.spawn(function() task.sleep(1000) print 'slept' end) "
      .. "task.checkpoint() print(r:read_line()) t:await()", "<" .. f.path, "--virtual-time"),
        "line\nslept\n")
  end)
end)
