-- SPDX-License-Identifier: MIT
-- septet.io: files that are written, what cancels and closes a wait, and locks. What a disk does
-- wrong is in tests/faults/test_disk.py.
-- check: allow blocks
local task, sio = require "septet.task", require "septet.io"
local files = require "files"

local contents = files.contents
local CHUNK = 256 * 1024 -- bytes that are written at once

describe("a file that is written", function()
  it("a file holds what was written, in order, whatever its size", function()
    local f <close> = files.temporary()
    local w <close> = sio.create(f.path)
    local parts = { "", "one", ("x"):rep(CHUNK), "\0\r\n", ("yz"):rep(CHUNK + 1), "end" }
    for _, part in ipairs(parts) do w:write(part) end
    w:close()
    equal(contents(f.path) == table.concat(parts), true)
  end)

  it("a file is emptied first, or appended to if the script asks for that", function()
    local f <close> = files.temporary()
    for _, case in ipairs { { nil, "a" }, { { append = true }, "aa" }, { { append = false }, "a" },
      { nil, "a" } } do
      local w <close> = sio.create(f.path, case[1])
      w:write "a"
      w:close()
      equal(contents(f.path), case[2])
    end
  end)

  it("the digest of a file includes what was in it before", function()
    local f <close> = files.temporary()
    local first = sio.create(f.path, { digest = "sha256" })
    equal(first:digest(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    first:write "ab"
    first:close()
    for digest, expected in pairs {
      md5 = "900150983cd24fb0d6963f7d28e17f72",
      sha1 = "a9993e364706816aba3e25717850c26c9cd0d89d",
      sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
      sha512 = "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
        .. "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    } do
      local g <close> = files.temporary()
      os.execute(("cp '%s' '%s'"):format(f.path, g.path))
      local w <close> = sio.create(g.path, { append = true, digest = digest })
      w:write "c"
      equal(w:digest(), expected)
      w:write "d"
      w:truncate()
      w:write "abc"
      equal(w:digest(), expected)
      equal(w:digest(), expected)
    end
  end)

  it("a file takes the place of another one in one step", function()
    local f <close> = files.temporary()
    local old <close> = sio.create(f.path)
    old:write "old"
    old:close()
    local w <close> = sio.create(f.part)
    w:write "new"
    w:sync()
    equal({ contents(f.path), contents(f.part) }, { "old", "new" })
    w:commit(f.path)
    equal({ contents(f.path), contents(f.part) }, { "new", nil })
  end)

  it("a relative name is in the working directory", function()
    local path = ("septet-spec-%d"):format(math.random(1 << 40))
    local w <close> = sio.create(path .. ".part")
    w:commit(path)
    equal(contents(path), "")
    os.remove(path)
  end)

  it("a file can be removed", function()
    local f <close> = files.temporary()
    local w <close> = sio.create(f.path)
    w:write "x"
    w:remove()
    w:remove()
    equal(contents(f.path), nil)
  end)

  it("writing a file does not stop other tasks", function()
    local f <close> = files.temporary()
    local w <close> = sio.create(f.path, { digest = "sha256" })
    with_ticker(function()
      for _ = 1, 20 do w:write(("x"):rep(CHUNK)) end
      w:sync()
    end)
  end)

  it("many files can be written at once", function()
    local names, writers = {}, {}
    for i = 1, 64 do names[i] = files.temporary() end
    task.gather(task.map(function(f)
      local w <close> = sio.create(f.path)
      for i = 1, 20 do w:write(("%d\n"):format(i)) end
      w:commit(f.part)
      writers[#writers + 1] = f
    end, names))
    equal(#writers, 64)
    for _, f in ipairs(names) do
      equal(#contents(f.part), 51)
      getmetatable(f).__close(f)
    end
  end)
end)

describe("a writer", function()
  it("a writer locks its file until it is closed", function()
    local f <close> = files.temporary()
    local w <close> = sio.create(f.path)
    w:write "mine"
    raises_error({ kind = "IoError", code = "EBUSY", path = f.path }, sio.create, f.path)
    equal(contents(f.path), "mine")
    w:close()
    local other <close> = sio.create(f.path, { append = true })
    other:write " and others'"
    equal(contents(f.path), "mine and others'")
  end)

  it("a writer that renamed its file does not lock the first name", function()
    local f <close> = files.temporary()
    local w <close> = sio.create(f.part)
    w:write "first"
    w:commit(f.path)
    local other <close> = sio.create(f.part)
    other:write "second"
    w:write " more"
    equal({ contents(f.path), contents(f.part) }, { "first more", "second" })
  end)

  it("a writer is closed at the end of its block, and by the collector",
    { leaks = true }, function()
    local f <close> = files.temporary()
    do
      local w <close> = sio.create(f.path) -- luacheck: ignore
    end
    local function again()
      local ok, w = pcall(sio.create, f.path)
      return ok and w
    end
    while not again() do task.checkpoint() end -- it is closed in the thread pool
    collectgarbage()
    while not again() do task.checkpoint() end
  end)

  it("a writer raises a typed error that says what is wrong", function()
    raises_error({ kind = "IoError", code = "ENOENT", path = "/nowhere/at/all" },
      sio.create, "/nowhere/at/all")
    raises_error({ kind = "IoError", code = "EISDIR" }, sio.create, "/")
    raises_error({ kind = "IoError", code = "EINVAL" }, sio.create, "/dev/null")
    local f <close> = files.temporary()
    local w <close> = sio.create(f.path)
    local err = raises_error({ kind = "IoError", code = "ENOENT", path = f.path },
      w.commit, w, "/nowhere/at/all")
    equal(err.message, ("cannot rename '%s': no such file or directory"):format(f.path))
    raises_error({ code = "ENOENT" }, w.write, w, "x") -- what has failed is not tried again
    raises_error({ code = "ENOENT" }, w.sync, w)
    equal(w:size(), 0)
    w:remove()
    w:close()
  end)

  it("a writer refuses misuse", function()
    local f <close> = files.temporary()
    misuse("bad argument #1 to 'create' %(string expected, got nil%)", function() sio.create() end)
    misuse("a NUL in the path", function() sio.create("a\0b") end)
    misuse("unknown option 'apend' to 'create', did you mean 'append'%?", function()
      sio.create(f.path, { apend = true })
    end)
    local words = "bad option 'digest' to 'create' "
      .. "%(sha256, sha512, sha1 or md5 expected, got 'crc'%)"
    misuse(words, function()
      sio.create(f.path, { digest = "crc" })
    end)
    equal(contents(f.path), nil)
    local w <close> = sio.create(f.path)
    misuse("string expected, got nil", function() w:write(nil) end)
    misuse("string expected, got table", function() w:write({}) end)
    misuse("no digest of .* is kept", function() w:digest() end)
    w:close()
    misuse("is closed", function() w:write "x" end)
  end)
end)

describe("a wait for the disk", function()
  it("a wait for the disk is cancelled at once, and the next one waits for what it left", function()
    local f <close> = files.temporary()
    local w <close> = sio.create(f.path)
    local t = task.spawn(w.write, w, ("x"):rep(8 * CHUNK))
    task.checkpoint()
    misuse("another task writes", function() w:sync() end)
    t:cancel()
    task.wait { t }
    equal(t:status(), "cancelled")
    local size = w:size()
    w:write "end"
    local got = contents(f.path)
    equal(#got, size + 3)
    equal(got:sub(-3), "end")
    equal(#got > 3 and #got <= 8 * CHUNK, true) -- what had begun, and no more
    equal(got:sub(1, -4):find "[^x]", nil)
  end)

  it("a file whose open is cancelled is free again", { leaks = true }, function()
    local f <close> = files.temporary()
    local t = task.spawn(sio.create, f.path)
    task.checkpoint()
    t:cancel()
    task.wait { t }
    equal(t:status(), "cancelled")
    while not pcall(sio.create, f.path) do task.checkpoint() end
  end)

  it("a cancelled commit leaves the old file or the new one", function()
    local f <close> = files.temporary()
    for i = 1, many(100) do
      local w <close> = sio.create(f.part)
      w:write(("%d"):format(i))
      local before = contents(f.path)
      local t = task.spawn(w.commit, w, f.path)
      for _ = 1, i % 7 do task.checkpoint() end
      t:cancel()
      task.wait { t }
      pcall(w.close, w)
      local after = contents(f.path)
      equal(after == before or after == tostring(i), true)
      if t:status() == "done" then equal(after, tostring(i)) end
      if contents(f.part) then equal(after, before) end
    end
  end)

  it("a cancelled close goes on, and the next wait waits for it", function()
    local f <close> = files.temporary()
    for i = 1, many(100) do
      local w <close> = sio.create(f.path)
      local t = task.spawn(w.close, w)
      for _ = 1, i % 5 do task.checkpoint() end
      t:cancel()
      task.wait { t }
      w:close()
    end
  end)

  it("a wait for the disk ends when another task closes the file", function()
    local f <close> = files.temporary()
    local w = sio.create(f.path)
    local t = task.spawn(w.write, w, ("x"):rep(8 * CHUNK))
    task.checkpoint()
    do
      local closing <close> = w -- luacheck: ignore
    end
    raises_error({ kind = "IoError", code = "closed", path = f.path }, t.await, t)
  end)
end)
