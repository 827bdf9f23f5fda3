-- SPDX-License-Identifier: MIT
-- septet.fs: single files and folders, what each function returns and raises, and what a
-- cancellation leaves.
-- check: allow blocks
local task, fs = require "septet.task", require "septet.fs"
local helpers, ticker = require "helpers", require "ticker"

local ODD = "a\nb \255'\"\\x" -- any bytes make a name

local function io_error(code, path, fn, ...)
  local err = raises_error({ kind = "IoError", code = code, path = path }, fn, ...)
  equal(type(err.operation), "string")
  return err
end

local FAST = "/dev/shm" -- a file system in memory, if there is one

-- Runs fn with a folder, which is removed afterwards.
local function in_folder(fn)
  return function()
    local folder <close> = fs.temp_dir { dir = fs.exists(FAST) and FAST or nil }
    fn(folder.path)
  end
end

local function shell(command)
  assert(os.execute(command))
end

local function descriptors()
  local n = 0
  for _ in fs.walk "/proc/self/fd" do n = n + 1 end
  return n
end

-- Waits until what a job of the pool does later has been done.
local function eventually(fn)
  local deadline = task.now() + 20
  while not fn() do
    assert(task.now() < deadline, "it never happens")
    task.sleep(0.002)
  end
end

describe("stat", function()
  it("a file has its type, size, times and permissions", in_folder(function(dir)
    fs.write(dir .. "/f", "hello", { mode = tonumber("640", 8) })
    local info = fs.stat(dir .. "/f")
    equal(info.type, "file")
    equal(info.size, 5)
    equal(info.mode, tonumber("640", 8))
    equal(info.links, 1)
    equal(math.abs(info.mtime - os.time()) < 1000, true)
    equal(math.type(info.inode), "integer")
    equal(fs.stat(dir).type, "directory")
  end))

  it("a link is followed, unless it is asked for", in_folder(function(dir)
    fs.write(dir .. "/f", "hello")
    shell(("ln -s f '%s/l'; ln -s none '%s/broken'"):format(dir, dir))
    equal(fs.stat(dir .. "/l").type, "file")
    equal(fs.stat(dir .. "/l", { links = true }).type, "link")
    io_error("ENOENT", dir .. "/broken", fs.stat, dir .. "/broken")
    equal(fs.stat(dir .. "/broken", { links = true }).type, "link")
  end))

  it("a loop of links is an error", in_folder(function(dir)
    shell(("ln -s b '%s/a'; ln -s a '%s/b'"):format(dir, dir))
    io_error("ELOOP", dir .. "/a", fs.stat, dir .. "/a")
    io_error("ELOOP", dir .. "/a", fs.exists, dir .. "/a")
    io_error("ELOOP", dir .. "/a", fs.read, dir .. "/a")
    io_error("ELOOP", dir .. "/a", fs.write, dir .. "/a", "x")
    fs.remove(dir .. "/a")
    equal(fs.exists(dir .. "/b"), false)
  end))

  it("exists tells a file from none", in_folder(function(dir)
    equal(fs.exists(dir), true)
    equal(fs.exists(dir .. "/none"), false)
    fs.append(dir .. "/f", "")
    equal(fs.exists(dir .. "/f/none"), false) -- no folder
  end))

  it("devices and FIFOs have their types", in_folder(function(dir)
    shell(("mkfifo '%s/p'"):format(dir))
    equal(fs.stat(dir .. "/p").type, "fifo")
    equal(fs.stat("/dev/null").type, "char")
  end))
end)

