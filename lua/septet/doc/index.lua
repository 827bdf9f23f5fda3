-- SPDX-License-Identifier: MIT
-- The index of the API, for `septet doc`, `:doc` and completion in the prompt, and `septet check`.
-- Its data is made of the annotations and docs/api.md when Septet is built: see tools/api.
local args = require "septet.internal.args"
local names_of_others = require "septet.internal.names"
local short = require "septet.doc.short"

local index = {}

local entries, by_name, texts

local function load()
  if entries then return end
  entries, by_name = require "septet.doc.entries", {}
  for _, entry in ipairs(entries) do by_name[entry.name] = entry end
end

-- Returns the fields of a class, those of its parents first.
local function fields_of(entry)
  if not entry.parents then return entry.fields end
  local found = {}
  for _, parent in ipairs(entry.parents) do
    local fields = by_name[parent] and fields_of(by_name[parent]) or {}
    table.move(fields, 1, #fields, #found + 1, found)
  end
  return table.move(entry.fields, 1, #entry.fields, #found + 1, found)
end

-- Returns an entry with the fields of its options. Its texts are loaded once one is read.
local view = {}

function view.__index(self, key)
  local entry = rawget(self, "entry")
  if key == "text" or key == "example" or key == "output" then
    texts = texts or require "septet.doc.texts"
    local found = texts[entry.name] or {}
    return key == "text" and found[1] or key == "example" and found[2]
      or key == "output" and found[3] or nil
  elseif key == "fields" and (entry.options or entry.fields) then
    return fields_of(entry.options and by_name[entry.options] or entry)
  elseif key == "async" then
    return entry.async == true
  end
  return entry[key]
end

local function seen(entry) return entry and setmetatable({ entry = entry }, view) end

-- Returns the entry of an object's method or field, by what the object is called in examples.
local function spoken(name)
  local object, mark, member = name:match "^([%w_]+)([.:])([%w_]+)$"
  local long = { object, table.unpack(short[object] or {}) }
  for _, name_of in ipairs(long) do
    local found = by_name[name_of .. mark .. member] or by_name[name_of .. ":" .. member]
      or by_name[name_of .. "." .. member]
    if found then return found end
  end
end

-- Returns the entry of a code and its reason, as "timeout.connect".
local function with_reason(name)
  local code, reason = name:match "^([%l%d_]+)[.:]([%l%d_]+)$"
  for _, entry in ipairs(code and entries or {}) do
    if entry.reasons and entry.reasons[reason] and entry.name:match "%.(.+)$" == code then
      return entry
    end
  end
end

--- Returns the entry of a name, as `task.gather`, `session:get`, `response.status`, `septet.http`
--- or `septet.SessionOptions`; nil if there is none.
---   name       its whole name
---   kind       "function", "method", "field", "class", "module", "error", or "code" of an error
---   class      the class or the module that it is of
---   signature  its name with parameters and types
---   async      true if it may wait
---   fields     those of a class, or of the table of options that a function takes, or nil: a list
---              of { name, type, default, text, optional }
---   options    the class of that table
---   text, example, output   Markdown; Lua, or nil; what that prints, or nil
---@param name string
---@return table|nil
function index.find(name)
  load()
  local plain = name:gsub("%(.*$", "")
  local found = by_name[plain] or by_name["septet." .. plain]
  if found then return seen(found) end
  local module, member = plain:match "^septet%.([%w_]+%.[%w_]+)$", plain:match "^%u[%w_]*:[%w_]+$"
  return seen(module and by_name[module] or member and by_name[member:lower()] or spoken(plain)
    or with_reason(plain))
end

--- Returns all names, sorted.
---@return string[]
function index.names()
  load()
  local found = {}
  for i, entry in ipairs(entries) do found[i] = entry.name end
  return found
end

--- Returns the names of the modules.
---@return string[]
function index.modules()
  load()
  local found = {}
  for _, entry in ipairs(entries) do
    if entry.kind == "module" then found[#found + 1] = entry.name end
  end
  return found
end

--- Returns the names of the functions of a module, or the methods and fields of a class.
---@param class string as "septet.task"
---@return string[]
function index.members(class)
  load()
  local found = {}
  for _, entry in ipairs(entries) do
    if entry.class == class then found[#found + 1] = entry.name end
  end
  return found
end

--- Returns the names of which a word is the last part: `gather` finds `task.gather`.
---@param word string
---@return string[]
function index.ending(word)
  load()
  local found = {}
  for _, entry in ipairs(entries) do
    if entry.name:match("[%w_]+$"):lower() == word:lower() then found[#found + 1] = entry.name end
  end
  return found
end

-- Returns what is meant by a name as another library has it, such as task.create_task; or nil.
local function translated(name)
  local module, member = name:match "^(%l+)%.([%w_]+)$"
  local fields = module and names_of_others.fields["septet." .. module]
  return fields and fields[member] and module .. "." .. fields[member]
end

--- Returns a hint at the name that resembles one most, in whatever case, or "".
---@param name string
---@return string
function index.hint(name)
  load()
  local known, spelt = {}, {}
  for _, entry in ipairs(entries) do
    local forms = { entry.name, not name:find "[.:]" and entry.name:match "[%w_]+$" or nil }
    for _, form in ipairs(forms) do
      known[form:lower()] = true
      spelt[form:lower()] = spelt[form:lower()] or form
    end
  end
  local other = translated(name)
  if other then return (", did you mean '%s'?"):format(other) end
  local text = args.hint(name:lower(), known, math.min(3, #name // 3))
  return (text:gsub("'(.-)'", function(near) return "'" .. spelt[near] .. "'" end))
end

return index
