-- SPDX-License-Identifier: MIT
-- What Lua gives to scripts: its globals, its libraries, the metatables of its types. A test may
-- ruin them for all that runs behind it, so they are put back. What scripts add is left alone.
local standard = {}

local PARTS <const> = { "coroutine", "debug", "io", "math", "os", "package", "string", "table",
  "utf8" }

local function watch(list, one)
  if type(one) ~= "table" then return end
  local names = {}
  for name in next, one do names[#names + 1] = name end
  list[#list + 1] = { table = one, names = names }
end

--- Returns a list of the tables that tests may ruin, with their names of now.
---@return table
function standard.begin()
  local globals = load "return _G"() -- our modules have an environment of their own
  local of_files, list = debug.getmetatable(io.stdout), {}
  watch(list, globals)
  for _, name in ipairs(PARTS) do watch(list, globals[name]) end
  for _, name in ipairs { "loaded", "preload", "searchers" } do
    watch(list, globals.package[name])
  end
  watch(list, debug.getmetatable "")
  watch(list, of_files)
  watch(list, of_files.__index)
  return list
end

local SAMPLES <const> = { "", 0, true, print, coroutine.create(print) } -- a value of each type

--- Returns what stands in the tables now.
---@param list table from begin()
---@return table
function standard.take(list)
  local kept = { list = list, input = io.input(), output = io.output(), metatables = {},
    none = debug.getmetatable(nil), collects = collectgarbage "isrunning" }
  for i, sample in ipairs(SAMPLES) do kept.metatables[i] = debug.getmetatable(sample) or false end
  for i, watched in ipairs(list) do
    local values = { meta = debug.getmetatable(watched.table) }
    for j, name in ipairs(watched.names) do values[j] = rawget(watched.table, name) end
    kept[i] = values
  end
  return kept
end

--- Puts back what stood there.
---@param kept table from take()
function standard.put_back(kept)
  for i, sample in ipairs(SAMPLES) do debug.setmetatable(sample, kept.metatables[i] or nil) end
  debug.setmetatable(nil, kept.none)
  for i, watched in ipairs(kept.list) do
    local values = kept[i]
    debug.setmetatable(watched.table, values.meta)
    for j, name in ipairs(watched.names) do rawset(watched.table, name, values[j]) end
  end
  if io.type(kept.input) == "file" then io.input(kept.input) end
  if io.type(kept.output) == "file" then io.output(kept.output) end
  if kept.collects and not collectgarbage "isrunning" then collectgarbage "restart" end
end

return standard