describe("read", function()
  it("a file gives its bytes", in_folder(function(dir)
    for _, text in ipairs { "", "x", "a\0b\r\n", ("0123456789abcdef"):rep(100000) } do
      fs.write(dir .. "/f", text)
      equal(fs.read(dir .. "/f") == text, true)
    end
  end))

  it("a limit counts bytes", in_folder(function(dir)
    fs.write(dir .. "/f", "12345")
    equal(fs.read(dir .. "/f", { max = 5 }), "12345")
    local err = io_error("too_big", dir .. "/f", fs.read, dir .. "/f", { max = 4 })
    equal(err.message, ("cannot read '%s': larger than its limit 'max'"):format(dir .. "/f"))
    fs.write(dir .. "/f", "")
    equal(fs.read(dir .. "/f", { max = 0 }), "")
  end))

  it("a limit holds for a file whose size is not known", function()
    equal(#fs.read "/proc/self/status" > 100, true)
    io_error("too_big", "/proc/self/status", fs.read, "/proc/self/status", { max = 100 })
  end)

  it("what is no regular file is refused, and never waited for", in_folder(function(dir)
    shell(("mkfifo '%s/p'"):format(dir))
    io_error("EINVAL", dir .. "/p", fs.read, dir .. "/p")
    io_error("EINVAL", "/dev/zero", fs.read, "/dev/zero")
    io_error("EISDIR", dir, fs.read, dir)
    io_error("EISDIR", dir, fs.read, dir, { special = true })
    io_error("ENOENT", dir .. "/none", fs.read, dir .. "/none")
    equal(fs.read(dir .. "/p", { special = true }), "") -- it has no writer
    io_error("too_big", "/dev/zero", fs.read, "/dev/zero", { special = true, max = 1000000 })
    local writer <close> = assert(io.open(dir .. "/p", "r+"))
    io_error("EAGAIN", dir .. "/p", fs.read, dir .. "/p", { special = true })
    writer:write "now"
    writer:flush()
    raises_error({ code = "EAGAIN" }, fs.read, dir .. "/p", { special = true })
  end))
end)

describe("write", function()
  it("a new file has the usual permissions, a replaced one those it had", in_folder(function(dir)
    fs.write(dir .. "/f", "one")
    assert(io.open(dir .. "/plain", "w")):close()
    equal(fs.stat(dir .. "/f").mode, fs.stat(dir .. "/plain").mode)
    shell(("chmod 604 '%s/f'"):format(dir))
    local before = fs.stat(dir .. "/f").inode
    fs.write(dir .. "/f", "two")
    equal(fs.stat(dir .. "/f").mode, tonumber("604", 8))
    equal(fs.stat(dir .. "/f").inode ~= before, true)
    fs.write(dir .. "/f", "three", { mode = tonumber("600", 8) })
    equal(fs.stat(dir .. "/f").mode, tonumber("600", 8))
    equal(fs.list(dir), { "f", "plain" })
  end))

  it("a link is followed", in_folder(function(dir)
    fs.mkdir(dir .. "/d")
    shell(("ln -s d/f '%s/l'"):format(dir))
    fs.write(dir .. "/l", "through")
    equal(fs.read(dir .. "/d/f"), "through")
    fs.write(dir .. "/l", "again")
    equal(fs.read(dir .. "/d/f"), "again")
    equal(fs.stat(dir .. "/l", { links = true }).type, "link")
    equal(fs.list(dir .. "/d"), { "f" })
  end))

  it("in place, a file keeps its other names", in_folder(function(dir)
    fs.write(dir .. "/f", "a longer text")
    shell(("ln '%s/f' '%s/g'"):format(dir, dir))
    fs.write(dir .. "/f", "short", { atomic = false })
    equal(fs.read(dir .. "/g"), "short")
    fs.write(dir .. "/f", "new")
    equal(fs.read(dir .. "/g"), "short")
  end))

  it("a large file is whole", in_folder(function(dir)
    local text = ("0123456789abcde\n"):rep(200000)
    for _, options in ipairs { {}, { atomic = false }, { sync = false } } do
      fs.write(dir .. "/f", text, options)
      equal(fs.read(dir .. "/f") == text, true)
    end
  end))

  it("only a regular file is replaced", in_folder(function(dir)
    shell(("mkfifo '%s/p'"):format(dir))
    for _, atomic in ipairs { true, false } do
      io_error("EINVAL", dir .. "/p", fs.write, dir .. "/p", "x", { atomic = atomic })
      io_error("EISDIR", dir, fs.write, dir, "x", { atomic = atomic })
      io_error("ENOENT", dir .. "/no/f", fs.write, dir .. "/no/f", "x", { atomic = atomic })
    end
    equal(fs.list(dir), { "p" })
  end))

  it("two writers of a file leave one of the two, and no temporary", in_folder(function(dir)
    local one, two = ("1"):rep(1000000), ("2"):rep(1000000)
    for _ = 1, 5 do
      local a = task.spawn(fs.write, dir .. "/f", one, { sync = false })
      local b = task.spawn(fs.write, dir .. "/f", two, { sync = false })
      a:await()
      b:await()
      local got = fs.read(dir .. "/f")
      equal(got == one or got == two, true)
      equal(fs.list(dir), { "f" })
    end
  end))

  it("names may have any bytes", in_folder(function(dir)
    local path = dir .. "/" .. ODD
    fs.write(path, "odd")
    equal(fs.read(path), "odd")
    equal(fs.list(dir), { ODD })
    local long = dir .. "/" .. ("n"):rep(255)
    fs.write(long, "long")
    equal(fs.read(long), "long")
    io_error("ENAMETOOLONG", long .. "n", fs.write, long .. "n", "x")
    fs.remove(path)
    raises("a NUL in the path", fs.read, "a\0b")
    raises("a NUL in the path", fs.temp_dir, { dir = "/tmp\0x" })
  end))
end)

describe("append", function()
  it("bytes go behind those that are there", in_folder(function(dir)
    fs.append(dir .. "/f", "one\n")
    fs.append(dir .. "/f", "")
    fs.append(dir .. "/f", "two\n", { sync = true })
    equal(fs.read(dir .. "/f"), "one\ntwo\n")
  end))

  it("lines of many tasks are not mixed", in_folder(function(dir)
    local tasks = {}
    for i = 1, 40 do
      tasks[i] = task.spawn(fs.append, dir .. "/f", ("%d"):format(i % 10):rep(9999) .. "\n")
    end
    for _, t in ipairs(tasks) do t:await() end
    local n = 0
    for line in io.lines(dir .. "/f") do
      n = n + 1
      equal(line == line:sub(1, 1):rep(9999), true)
    end
    equal(n, 40)
  end))

  it("a full device is an error, and one that is not asked for is refused", function()
    io_error("ENOSPC", "/dev/full", fs.append, "/dev/full", "x", { special = true })
    io_error("EINVAL", "/dev/full", fs.append, "/dev/full", "x")
    fs.append("/dev/null", "x", { special = true })
  end)

  it("a FIFO without a reader is not waited for", in_folder(function(dir)
    shell(("mkfifo '%s/p'"):format(dir))
    io_error("ENXIO", dir .. "/p", fs.append, dir .. "/p", "x", { special = true })
    local reader <close> = assert(io.open(dir .. "/p", "r+"))
    io_error("EAGAIN", dir .. "/p", fs.append, dir .. "/p", ("x"):rep(200000), { special = true })
    equal(io.type(reader), "file")
  end))
end)

it("truncate cuts a file, and extends it by zeros", in_folder(function(dir)
  fs.write(dir .. "/f", "12345")
  fs.truncate(dir .. "/f", 2)
  equal(fs.read(dir .. "/f"), "12")
  fs.truncate(dir .. "/f", 4)
  equal(fs.read(dir .. "/f"), "12\0\0")
  fs.truncate(dir .. "/f")
  equal(fs.read(dir .. "/f"), "")
  io_error("EISDIR", dir, fs.truncate, dir)
  shell(("mkfifo '%s/p'"):format(dir))
  raises_error({ kind = "IoError" }, fs.truncate, dir .. "/p")
  io_error("ENOENT", dir .. "/no", fs.truncate, dir .. "/no")
end))

describe("mkdir", function()
  it("a folder is made, with those above it if that is asked for", in_folder(function(dir)
    fs.mkdir(dir .. "/a")
    io_error("EEXIST", dir .. "/a", fs.mkdir, dir .. "/a")
    io_error("ENOENT", dir .. "/b/c", fs.mkdir, dir .. "/b/c")
    fs.mkdir(dir .. "/b//c/./d///", { parents = true })
    fs.mkdir(dir .. "/b/c", { parents = true })
    equal(fs.stat(dir .. "/b/c/d").type, "directory")
    fs.append(dir .. "/f", "x")
    io_error("EEXIST", dir .. "/f", fs.mkdir, dir .. "/f", { parents = true })
    raises_error({ code = "ENOTDIR" }, fs.mkdir, dir .. "/f/g", { parents = true })
  end))

  it("permissions are those asked for, whatever the umask", in_folder(function(dir)
    fs.mkdir(dir .. "/a", { mode = tonumber("777", 8) })
    equal(fs.stat(dir .. "/a").mode, tonumber("777", 8))
  end))
end)

it("rename replaces a file, and moves a folder", in_folder(function(dir)
  fs.write(dir .. "/a", "a")
  fs.write(dir .. "/b", "b")
  fs.rename(dir .. "/a", dir .. "/b")
  equal(fs.read(dir .. "/b"), "a")
  fs.mkdir(dir .. "/d/e", { parents = true })
  fs.rename(dir .. "/d", dir .. "/c")
  equal(fs.list(dir), { "b", "c" })
  io_error("ENOENT", dir .. "/none", fs.rename, dir .. "/none", dir .. "/x")
  raises_error({ code = "EINVAL" }, fs.rename, dir .. "/c", dir .. "/c/e/f")
end))

describe("remove", function()
  it("a file, a link and an empty folder are removed", in_folder(function(dir)
    fs.write(dir .. "/f", "x")
    fs.mkdir(dir .. "/d")
    shell(("ln -s d '%s/l'; ln -s none '%s/broken'"):format(dir, dir))
    for _, name in ipairs { "f", "l", "broken", "d/" } do fs.remove(dir .. "/" .. name) end
    equal(fs.list(dir), {})
    io_error("ENOENT", dir .. "/f", fs.remove, dir .. "/f")
    io_error("ENOENT", dir .. "/f", fs.remove, dir .. "/f", { recursive = true })
  end))

  it("a folder with contents is removed only if that is asked for", in_folder(function(dir)
    shell(("cd '%s' && mkdir -p a/b/c && touch a/x a/b/y a/b/c/z && mkfifo a/p"):format(dir))
    io_error("ENOTEMPTY", dir .. "/a", fs.remove, dir .. "/a")
    fs.remove(dir .. "/a", { recursive = true })
    equal(fs.list(dir), {})
  end))

  it("no link is followed", in_folder(function(dir)
    shell(("cd '%s' && mkdir -p keep tree/in && touch keep/f && ln -s ../keep tree/l "
      .. "&& ln -s ../../keep tree/in/l && ln -s / tree/root"):format(dir))
    fs.remove(dir .. "/tree", { recursive = true })
    equal(fs.list(dir .. "/keep"), { "f" })
    shell(("ln -s keep '%s/l'"):format(dir))
    fs.remove(dir .. "/l", { recursive = true })
    equal(fs.list(dir .. "/keep"), { "f" })
    shell(("ln -s keep '%s/l'"):format(dir))
    io_error("ENOTDIR", dir .. "/l/", fs.remove, dir .. "/l/", { recursive = true })
  end))

  it("a path without a name of its own is refused", in_folder(function(dir)
    for _, path in ipairs { dir .. "/.", dir .. "/..", "/", "/..//" } do
      io_error("EINVAL", path, fs.remove, path, { recursive = true })
    end
    io_error("ENOENT", "", fs.remove, "", { recursive = true })
  end))

  it("names of any bytes, and many of them, are removed", in_folder(function(dir)
    fs.mkdir(dir .. "/t/" .. ODD, { parents = true })
    fs.append(dir .. "/t/" .. ODD .. "/" .. ODD, "x")
    shell(("cd '%s/t' && seq 2000 | xargs touch"):format(dir))
    fs.remove(dir .. "/t", { recursive = true })
    equal(fs.list(dir), {})
  end))
end)

describe("copy", function()
  it("a file is copied with its permissions", in_folder(function(dir)
    local text = ("0123456789abcdef"):rep(70000)
    fs.write(dir .. "/a", text, { mode = tonumber("751", 8) })
    fs.copy(dir .. "/a", dir .. "/b")
    equal(fs.read(dir .. "/b") == text, true)
    equal(fs.stat(dir .. "/b").mode, tonumber("751", 8))
    fs.copy("/proc/self/status", dir .. "/status") -- a size of 0
    helpers.has(fs.read(dir .. "/status"), "VmRSS")
  end))

  it("nothing is replaced unless that is asked for", in_folder(function(dir)
    fs.write(dir .. "/a", "a")
    fs.write(dir .. "/b", "b")
    fs.mkdir(dir .. "/d")
    io_error("EEXIST", dir .. "/b", fs.copy, dir .. "/a", dir .. "/b")
    equal(fs.read(dir .. "/b"), "b")
    fs.copy(dir .. "/a", dir .. "/b", { overwrite = true })
    equal(fs.read(dir .. "/b"), "a")
    fs.copy(dir .. "/a", dir .. "/a", { overwrite = true })
    equal(fs.read(dir .. "/a"), "a")
    io_error("EISDIR", dir .. "/d", fs.copy, dir .. "/a", dir .. "/d", { overwrite = true })
    io_error("EISDIR", dir .. "/d", fs.copy, dir .. "/d", dir .. "/e")
    io_error("ENOENT", dir .. "/no", fs.copy, dir .. "/no", dir .. "/e")
    io_error("ENOENT", dir .. "/no/e", fs.copy, dir .. "/a", dir .. "/no/e")
    io_error("EINVAL", "/dev/zero", fs.copy, "/dev/zero", dir .. "/e")
    equal(fs.list(dir), { "a", "b", "d" })
  end))

  it("a folder is copied with links as links, and with the permissions", in_folder(function(dir)
    shell(("cd '%s' && mkdir -p t/in/deep && echo x >t/in/f && ln -s in/f t/l && ln -s / t/root "
      .. "&& echo y >t/in/deep/g && chmod 555 t/in"):format(dir))
    fs.copy(dir .. "/t", dir .. "/u", { recursive = true })
    equal(fs.read(dir .. "/u/in/deep/g"), "y\n")
    equal(fs.stat(dir .. "/u/l", { links = true }).type, "link")
    equal(fs.stat(dir .. "/u/root", { links = true }).type, "link")
    equal(fs.stat(dir .. "/u/in").mode, tonumber("555", 8))
    io_error("EEXIST", dir .. "/u", fs.copy, dir .. "/t", dir .. "/u", { recursive = true })
    shell(("chmod 755 '%s/u/in' '%s/t/in'; rm '%s/u/in/f'"):format(dir, dir, dir))
    fs.copy(dir .. "/t", dir .. "/u", { recursive = true, overwrite = true })
    equal(fs.read(dir .. "/u/in/f"), "x\n")
  end))

  it("a folder is not copied into itself, and a failed copy is removed", in_folder(function(dir)
    shell(("cd '%s' && mkdir -p t/a/b && touch t/a/b/f"):format(dir))
    raises_error({ code = "EINVAL" }, fs.copy, dir .. "/t", dir .. "/t/a/c", { recursive = true })
    equal(fs.list(dir .. "/t/a"), { "b" })
    shell(("mkfifo '%s/t/p'"):format(dir))
    io_error("EINVAL", dir .. "/t/p", fs.copy, dir .. "/t", dir .. "/u", { recursive = true })
    equal(fs.list(dir), { "t" })
  end))
end)

describe("temporary", function()
  it("a file and a folder are gone with their scope", function()
    local paths
    do
      local file <close> = fs.temp_file()
      local folder <close> = fs.temp_dir()
      paths = { file.path, folder.path }
      equal(fs.stat(file.path).mode, tonumber("600", 8))
      equal(fs.stat(folder.path).mode, tonumber("700", 8))
      fs.write(file.path, "replaced")
      fs.mkdir(folder.path .. "/a/b", { parents = true })
      fs.append(folder.path .. "/a/b/f", "x")
    end
    for _, path in ipairs(paths) do equal(fs.exists(path), false) end
  end)

  it("they are gone after an error, a cancellation, and when they are collected", function()
    local path
    raises("lost", function()
      local file <close> = fs.temp_file()
      path = file.path
      error "lost"
    end)
    equal(fs.exists(path), false)
    local t = task.spawn(function()
      local folder <close> = fs.temp_dir()
      path = folder.path
      fs.append(path .. "/f", "x")
      task.sleep(1000)
    end)
    eventually(function() return path and fs.exists(path .. "/f") end)
    t:cancel()
    task.wait { t }
    equal(fs.exists(path), false)
    path = fs.temp_file().path
    collectgarbage()
    collectgarbage()
    eventually(function() return not fs.exists(path) end)
  end)

  it("what the script has removed, or put in its place, is no harm", in_folder(function(dir)
    local kept
    do
      local folder <close> = fs.temp_dir { dir = dir }
      local file <close> = fs.temp_file { dir = dir }
      kept = folder.path
      fs.rename(folder.path, dir .. "/moved")
      fs.mkdir(folder.path)
      fs.append(folder.path .. "/f", "another's")
      fs.remove(file.path)
      file:close()
    end
    equal(fs.read(kept .. "/f"), "another's")
    equal(#fs.list(dir), 2)
  end))

  it("no link in a folder is followed", in_folder(function(dir)
    fs.write(dir .. "/keep", "x")
    do
      local folder <close> = fs.temp_dir()
      shell(("ln -s '%s' '%s/l'"):format(dir, folder.path))
    end
    equal(fs.read(dir .. "/keep"), "x")
  end))

  it("a cancelled one leaves nothing", in_folder(function(dir)
    for i = 0, 20 do
      local t = task.spawn(fs.temp_file, { dir = dir })
      for _ = 1, i % 7 do task.checkpoint() end
      t:cancel()
      task.wait { t }
    end
    collectgarbage()
    eventually(function() return #fs.list(dir) == 0 end)
  end))
end)

describe("a cancellation", function()
  it("leaves the old file or the new one, and no temporary", in_folder(function(dir)
    local old, new = "old", ("x"):rep(3 * 1024 * 1024)
    fs.write(dir .. "/f", old)
    for i = 0, 30 do
      local t = task.spawn(fs.write, dir .. "/f", new, { sync = false })
      for _ = 1, i do task.sleep(i < 15 and 0 or 0.0002) end
      t:cancel()
      task.wait { t }
      eventually(function() return #fs.list(dir) == 1 end)
      local size = fs.stat(dir .. "/f").size
      equal(size == #old or size == #new, true)
    end
  end))

  it("removes a copy that is not whole", in_folder(function(dir)
    fs.write(dir .. "/a", ("x"):rep(4 * 1024 * 1024), { sync = false })
    for i = 0, 20 do
      local t = task.spawn(fs.copy, dir .. "/a", dir .. "/b")
      for _ = 1, i do task.sleep(0) end
      t:cancel()
      local done = pcall(t.await, t)
      if done then
        equal(fs.stat(dir .. "/b").size, 4 * 1024 * 1024)
        fs.remove(dir .. "/b")
      end
      eventually(function()
        local there, info = pcall(fs.stat, dir .. "/b")
        if there and info.size == 4 * 1024 * 1024 then
          pcall(fs.remove, dir .. "/b") -- it was whole before the cancellation
        end
        return #fs.list(dir) == 1
      end)
    end
  end))

  it("removes a copied folder that is not whole", in_folder(function(dir)
    shell(("cd '%s' && mkdir -p t/a t/b && cd t/a && seq 1000 | xargs touch"):format(dir))
    local whole = 0
    for i = 0, 10 do
      local t = task.spawn(fs.copy, dir .. "/t", dir .. "/u", { recursive = true })
      for _ = 1, i do task.sleep(0) end
      t:cancel()
      task.wait { t }
      eventually(function()
        if not fs.exists(dir .. "/u") then return true end
        local ok, names = pcall(fs.list, dir .. "/u/a")
        if not ok or #names < 1000 or not fs.exists(dir .. "/u/b") then return false end
        whole = whole + 1
        fs.remove(dir .. "/u", { recursive = true })
        return true
      end)
    end
    equal(whole <= 11, true)
  end))

  it("before the call refuses it", in_folder(function(dir)
    local t = task.spawn(function()
      task.current():cancel()
      fs.write(dir .. "/f", "x")
    end)
    task.wait { t }
    equal(fs.list(dir), {})
  end))
end)

describe("the loop", function()
  it("is free while files are written, read, copied and removed", in_folder(function(dir)
    local text = ("0123456789abcdef"):rep(65536) -- 1 MiB
    for what, fn in pairs {
      write = function() fs.write(dir .. "/f", text) end,
      read = function() equal(#fs.read(dir .. "/r"), #text) end,
      copy = function() fs.copy(dir .. "/r", dir .. "/c", { overwrite = true }) end,
      append = function() fs.append(dir .. "/g", text, { sync = true }) end,
      remove = function()
        shell(("mkdir '%s/t' && cd '%s/t' && seq 300 | xargs touch"):format(dir, dir))
        fs.remove(dir .. "/t", { recursive = true })
      end,
    } do
      fs.write(dir .. "/r", text)
      local ok, err = pcall(ticker.waits, function() for _ = 1, 10 do fn() end end)
      if not ok then error(("%s: %s"):format(what, err), 0) end
    end
  end))
end)

it("no descriptor is left", in_folder(function(dir)
  collectgarbage()
  local before = descriptors()
  fs.write(dir .. "/f", "x")
  pcall(fs.read, dir .. "/f", { max = 0 })
  pcall(fs.read, dir)
  pcall(fs.copy, dir .. "/f", dir .. "/no/x")
  pcall(fs.copy, dir, dir .. "/in", { recursive = true })
  pcall(fs.append, dir, "x")
  pcall(fs.remove, dir .. "/no/x", { recursive = true })
  for _ in fs.walk(dir) do break end
  eventually(function() return descriptors() == before end)
end))

describe("mistakes", function()
  it("wrong arguments and options raise Usage", function()
    misuse("unknown option 'recursiv' to 'remove', did you mean 'recursive'", function()
      fs.remove("x", { recursiv = true })
    end)
    misuse("bad argument #1 to 'read'", function() fs.read() end)
    misuse("bad argument #2 to 'write'", function() fs.write("x", 1) end)
    misuse("bad option 'max' to 'read'", function() fs.read("x", { max = -1 }) end)
    for _, mode in ipairs { -1, 4096, 1.5, "644" } do
      misuse("bad option 'mode' to 'mkdir' %(permissions from 0 to 0xFFF",
        function() fs.mkdir("x", { mode = mode }) end)
      misuse("bad option 'mode' to 'write'", function() fs.write("x", "", { mode = mode }) end)
      misuse("bad option 'mode' to 'append'", function() fs.append("x", "", { mode = mode }) end)
    end
    misuse("bad argument #2 to 'truncate'", function() fs.truncate("x", 1.5) end)
    misuse("has no field 'unlink', did you mean 'remove'", function() return fs.unlink end)
  end)
end)
