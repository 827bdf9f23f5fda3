-- SPDX-License-Identifier: MIT
-- septet.io: lines and bytes of files and FIFOs, and what cancels and closes a wait.
local task, sio = require "septet.task", require "septet.io"
local files = require "files"

local CHUNK = 64 * 1024 -- bytes that are read at once

-- A reader of a FIFO and what writes to it: opening blocks neither, as the reader comes first.
local function pipe(options)
  local f <close> = files.fifo()
  local reader = sio.open(f.path, options)
  local out = assert(io.open(f.path, "wb"))
  out:setvbuf "no"
  return reader, out
end

local function lines_of(text, options)
  local f <close> = files.with(text)
  local reader <close> = sio.open(f.path, options)
  local lines = {}
  for line in reader:lines() do lines[#lines + 1] = line end
  equal(reader:read_line(), nil)
  return lines
end

describe("a file", function()
  it("a file gives its lines without their newlines", function()
    equal(lines_of "one\ntwo\n\nfour\n", { "one", "two", "", "four" })
    equal(lines_of "\n", { "" })
  end)

  -- Only a loop over the call itself got the reader, so csv.reader(r:lines()) failed.
  it("the iterator over lines is one value", function()
    local f <close> = files.with "a\nb\n"
    local r <close> = sio.open(f.path)
    local lines = r:lines()
    equal(lines(), "a")
    for line in lines do equal(line, "b") end
  end)

  it("a file gives the last line without a newline", function()
    equal(lines_of "one\ntwo", { "one", "two" })
    equal(lines_of "one", { "one" })
  end)

  it("an empty file gives nil, again and again", function()
    equal(lines_of "", {})
    local f <close> = files.with ""
    local reader <close> = sio.open(f.path)
    equal(reader:read(1), nil)
    equal(reader:read_line(), nil)
  end)

  it("a file keeps NUL and carriage return", function()
    equal(lines_of "a\0b\r\n\0\n\r", { "a\0b\r", "\0", "\r" })
  end)

  it("a file gives lines that are longer than one read", function()
    local long, longer = ("x"):rep(CHUNK + 1), ("yz"):rep(3 * CHUNK)
    local lines = lines_of(("%s\n%s\nshort\n%s"):format(long, longer, long))
    equal(#lines, 4)
    equal(lines[1] == long and lines[2] == longer and lines[3] == "short" and lines[4] == long,
      true)
  end)

  it("a file gives lines that begin and end anywhere in a read", function()
    local expected = {}
    for i = 1, 40000 do expected[i] = ("%d"):format(i):rep(i % 7) end
    local lines = lines_of(table.concat(expected, "\n") .. "\n")
    equal(#lines, #expected)
    equal(table.concat(lines, "\n") == table.concat(expected, "\n"), true)
  end)

  it("a file gives bytes, mixed with lines", function()
    local f <close> = files.with "0123456789\nabc\ndef"
    local reader <close> = sio.open(f.path)
    equal(reader:read(4), "0123")
    equal(reader:read_line(), "456789")
    equal(reader:read(1), "a")
    equal(reader:read(1000), "bc\ndef")
    equal(reader:read(1), nil)
  end)

  it("a file gives all its bytes", function()
    local text = ("0123456789abcde\n"):rep(20000)
    local f <close> = files.with(text)
    local reader <close> = sio.open(f.path)
    local pieces = {}
    repeat
      local piece = reader:read(7777)
      pieces[#pieces + 1] = piece
    until not piece
    equal(table.concat(pieces) == text, true)
  end)

  it("reading a file lets other tasks run", function()
    local f <close> = files.with(("x\n"):rep(1000))
    local reader <close> = sio.open(f.path)
    local other = 0
    local t = task.spawn(function()
      for i = 1, 5 do
        other = i
        task.checkpoint()
      end
    end)
    for _ in reader:lines() do end -- luacheck: ignore
    equal(other, 5)
    t:await()
  end)

  it("a file may be a device", function()
    local null <close> = sio.open "/dev/null"
    equal(null:read_line(), nil)
    local zero <close> = sio.open "/dev/zero"
    equal(zero:read(10), ("\0"):rep(10))
  end)
end)

describe("a line over the limit", function()
  it("a line over the limit raises again and again, and its bytes stay", function()
    local f <close> = files.with "12345\n123456\n1234"
    local reader <close> = sio.open(f.path, { max_line = 5 })
    equal(reader:read_line(), "12345")
    for _ = 1, 2 do
      local err = raises_error({ kind = "IoError", code = "line_too_long", path = f.path },
        reader.read_line, reader)
      equal(err.message, ("a line of '%s' is longer than 5 bytes"):format(f.path))
    end
    equal(reader:read(1), "1")
    equal(reader:read_line(), "23456")
    equal(reader:read_line(), "1234")
    equal(reader:read_line(), nil)
  end)

  it("a line over the limit raises at the end of the file as well", function()
    local f <close> = files.with "123456"
    local reader <close> = sio.open(f.path, { max_line = 5 })
    raises_error({ kind = "IoError", code = "line_too_long" }, reader.read_line, reader)
    equal(reader:read(100), "123456")
  end)

  it("a line over the limit raises before all of it is in memory", function()
    local reader <close> = sio.open "/dev/zero"
    raises_error({ kind = "IoError", code = "line_too_long" }, reader.read_line, reader)
    local left = 0
    while left <= 1024 * 1024 do left = left + #reader:read(1024 * 1024) end
    equal(left <= 1024 * 1024 + 2 * CHUNK, true)
  end)

  it("the limit of a line is 1 MiB by default", function()
    local most = ("x"):rep(1024 * 1024)
    local lines = lines_of(most .. "\n" .. most)
    equal(#lines[1] == #most and #lines[2] == #most, true)
    raises("longer than 1048576 bytes", lines_of, most .. "x\n")
  end)
end)

describe("a known length", function()
  it("a known length is read whole, or is nil at the end", function()
    local f <close> = files.with "0123456789"
    local reader <close> = sio.open(f.path)
    equal(reader:read_exactly(4), "0123")
    equal(reader:read_exactly(0), "")
    equal(reader:read_exactly(6), "456789")
    equal(reader:read_exactly(1), nil)
    equal(reader:read_exactly(0), "")
  end)

  it("a known length that the end cuts raises, and the bytes stay", function()
    local f <close> = files.with "012"
    local reader <close> = sio.open(f.path)
    local expected = { kind = "IoError", code = "ended", path = f.path, operation = "read" }
    local err = raises_error(expected, reader.read_exactly, reader, 4)
    equal(err.message, ("'%s' ended after 3 of 4 bytes"):format(f.path))
    equal(reader:read_exactly(3), "012")
  end)

  it("a known length may arrive in pieces", function()
    local reader <close>, out = pipe()
    local t = task.spawn(reader.read_exactly, reader, 6)
    for _, piece in ipairs { "a", "bc", "def", "g" } do
      turns(2)
      out:write(piece)
    end
    equal(t:await(), "abcdef")
    out:close()
    equal(reader:read_all(), "g")
  end)
end)

describe("the rest", function()
  it("the rest is all bytes to the end, then nothing", function()
    local text = ("0123456789abcde\n"):rep(20000)
    local f <close> = files.with(text)
    local reader <close> = sio.open(f.path)
    equal(reader:read_line(), "0123456789abcde")
    equal(reader:read_all() == text:sub(17), true)
    equal(reader:read_all(), "")
  end)

  it("the rest over the limit raises before all of it is in memory, and its bytes stay", function()
    local f <close> = files.with "012345"
    local reader <close> = sio.open(f.path)
    local err = raises_error({ kind = "IoError", code = "too_big" }, reader.read_all, reader, 5)
    equal(err.message, ("'%s' has more than 5 bytes"):format(f.path))
    equal(reader:read_all(6), "012345")
    local zero <close> = sio.open "/dev/zero"
    raises_error({ kind = "IoError", code = "too_big" }, zero.read_all, zero, 1000)
  end)
end)

describe("a FIFO", function()
  it("a FIFO opens without a writer, and waits for one", function()
    local f <close> = files.fifo()
    local reader <close> = sio.open(f.path)
    local t = task.spawn(reader.read_line, reader)
    local ticks = with_ticker(task.sleep, 0.01)
    equal(ticks > 0, true)
    equal(t:status(), "suspended")
    local out <close> = assert(io.open(f.path, "wb"))
    out:write "hello\n"
    out:close()
    equal(t:await(), "hello")
    equal(reader:read_line(), nil)
  end)

  it("a FIFO with a slow writer stops no other task", function()
    local reader, out = pipe()
    local steps, lines = 0, {}
    local writer = task.spawn(function()
      for byte in ("slow\nslower\nslow"):gmatch "." do
        for _ = 1, 20 do
          task.checkpoint()
          steps = steps + 1
        end
        out:write(byte)
      end
      out:close()
    end)
    for line in reader:lines() do
      lines[#lines + 1] = line
      if #lines == 1 then equal(steps >= 5 * 20 and steps < 12 * 20, true, steps) end
    end
    equal(lines, { "slow", "slower", "slow" })
    equal(steps, 16 * 20)
    writer:await()
    reader:close()
  end)

  it("a FIFO gives bytes as soon as there are any", function()
    local reader <close>, out = pipe()
    local t = task.spawn(reader.read, reader, 100)
    turns(2)
    out:write "abc"
    equal(t:await(), "abc")
    out:close()
    equal(reader:read(100), nil)
  end)

  it("a FIFO gives the bytes of many writers at once", function()
    local readers, outs, tasks = {}, {}, {}
    for i = 1, 50 do readers[i], outs[i] = pipe() end
    for i, reader in ipairs(readers) do
      tasks[i] = task.spawn(function()
        local lines = {}
        for line in reader:lines() do lines[#lines + 1] = line end
        reader:close()
        return #lines
      end)
    end
    for n = 1, 20 do
      for i, out in ipairs(outs) do out:write(("%d-%d\n"):format(i, n)) end
      task.checkpoint()
    end
    for _, out in ipairs(outs) do out:close() end
    for _, n in ipairs(task.gather(tasks)) do equal(n, 20) end
  end)
end)

describe("a cancelled wait", function()
  it("a cancelled wait loses no bytes that have come or that come later", function()
    local reader <close>, out = pipe()
    for _, half in ipairs { "", "one, ", "half and " } do
      out:write(half)
      local t = task.spawn(reader.read_line, reader)
      task.sleep(0.001)
      t:cancel()
      raises_error({ kind = "TaskCancelled" }, t.await, t)
    end
    out:write "half\nnext\n"
    equal(reader:read_line(), "one, half and half")
    equal(reader:read_line(), "next")
    out:close()
  end)

  it("a cancelled wait leaves its read in the thread pool to the next one", function()
    local text = ("0123456789\n"):rep(20000)
    local f <close> = files.with(text)
    local reader <close> = sio.open(f.path)
    local pieces = {}
    repeat
      local t = task.spawn(reader.read, reader, 1)
      task.checkpoint()
      t:cancel()
      local ok, piece = pcall(t.await, t)
      pieces[#pieces + 1] = ok and piece or nil
      pieces[#pieces + 1] = reader:read(CHUNK)
    until #table.concat(pieces) >= #text
    equal(table.concat(pieces) == text, true)
    equal(reader:read_line(), nil)
  end)

  it("a wait that is cancelled at any moment loses no line", function()
    local reader <close>, out = pipe()
    local writer = task.spawn(function()
      for i = 1, 300 do
        out:write(("line %d"):format(i))
        task.sleep(0.0001)
        out:write "\n"
      end
      out:close()
    end)
    local n, late = 0, 0
    while true do
      local in_time, line = task.move_on_after(late % 4 * 0.00005, reader.read_line, reader)
      if not in_time then
        late = late + 1
      elseif line then
        n = n + 1
        equal(line, ("line %d"):format(n))
      else
        break
      end
    end
    equal(n, 300)
    equal(late > 0, true)
    writer:await()
  end)

  it("a cancelled task does not begin to wait", function()
    local f <close> = files.with "one\n"
    local reader <close> = sio.open(f.path)
    local t = task.spawn(function() return reader:read_line() end)
    t:cancel()
    pcall(t.await, t)
    equal(reader:read_line(), "one")
  end)

  it("a cancelled open leaves nothing open", function()
    local f <close> = files.with "one\n"
    for _ = 1, 50 do
      local t = task.spawn(sio.open, f.path)
      turns(1)
      t:cancel()
      pcall(t.await, t)
    end
    collectgarbage()
  end)

  it("a cancelled wait may have had the last reference to the reader", function()
    local f <close> = files.with(("x"):rep(3 * CHUNK))
    local t = task.spawn(function() return sio.open(f.path):read_line() end)
    local weak = setmetatable({ t }, { __mode = "v" })
    turns(3)
    t:cancel()
    pcall(t.await, t)
    t = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    turns(2)
    equal(weak[1], nil)
  end)
end)

describe("close", function()
  it("close ends a wait, and refuses the next one", function()
    local reader, out = pipe()
    local t = task.spawn(reader.read_line, reader)
    turns(2)
    reader:close()
    raises_error({ kind = "IoError", code = "closed" }, t.await, t)
    misuse("the reader is closed", function() reader:read_line() end)
    misuse("the reader is closed", function() reader:read(1) end)
    misuse("the reader is closed", function() reader:lines() end)
    reader:close()
    out:close()
  end)

  it("a reader in a closing variable is closed at the end of its block", function()
    local f <close> = files.with "one\ntwo\n"
    local kept
    do
      local reader <close> = sio.open(f.path)
      kept = reader
      equal(reader:read_line(), "one")
    end
    misuse("the reader is closed", function() kept:read_line() end)
  end)

  it("close leaves a task the bytes that it was given before", function()
    local readers, outs, tasks = {}, {}, {}
    for i = 1, 2 do readers[i], outs[i] = pipe() end
    for i = 1, 2 do
      tasks[i] = task.spawn(function()
        local line = readers[i]:read_line()
        readers[3 - i]:close()
        return line
      end)
    end
    turns(2)
    for i = 1, 2 do outs[i]:write "mine\nmore\n" end -- both are there at the next look
    for i = 1, 2 do equal(tasks[i]:await(), "mine") end
    for i = 1, 2 do
      misuse("the reader is closed", function() readers[i]:read_line() end)
      outs[i]:close()
    end
  end)

  it("close does not wait for a read in the thread pool", function()
    local f <close> = files.with(("x"):rep(10 * CHUNK))
    for _ = 1, 20 do
      local reader = sio.open(f.path)
      local t = task.spawn(reader.read_line, reader)
      turns(2)
      reader:close()
      raises_error({ kind = "IoError", code = "closed", path = f.path }, t.await, t)
    end
  end)

  it("close ends the pipe for the writer", function()
    local reader, out = pipe()
    reader:close()
    turns(2)
    local ok, why = out:write "x"
    equal(ok, nil)
    equal(why:find "[Bb]roken pipe" ~= nil, true)
    pcall(out.close, out)
  end)
end)

describe("a mistake", function()
  it("a read while another task reads is refused", function()
    local reader <close>, out = pipe()
    local t = task.spawn(reader.read_line, reader)
    turns(2)
    misuse("another task reads from '.+'", function() reader:read_line() end)
    misuse("another task reads from '.+'", function() reader:read(1) end)
    out:write "x\n"
    equal(t:await(), "x")
    out:close()
  end)

  it("a mistake in an argument raises Usage at its line", function()
    local f <close> = files.with "x"
    local reader <close> = sio.open(f.path)
    misuse("bad argument #1 to 'open' %(string expected, got nil%)", function() sio.open() end)
    misuse("a NUL in the path", function() sio.open "a\0b" end)
    misuse("unknown option 'max_lin' to 'open', did you mean 'max_line'", function()
      sio.open("x", { max_lin = 1 })
    end)
    misuse("bad option 'max_line' to 'open'", function() sio.open("x", { max_line = 0 }) end)
    misuse("bad options to 'stdin'", function() sio.stdin(1) end)
    misuse("bad argument #1 to 'read' %(whole number expected, got no value%)", function()
      reader:read()
    end)
    misuse("bad argument #1 to 'read' %(at least 1 expected%)", function() reader:read(0) end)
    misuse("bad argument #1 to 'read_line' %(reader expected, got table%)", function()
      reader.read_line(sio)
    end)
  end)

  it("a mistake in a path raises IoError, with its code", function()
    local f <close> = files.temporary()
    local err = raises_error({ kind = "IoError", code = "ENOENT", path = f.path }, sio.open, f.path)
    equal(err.message, ("cannot open '%s': no such file or directory"):format(f.path))
    raises_error({ kind = "IoError", code = "EISDIR", path = "/" }, sio.open, "/")
    raises_error({ kind = "IoError", code = "ENOENT", path = "" }, sio.open, "")
    local plain <close> = files.with ""
    raises_error({ kind = "IoError", code = "ENOTDIR" }, sio.open, plain.path .. "/x")
  end)
end)
