-- SPDX-License-Identifier: MIT
-- Scripts of test_permit_fs.c, with the functions of permit_fixture.h.
local task, fs = require "septet.task", require "septet.fs"
local asked, deny, folder = _G.asked, _G.deny, _G.folder

local scripts = {}
local a, b, c = folder .. "/a", folder .. "/b", folder .. "/c"

-- Goes through a folder.
local function walk(path, options)
  for _ in fs.walk(path, options) do end -- luacheck: ignore
end

local function watch(path)
  local events <close> = fs.watch(path)
  assert(events)
end

local function tail(path)
  for _ in fs.tail(path, { from = "start", follow = false }) do end -- luacheck: ignore
end

local function temp_in(dir)
  local file <close> = fs.temp_file { dir = dir }
  assert(file.path)
end

local function temp_dir_in(dir)
  local made <close> = fs.temp_dir { dir = dir }
  assert(made.path)
end

-- Each way to a file: a function, its arguments, and what it asks for. They run in this order.
local WAYS = {
  { fs.write, { a, "x" }, { "write " .. a } },
  { fs.write, { a, "x", { atomic = false } }, { "write " .. a } },
  { fs.append, { a, "x" }, { "write " .. a } },
  { fs.truncate, { a, 1 }, { "write " .. a } },
  { fs.read, { a }, { "read " .. a } },
  { fs.stat, { a }, { "read " .. a } },
  { fs.exists, { a }, { "read " .. a } },
  { tail, { a }, { "read " .. a } },
  { watch, { folder }, { "read " .. folder, "read " .. folder } },
  { watch, { a }, { "read " .. a, "read " .. folder .. "/", "read " .. a } },
  { fs.copy, { a, b }, { "read " .. a, "write " .. b } },
  { fs.rename, { b, b .. "2" }, { "write " .. b, "write " .. b .. "2" } },
  { fs.remove, { b .. "2" }, { "write " .. b .. "2" } },
  { fs.mkdir, { b }, { "write " .. b } },
  { fs.list, { folder }, { "read " .. folder } },
  { walk, { folder, { stat = true } }, { "read " .. folder } },
  { fs.copy, { b, c, { recursive = true } }, { "read " .. b, "write " .. c } },
  { fs.remove, { c, { recursive = true } }, { "write " .. c } },
  { temp_in, { folder }, { "write " .. folder .. "/septet-XXXXXX" } },
  { temp_dir_in, { folder }, { "write " .. folder .. "/septet-XXXXXX" } },
}

local function assert_denied(fn, ...)
  local ok, e = pcall(fn, ...)
  assert(not ok and task.is(e, "IoError") and e.code == "denied", tostring(e))
  return e
end

function scripts.each_function_asks_for_its_paths()
  asked()
  for i, way in ipairs(WAYS) do
    way[1](table.unpack(way[2]))
    local got, expected = asked(), table.concat(way[3], "\n")
    assert(got == expected, ("%d: asked %s, not %s"):format(i, got, expected))
  end
end

function scripts.each_path_may_be_denied()
  for _, way in ipairs(WAYS) do
    for _, line in ipairs(way[3]) do
      deny(line)
      local e = assert_denied(way[1], table.unpack(way[2]))
      assert(line:find(e.path, 1, true), e.path)
    end
    deny ""
    way[1](table.unpack(way[2]))
  end
end

function scripts.what_is_denied_is_not_touched()
  fs.write(a, "kept")
  for _, path in ipairs { a, b } do
    deny("write " .. path)
    pcall(fs.write, path, "x")
    pcall(fs.write, path, "x", { atomic = false })
    pcall(fs.append, path, "x")
    pcall(fs.truncate, path)
    pcall(fs.remove, path, { recursive = true })
    pcall(fs.mkdir, path)
    pcall(fs.copy, a, path, { overwrite = true })
    pcall(fs.rename, a, path)
  end
  deny ""
  assert(fs.read(a) == "kept" and #fs.list(folder) == 1)
end

function scripts.a_walk_asks_for_its_root_alone()
  fs.mkdir(a .. "/in", { parents = true })
  fs.write(a .. "/in/f", "x")
  deny("read " .. a .. "/in")
  asked()
  local n = 0
  for _ in fs.walk(a) do n = n + 1 end
  assert(n == 2 and asked() == "read " .. a)
  assert_denied(walk, a .. "/in")
end

function scripts.all_is_denied()
  for _, way in ipairs(WAYS) do assert_denied(way[1], table.unpack(way[2])) end
end

return scripts
