-- SPDX-License-Identifier: MIT
-- fs.walk and fs.list: each entry once, whatever is renamed or removed meanwhile, at any depth, and
-- in bounded memory.
-- check: allow blocks
local task, fs = require "septet.task", require "septet.fs"
local helpers, ticker, process = require "helpers", require "ticker", require "process"

local FAST = "/dev/shm" -- a file system in memory, if there is one

local function in_folder(fn)
  return function()
    local folder <close> = fs.temp_dir { dir = fs.exists(FAST) and FAST or nil }
    fn(folder.path)
  end
end

local function shell(dir, command)
  assert(os.execute(("cd '%s' && %s"):format(dir, command)))
end

-- Returns the paths below a folder, in the order of the walk.
local function walked(dir, options)
  local found = {}
  for path in fs.walk(dir, options) do
    equal(path:sub(1, #dir + 1), dir .. "/")
    found[#found + 1] = path:sub(#dir + 2)
  end
  return found
end

local function sorted(list)
  table.sort(list)
  return list
end

-- Makes a chain of folders, each named "d" in the one before it, with a file "f" in the last one.
local function chain(dir, depth)
  shell(dir, ([[python3 -c '
import os
for _ in range(%d): os.mkdir("d"); os.chdir("d")
open("f", "w").close()']]):format(depth))
end

describe("walk", function()
  it("each folder comes before what is in it", in_folder(function(dir)
    shell(dir, "mkdir -p a/b c && touch a/x a/b/y z && ln -s a link && mkfifo p")
    equal(walked(dir, { sort = true }),
      { "a", "a/b", "a/b/y", "a/x", "c", "link", "p", "z" })
    equal(sorted(walked(dir)), { "a", "a/b", "a/b/y", "a/x", "c", "link", "p", "z" })
    local kinds = {}
    for path, entry in fs.walk(dir .. "/", { sort = true }) do
      kinds[#kinds + 1] = ("%s %s %d"):format(entry.name, entry.type, entry.depth)
      equal(path:find("//", 1, true), nil)
      equal(entry.size, nil)
    end
    equal(kinds, { "a directory 1", "b directory 2", "y file 3", "x file 2", "c directory 1",
      "link link 1", "p fifo 1", "z file 1" })
  end))

  it("an empty folder has no entries, and a file is none", in_folder(function(dir)
    equal(walked(dir), {})
    fs.append(dir .. "/f", "x")
    raises_error({ kind = "IoError", code = "ENOTDIR", path = dir .. "/f", operation = "list" },
      function() for _ in fs.walk(dir .. "/f") do end end) -- luacheck: ignore
    raises_error({ code = "ENOENT" }, function()
      for _ in fs.walk(dir .. "/no", { errors = "skip" }) do end -- luacheck: ignore
    end)
    shell(dir, "mkdir t && touch t/x && ln -s t link")
    equal(walked(dir .. "/link"), { "x" })
  end))

  it("sizes and times are those of stat", in_folder(function(dir)
    shell(dir, "mkdir a && printf 12345 >a/f && ln -s a/f l")
    local sizes = {}
    for path, entry in fs.walk(dir, { stat = true }) do
      sizes[entry.name] = entry.size
      local info = fs.stat(path, { links = true })
      info.atime, entry.atime = nil, nil -- a walk reads
      for name, value in pairs(info) do equal(entry[name], value) end
    end
    equal({ sizes.f, sizes.l, sizes.a ~= nil }, { 5, 3, true })
  end))

  it("a depth limits it", in_folder(function(dir)
    shell(dir, "mkdir -p a/b/c && touch a/x a/b/y")
    equal(walked(dir, { sort = true, depth = 1 }), { "a" })
    equal(walked(dir, { sort = true, depth = 2 }), { "a", "a/b", "a/x" })
  end))

  it("a filter leaves out entries, and what is in them", in_folder(function(dir)
    shell(dir, "mkdir -p a/skip/deep b/skip c && touch a/skip/deep/x b/skip/y b/z c/skip skipped")
    local asked = 0
    local found = walked(dir, { sort = true, filter = function(_, entry)
      asked = asked + 1
      return entry.name ~= "skip"
    end })
    equal(found, { "a", "b", "b/z", "c", "skipped" })
    equal(asked, 8)
  end))

  it("a filter leaves out a folder of many batches", in_folder(function(dir)
    shell(dir, "mkdir -p a/in z && touch z/last && cd a && seq 5000 | xargs touch")
    shell(dir .. "/a/in", "seq 3000 | xargs touch")
    equal(walked(dir, { sort = true, filter = function(_, e) return e.name ~= "a" end }),
      { "z", "z/last" })
    local found = walked(dir, { filter = function(_, e) return e.name ~= "in" end })
    equal(#found, 5000 + 3)
  end))

  it("names of any bytes are handed out", in_folder(function(dir)
    local odd = "new\nline \255'\"\\\t"
    fs.mkdir(dir .. "/" .. odd)
    fs.append(dir .. "/" .. odd .. "/" .. odd, "x")
    equal(walked(dir), { odd, odd .. "/" .. odd })
    equal(fs.list(dir .. "/" .. odd), { odd })
  end))

  it("the walk may be left, and may run dry beside others", in_folder(function(dir)
    shell(dir, "seq 5000 | xargs touch")
    local n = 0
    for _ in fs.walk(dir) do
      n = n + 1
      if n == 1500 then break end
    end
    local step, state, first = fs.walk(dir)
    for _ = 1, 5000 do equal(type(step(state, first)), "string") end
    equal(step(state, first), nil)
    equal(step(state, first), nil)
    local a, b = task.spawn(walked, dir), task.spawn(walked, dir)
    equal(#a:await(), 5000)
    equal(#b:await(), 5000)
  end))

  it("a cancelled step loses no entry", in_folder(function(dir)
    shell(dir, "mkdir d && cd d && seq 4000 | xargs touch")
    local step, state = fs.walk(dir)
    local seen, n = {}, 0
    while true do
      local t = task.spawn(step, state)
      if n % 7 == 0 then t:cancel() end
      local ok, path = pcall(t.await, t)
      if ok then
        if not path then break end
        equal(seen[path], nil)
        seen[path] = true
      end
      n = n + 1
    end
    local count = 0
    for _ in pairs(seen) do count = count + 1 end
    equal(count, 4001)
  end))
end)

describe("links", function()
  it("they are not entered", in_folder(function(dir)
    shell(dir, "mkdir a && touch a/x && ln -s a l && ln -s . self && ln -s / root")
    equal(walked(dir, { sort = true }), { "a", "a/x", "l", "root", "self" })
  end))

  it("they are entered if that is asked for, and loops are noticed", in_folder(function(dir)
    shell(dir, "mkdir -p a/b other && touch other/x && ln -s ../../other a/b/l "
      .. "&& ln -s .. a/up && ln -s ../../a a/b/around && ln -s none broken && ln -s a/up twice "
      .. "&& ln -s other/x tofile")
    local loops = {}
    local found = walked(dir, { sort = true, links = true, errors = function(err, path)
      equal(err.code, "ELOOP")
      equal(err.path, path)
      loops[#loops + 1] = path:sub(#dir + 2)
    end })
    equal(loops, { "a/b/around", "a/up", "twice" })
    equal(found, { "a", "a/b", "a/b/around", "a/b/l", "a/b/l/x", "a/up", "broken", "other",
      "other/x", "tofile", "twice" })
    raises_error({ code = "ELOOP" }, walked, dir, { links = true, sort = true })
    for path, entry in fs.walk(dir, { links = true, stat = true, errors = "skip" }) do
      if entry.name == "tofile" then equal(entry.type, "file") end
      if entry.name == "broken" then equal(entry.type, "link") end
      if entry.name == "l" then equal(path, dir .. "/a/b/l") equal(entry.type, "directory") end
    end
  end))

  it("links to folders that lie deep are left again", in_folder(function(dir)
    shell(dir, "mkdir -p t && for i in $(seq 60); do mkdir -p o/$i && ln -s ../$((i+1)) o/$i/next "
      .. "&& touch o/$i/z; done; mkdir o/61; touch o/61/z; ln -s ../o/1 t/l")
    local found = walked(dir .. "/t", { sort = true, links = true })
    equal(#found, 1 + 60 * 2 + 1)
    equal(found[#found], "l/z")
  end))
end)

describe("what changes meanwhile", function()
  it("a folder that is removed, or replaced by a link, is a fault", in_folder(function(dir)
    shell(dir, "mkdir -p a b keep && touch a/x b/x keep/secret && mkdir pad && cd pad "
      .. "&& seq 6000 | xargs touch")
    local step, state = fs.walk(dir, { sort = true })
    equal((step(state)), dir .. "/a")
    -- The pool is ahead: what is removed now may have been read.
    shell(dir, "rm -r b && ln -s keep b && rm -r pad")
    local ok, err = pcall(function()
      for path in step, state do
        local through_link = path:find("/b/secret", 1, true)
        equal(through_link, nil)
      end
    end)
    local code = not ok and err.code
    if not (ok or code == "ENOENT" or code == "ENOTDIR" or code == "ELOOP") then error(err, 0) end
  end))

  it("faults are skipped, told or raised, and the walk goes on", in_folder(function(dir)
    chain(dir, 3)
    local told = {}
    shell(dir, "ln -s nowhere d/d/gone && mkdir z && touch z/last")
    for _, errors in ipairs { "skip", function(e) told[#told + 1] = e.code end } do
      local found = walked(dir, { sort = true, links = true, stat = true, errors = errors })
      equal(found[#found], "z/last")
    end
    equal(told, {})
    misuse("bad option 'errors' to 'walk'", function() fs.walk(dir, { errors = "ignore" }) end)
    misuse("bad option 'filter' to 'walk'", function() fs.walk(dir, { filter = 1 }) end)
  end))

  it("a folder that is renamed is walked on", in_folder(function(dir)
    shell(dir, "mkdir -p t/a/b && cd t/a/b && seq 6000 | xargs touch")
    local n = 0
    for _, entry in fs.walk(dir .. "/t") do
      if entry.type == "file" then n = n + 1 end
      if n == 1 then fs.rename(dir .. "/t", dir .. "/elsewhere") end
    end
    equal(n, 6000)
  end))
end)

describe("depth", function()
  it("folders that are moved while the walk is deep in them are walked on", in_folder(function(dir)
    shell(dir, [[python3 -c '
import os
for _ in range(50): os.mkdir("d"); open("z", "w").close(); os.chdir("d")
for i in range(3000): open("f%d" % i, "w").close()']])
    for _, removed in ipairs { false, true } do
      local n, moved, faults = 0, false, {}
      local function note(err) faults[#faults + 1] = err.code end
      for path, entry in fs.walk(dir, { sort = true, errors = note }) do
        n = n + 1
        if entry.name:find "^f" and not moved then
          moved = path
          fs.rename(dir .. "/d/d/d", dir .. "/moved")
          if removed then fs.remove(dir .. "/d", { recursive = true }) end
        end
      end
      equal(n >= 50 + 47 + 3000, true)
      if not removed then
        equal(n, 50 + 50 + 3000)
        equal(faults, {})
        fs.rename(dir .. "/moved", dir .. "/d/d/d")
      else
        equal(#faults >= 1, true)
        equal(faults[1], "ENOENT")
      end
    end
  end))

  it("10 000 levels are walked, copied in part, and removed", in_folder(function(dir)
    chain(dir, 10000)
    local deepest, n = 0, 0
    for _, entry in fs.walk(dir, { stat = true }) do
      n = n + 1
      deepest = math.max(deepest, entry.depth)
    end
    equal(n, 10001)
    equal(deepest, 10001)
    fs.copy(dir .. "/d", dir .. "/e", { recursive = true })
    n = 0
    for _ in fs.walk(dir .. "/e") do n = n + 1 end
    equal(n, 10000)
    fs.remove(dir .. "/d", { recursive = true })
    fs.remove(dir .. "/e", { recursive = true })
    equal(fs.list(dir), {})
  end))

  it("many names above deep folders come once each", in_folder(function(dir)
    shell(dir, "seq 2000 | xargs touch && seq -f 'k%g' 10 | xargs mkdir")
    for i = 1, 10 do chain(("%s/k%d"):format(dir, i), 50) end
    local seen, n = {}, 0
    for path in fs.walk(dir) do
      equal(seen[path], nil)
      seen[path] = true
      n = n + 1
    end
    equal(n, 2000 + 10 * 52)
  end))
end)

describe("many entries", function()
  it("memory is bounded in one folder of 100 000 files", in_folder(function(dir)
    shell(dir, [[python3 -c '
import os
for i in range(100000): os.close(os.open("a file with a longer name %d" % i, os.O_CREAT))']])
    for _ in fs.walk(dir) do break end
    collectgarbage()
    local before, n, most = process.resident(), 0, 0
    ticker.laps(30, function()
      for _, entry in fs.walk(dir, { stat = true }) do
        n = n + 1
        if n % 10000 == 0 then most = math.max(most, process.resident() - before) end
        equal(entry.size, 0)
      end
    end)
    equal(n, 100000)
    if most > 16 * 1024 then error(("%d KiB more"):format(most)) end
    n = #ticker.laps(30, function() return fs.list(dir) end)
    equal(n, 100000)
    fs.remove(dir, { recursive = true })
    fs.mkdir(dir)
  end))
end)

it("list is sorted by bytes", in_folder(function(dir)
  shell(dir, "touch b a B é A .hidden 10 9")
  equal(fs.list(dir), { ".hidden", "10", "9", "A", "B", "a", "b", "é" })
  helpers.has(tostring(raises_error({ code = "ENOENT" }, fs.list, dir .. "/no")), "cannot list")
end))
