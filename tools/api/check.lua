-- SPDX-License-Identifier: MIT
-- check.lua FILE...: holds definitions to the grammar of lua-language-server's annotations. Prints
-- each breach with its place, and ends with 1 if there is any:
--
--   an annotation that cannot be read, or that is none
--   a type that is neither Lua's nor a class or an alias of the files
--   a class, an alias, a field or a function that is there twice
--   parameters that are not those of the function, or not in its order
--   a function or a field without a type: a parameter that nothing describes
local annotations = require "annotations"
local types = require "types"

local BUILT_IN = {}
for name in ([[any nil boolean true false number integer string table function thread userdata
  lightuserdata unknown self file*]]):gmatch "%S+" do BUILT_IN[name] = true end

local faults, defined, used = {}, {}, {}

local function fault(path, line, format, ...)
  faults[#faults + 1] = ("%s:%d: %s"):format(path, line, format:format(...))
end

-- Returns the names that a block's `@generic` defines.
local function generics(block)
  local found = {}
  for _, text in ipairs(block.generics) do
    for part in text:gmatch "[^,]+" do found[part:match "^%s*([%w_]+)"] = true end
  end
  return found
end

local function use(path, line, text, known)
  types.each_name(types.parse(text), function(name)
    if not known[name] then used[#used + 1] = { path = path, line = line, name = name } end
  end)
end

local function define(path, line, name)
  if defined[name] then
    fault(path, line, "'%s' is defined in %s, too", name, defined[name])
  end
  defined[name] = ("%s:%d"):format(path, line)
end

local function check_class(path, block, known)
  local class, seen = block.class, {}
  define(path, block.line, class.name)
  for _, parent in ipairs(class.parents) do
    used[#used + 1] = { path = path, line = block.line, name = parent }
  end
  for _, field in ipairs(class.fields) do
    if seen[field.name] then
      fault(path, field.line, "duplicate field '%s' of '%s'", field.name, class.name)
    end
    seen[field.name] = true
    use(path, field.line, field.type, known)
  end
  return seen
end

local function check_function(path, line, block, parameters)
  local i = 0
  for name in parameters:gmatch "[%w_.]+" do
    i = i + 1
    local param = block and block.params[i]
    if not param then
      fault(path, line, "the parameter '%s' has no type", name)
    elseif param.name ~= name then
      fault(path, line, "'%s' is described in the place of '%s'", param.name, name)
    end
  end
  if block and #block.params > i then
    fault(path, line, "'%s' is no parameter", block.params[i + 1].name)
  end
end

-- Checks a file. Returns whether it says what it is.
local function check(path)
  local number, is_meta, fields, members = 0, false, {}, {}
  annotations.each(path, function(block, code)
    local known = block and generics(block) or {}
    number = block and block.line or number
    if block and block.meta then is_meta = true end
    for _, alias in ipairs(block and block.aliases or {}) do
      define(path, alias.line, alias.name)
      use(path, alias.line, alias.type, known)
    end
    if block and block.class then
      fields[block.class.name:match "[%w_]+$"] = check_class(path, block, known)
    end
    for _, list in ipairs(block and { block.params, block.returns } or {}) do
      for _, value in ipairs(list) do use(path, number, value.type, known) end
    end
    if block and block.type then use(path, number, block.type, known) end
    local owner, name, parameters = code:match "^function ([%w_]+)[.:]([%w_]+)%(([^)]*)%)"
    if owner then check_function(path, number, block, parameters) end
    local global, listed = code:match "^function ([%w_]+)%(([^)]*)%)"
    if global then
      define(path, number, global)
      check_function(path, number, block, listed)
    end
    if not owner then owner, name = code:match "^([%w_]+)%.([%w_]+) =" end
    if owner then
      local key = owner .. "." .. name
      if members[key] or fields[owner] and fields[owner][name] then
        fault(path, number, "'%s' is defined twice", key)
      end
      members[key] = true
    end
  end, function(line, why) fault(path, line, "%s", why) end)
  if not is_meta then fault(path, 1, "the file does not begin with ---@meta") end
  if not loadfile(path) then fault(path, 1, "%s", select(2, loadfile(path))) end
end

for _, path in ipairs { ... } do check(path) end
for _, place in ipairs(used) do
  if not BUILT_IN[place.name] and not defined[place.name] then
    fault(place.path, place.line, "unknown type '%s'", place.name)
  end
end
if #faults > 0 then
  io.stderr:write(table.concat(faults, "\n"), "\n")
  os.exit(1)
end
