-- SPDX-License-Identifier: MIT
-- fs.watch and fs.tail: what changes is told, also where much changes at once, and a file is read
-- on wherever it goes.
-- check: allow blocks
local task, fs = require "septet.task", require "septet.fs"
local helpers, ticker = require "helpers", require "ticker"

local function in_folder(fn)
  return function()
    local folder <close> = fs.temp_dir()
    fn(folder.path)
  end
end

-- Changes a file without a wait.
local function put(path, text, mode)
  local file <close> = assert(io.open(path, mode or "wb"))
  file:write(text)
end

-- Returns a task that collects what an iterator has, as `word(value)`, until that returns "stop".
local function collector(step, state, word)
  return task.spawn(function()
    local got = {}
    for value in step, state do
      local w = word(value)
      if w == "stop" then break end
      got[#got + 1] = w
    end
    return got
  end)
end

local function short(event)
  if event.name == "stop" then return "stop" end
  return ("%s %s"):format(event.type, event.name or "-")
end

-- Returns the list without what follows itself.
local function distinct(list)
  local found, seen = {}, {}
  for _, word in ipairs(list) do
    if not seen[word] then found[#found + 1] = word end
    seen[word] = true
  end
  return found
end

describe("watch", function()
  it("what happens to the files of a folder is told", in_folder(function(dir)
    put(dir .. "/old", "x")
    local step <close>, state = fs.watch(dir)
    put(dir .. "/new", "x")
    equal(step(state), { type = "rename", path = dir .. "/new", name = "new" })
    equal(step(state), { type = "change", path = dir .. "/new", name = "new" })
    os.rename(dir .. "/old", dir .. "/moved")
    equal(step(state), { type = "rename", path = dir .. "/old", name = "old" })
    equal(step(state), { type = "rename", path = dir .. "/moved", name = "moved" })
    os.remove(dir .. "/moved")
    equal(step(state), { type = "rename", path = dir .. "/moved", name = "moved" })
    assert(os.execute(("chmod 600 '%s/new'"):format(dir)))
    equal(step(state), { type = "change", path = dir .. "/new", name = "new" })
  end))

  it("equal events that follow each other are one", in_folder(function(dir)
    local step <close>, state = fs.watch(dir)
    for _ = 1, 100 do put(dir .. "/f", "x", "ab") end
    put(dir .. "/stop", "")
    equal(collector(step, state, short):await(), { "rename f", "change f" })
  end))

  it("names of any bytes are told", in_folder(function(dir)
    local odd = "a\nb \255"
    local step <close>, state = fs.watch(dir)
    put(dir .. "/" .. odd, "")
    equal(step(state).name, odd)
  end))

  it("it ends once the folder is removed", in_folder(function(dir)
    fs.mkdir(dir .. "/d")
    local step <close>, state = fs.watch(dir .. "/d")
    local t = collector(step, state, short)
    put(dir .. "/d/f", "")
    fs.remove(dir .. "/d", { recursive = true })
    equal(distinct(t:await()), { "rename f" })
    equal(step(state), nil)
  end))

  it("a file that is replaced is still watched, and others are not", in_folder(function(dir)
    fs.write(dir .. "/f", "x")
    local step <close>, state = fs.watch(dir .. "/f")
    for _ = 1, 3 do
      put(dir .. "/other", "x", "ab")
      fs.write(dir .. "/f", "y")
      equal(step(state), { type = "rename", path = dir .. "/f" })
    end
    put(dir .. "/f", "z", "ab")
    equal(step(state), { type = "change", path = dir .. "/f" })
  end))

  it("a file that a link leads to is watched", in_folder(function(dir)
    fs.mkdir(dir .. "/d")
    put(dir .. "/d/f", "x")
    assert(os.execute(("ln -s d/f '%s/l'"):format(dir)))
    local step <close>, state = fs.watch(dir .. "/l")
    put(dir .. "/d/f", "y", "ab")
    equal(step(state), { type = "change", path = dir .. "/l" })
  end))

  it("two watches of one folder see all, and ending one leaves the other", in_folder(function(dir)
    local watch <close> = fs.watch(dir)
    local other <close> = fs.watch(dir .. "/.")
    put(dir .. "/f", "")
    equal(watch().name, "f")
    equal(other().name, "f")
    do
      local ends <close> = other
      equal(ends ~= nil, true)
    end
    equal(other(), nil)
    put(dir .. "/g", "")
    equal(watch().name, "g")
    watch:close()
    equal(watch(), nil)
  end))

  it("a cancelled wait loses no event", in_folder(function(dir)
    local step <close>, state = fs.watch(dir)
    local t = task.spawn(step, state)
    task.checkpoint()
    t:cancel()
    put(dir .. "/f", "")
    task.wait { t }
    equal(step(state).name, "f")
  end))

  it("what is not there cannot be watched", in_folder(function(dir)
    raises_error({ kind = "IoError", code = "ENOENT", path = dir .. "/no" }, fs.watch, dir .. "/no")
    misuse("unknown option 'recursiv' to 'watch'", function() fs.watch("x", { recursiv = 1 }) end)
  end))
end)

describe("too many events", function()
  it("more than the queue has room for are told as an overflow", in_folder(function(dir)
    local step <close>, state = fs.watch(dir, { queue = 4 })
    for i = 1, 20 do put(("%s/%d"):format(dir, i), "") end
    local got = {}
    for i = 1, 5 do got[i] = step(state).type end
    equal(got, { "rename", "rename", "rename", "rename", "overflow" })
    put(dir .. "/after", "")
    local event = step(state)
    equal(event.type ~= "overflow" and event.name, "after")
  end))

  it("more than the kernel has room for are told as an overflow", in_folder(function(dir)
    local limit = tonumber(io.lines "/proc/sys/fs/inotify/max_queued_events"())
    local step <close>, state = fs.watch(dir, { queue = 1000000 })
    local a <close> = assert(io.open(dir .. "/a", "wb"))
    local b <close> = assert(io.open(dir .. "/b", "wb"))
    a:setvbuf "no"
    b:setvbuf "no"
    for _ = 1, limit // 2 + 10 do
      a:write "x"
      b:write "x"
    end
    local n, overflow = 0
    repeat
      n = n + 1
      overflow = step(state).type == "overflow"
    until overflow
    equal(n >= limit // 2, true)
    put(dir .. "/after", "")
    equal(step(state).name, "after")
  end))

  it("a recursive watch finds folders that it has not heard of", in_folder(function(dir)
    local step <close>, state = fs.watch(dir, { queue = 2, recursive = true })
    for i = 1, 9 do fs.mkdir(("%s/%d"):format(dir, i)) end
    repeat local event = step(state) until event.type == "overflow"
    put(dir .. "/9/f", "")
    repeat local event = step(state) until event.name == "9/f"
  end))
end)

describe("a recursive watch", function()
  it("folders in folders are watched, and new ones", in_folder(function(dir)
    fs.mkdir(dir .. "/a/b", { parents = true })
    local step <close>, state = fs.watch(dir, { recursive = true })
    local t = collector(step, state, short)
    put(dir .. "/a/b/f", "")
    fs.mkdir(dir .. "/a/new/in", { parents = true })
    put(dir .. "/a/new/in/f", "")
    fs.rename(dir .. "/a/new", dir .. "/moved")
    task.sleep(0)
    put(dir .. "/a/b/last", "")
    put(dir .. "/stop", "")
    local words = table.concat(distinct(t:await()), ",")
    for _, word in ipairs { "rename a/b/f", "rename a/new", "rename moved", "rename a/b/last" } do
      helpers.has(words, word)
    end
  end))

  it("a folder that moved is watched by its new name only", in_folder(function(dir)
    fs.mkdir(dir .. "/a/b", { parents = true })
    local step <close>, state = fs.watch(dir, { recursive = true })
    fs.rename(dir .. "/a", dir .. "/c")
    repeat local event = step(state) until event.name == "c/b" -- as it was found in the new folder
    put(dir .. "/c/b/f", "")
    equal(step(state), { type = "rename", path = dir .. "/c/b/f", name = "c/b/f" })
    put(dir .. "/stop", "")
    equal(collector(step, state, short):await(), {})
  end))

  it("folders that come and go are no faults", in_folder(function(dir)
    local step <close>, state = fs.watch(dir, { recursive = true })
    local t = collector(step, state, short)
    for i = 1, 50 do
      fs.mkdir(dir .. "/a/b", { parents = true })
      if i % 2 == 0 then put(dir .. "/a/b/f", "") end
      fs.remove(dir .. "/a", { recursive = true })
    end
    put(dir .. "/stop", "")
    helpers.has(table.concat(t:await(), ","), "rename a")
  end))
end)

describe("tail", function()
  it("lines are handed out as they are written", in_folder(function(dir)
    local path = dir .. "/log"
    put(path, "before\n")
    local step <close>, state = fs.tail(path)
    put(path, "one\ntwo\npar", "ab")
    equal(step(state), "one")
    equal(step(state), "two")
    local t = task.spawn(step, state)
    task.checkpoint()
    put(path, "tial\n\n", "ab")
    equal(t:await(), "partial")
    equal(step(state), "")
  end))

  it("it begins at the start if that is asked for, and may end at the end", in_folder(function(dir)
    local path = dir .. "/log"
    put(path, "one\ntwo\nlast")
    local got = {}
    for line in fs.tail(path, { from = "start", follow = false }) do got[#got + 1] = line end
    equal(got, { "one", "two", "last" })
    for _ in fs.tail(dir .. "/none", { follow = false }) do error "a line" end
    for _ in fs.tail(path, { follow = false }) do error "a line" end
  end))

  it("a file may come later", in_folder(function(dir)
    local path = dir .. "/log"
    local step <close>, state = fs.tail(path)
    local t = task.spawn(step, state)
    task.checkpoint()
    put(path, "first\n")
    equal(t:await(), "first")
  end))

  it("a folder may come later, too", in_folder(function(dir)
    local path = dir .. "/d/log"
    local step <close>, state = fs.tail(path, { poll = 0.01 })
    local t = task.spawn(step, state)
    task.checkpoint()
    fs.mkdir(dir .. "/d")
    put(path, "first\n")
    equal(t:await(), "first")
    fs.remove(dir .. "/d", { recursive = true })
    t = task.spawn(step, state)
    task.checkpoint()
    fs.mkdir(dir .. "/d")
    put(path, "again\n")
    equal(t:await(), "again")
  end))

  it("a file that is renamed is read to its end, and then the new one", in_folder(function(dir)
    local path = dir .. "/log"
    put(path, "")
    local step <close>, state = fs.tail(path)
    for i = 1, 5 do
      put(path, "a\nb", "ab")
      equal(step(state), "a")
      os.rename(path, ("%s.%d"):format(path, i))
      put(("%s.%d"):format(path, i), "c\nd\nunfinished", "ab")
      put(path, "new\n")
      for _, line in ipairs { "bc", "d", "unfinished", "new" } do equal(step(state), line) end
    end
  end))

  it("a file that is replaced, as by fs.write, is read anew", in_folder(function(dir)
    local path = dir .. "/log"
    put(path, "x\n")
    local step <close>, state = fs.tail(path)
    fs.write(path, "one\ntwo\n")
    equal(step(state), "one")
    equal(step(state), "two")
  end))

  it("a file that is cut is read from its beginning", in_folder(function(dir)
    local path = dir .. "/log"
    put(path, "a long line that is there\n")
    local step <close>, state = fs.tail(path)
    put(path, "partial", "ab")
    local t = task.spawn(step, state)
    task.sleep(0)
    fs.truncate(path)
    put(path, "one\n", "ab")
    local first = t:await()
    if first == "partial" then first = step(state) end -- unless it was cut before it was read
    equal(first, "one")
  end))

  it("a link is followed, also to another file", in_folder(function(dir)
    fs.mkdir(dir .. "/d")
    put(dir .. "/d/one", "")
    put(dir .. "/d/two", "")
    assert(os.execute(("ln -s d/one '%s/log'"):format(dir)))
    local step <close>, state = fs.tail(dir .. "/log")
    put(dir .. "/d/one", "1\n", "ab")
    equal(step(state), "1")
    assert(os.execute(("ln -s d/two '%s/new' && mv '%s/new' '%s/log'"):format(dir, dir, dir)))
    put(dir .. "/d/two", "2\n", "ab")
    equal(step(state), "2")
    put(dir .. "/d/two", "3\n", "ab")
    equal(step(state), "3")
  end))

  it("a line over the limit is an error", in_folder(function(dir)
    local path = dir .. "/log"
    put(path, "12345\n123456\n")
    local step <close>, state = fs.tail(path, { from = "start", max_line = 5 })
    equal(step(state), "12345")
    raises_error({ kind = "IoError", code = "line_too_long", path = path }, step, state)
    put(path, ("x"):rep(300000))
    local again <close> = fs.tail(path, { from = "start", max_line = 200000 })
    raises_error({ code = "line_too_long" }, again)
    local whole <close> = fs.tail(path, { from = "start", follow = false })
    equal(#whole(), 300000)
  end))

  it("a cancelled wait loses no bytes", in_folder(function(dir)
    local path = dir .. "/log"
    put(path, "")
    local step <close>, state = fs.tail(path)
    for i = 1, 30 do
      put(path, i .. "\n", "ab")
      local t = task.spawn(step, state)
      for _ = 1, i % 6 do task.checkpoint() end
      t:cancel()
      local ok, line = pcall(t.await, t)
      if not ok then line = step(state) end
      equal(line, tostring(i))
    end
  end))

  it("what is no regular file is refused", in_folder(function(dir)
    raises_error({ code = "EISDIR", path = dir }, fs.tail, dir)
    assert(os.execute(("mkfifo '%s/p'"):format(dir)))
    raises_error({ code = "EINVAL" }, fs.tail, dir .. "/p")
    misuse("bad option 'from' to 'tail'", function() fs.tail("x", { from = "middle" }) end)
  end))
end)

-- Only a loop over the call itself got the state, and a `<close>` variable a function.
it("an iterator is one value, for a loop that begins later, too", in_folder(function(dir)
  local watch <close> = fs.watch(dir)
  local lines <close> = fs.tail(dir .. "/log")
  local walk <close> = fs.walk(dir)
  local chosen <close> = fs.walk(dir, { filter = function() return true end })
  for path in walk do error(path) end
  for path in chosen do error(path) end
  put(dir .. "/log", "a\nb\n")
  for event in watch do
    equal(event.name, "log")
    break
  end
  for line in lines do
    equal(line, "a")
    break
  end
  equal(lines(), "b")
  for _, iterator in ipairs { watch, lines, walk, chosen } do
    iterator:close()
    equal(iterator(), nil)
  end
end))

it("the loop is free while watches and tails wait, or much is written", in_folder(function(dir)
  local step <close>, state = fs.tail(dir .. "/log")
  local watch <close>, its = fs.watch(dir)
  ticker.waits(function() task.move_on_after(0.1, step, state) end)
  ticker.waits(function()
    task.move_on_after(0.1, function() while true do watch(its) end end)
  end)
  ticker.laps(10, function()
    local text, n = ("a line of a log\n"):rep(60000), 0
    put(dir .. "/log", text)
    put(dir .. "/log", "stop\n", "ab")
    for line in step, state do
      if line == "stop" then break end
      n = n + 1
    end
    equal(n, 60000)
  end)
end))

-- Returns the number of descriptors of watches: 1 while the host has any.
local function watchers()
  local pid = fs.read("/proc/self/stat"):match "^%d+"
  local pipe <close> = assert(io.popen(("ls -l /proc/%s/fd | grep -c inotify"):format(pid)))
  return tonumber(pipe:read "a")
end

local function wait_for_no_watcher()
  local deadline = task.now() + 20
  while watchers() > 0 do
    assert(task.now() < deadline, "it is still open")
    task.sleep(0.01)
  end
end

-- A tail began to watch again.
it("what is closed while a task waits for it ends, and watches nothing", in_folder(function(dir)
  put(dir .. "/log", "")
  for _, open in ipairs { fs.tail, fs.watch } do
    collectgarbage()
    collectgarbage()
    local iterator = open(dir .. "/log")
    local t = task.spawn(iterator)
    task.sleep(0.01)
    equal(watchers(), 1)
    iterator:close()
    equal(t:await(), nil)
    wait_for_no_watcher()
    equal(iterator(), nil) -- which also keeps it from being collected
  end
end))

it("no watcher is left", in_folder(function(dir)
  collectgarbage()
  collectgarbage()
  do
    local watch <close> = fs.watch(dir)
    put(dir .. "/f", "")
    equal(watch().name, "f")
    equal(watchers(), 1)
  end
  wait_for_no_watcher()
end))
