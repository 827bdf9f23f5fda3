-- SPDX-License-Identifier: MIT
-- What is known of the API: the index that is made of the annotations, by module and class.
local api = {}

local index = require "septet.doc.index"
local signature = require "septet.check.signature"

---@class septet.check.Member
---@field name string as scripts and the documents say it: "session:get"
---@field kind "function"|"method"|"field"
---@field class string
---@field async boolean it may wait
---@field type string|nil of a field
---@field signature septet.check.Signature|nil
---@field fields table[]|nil of the table of options that it takes
---@field options string|nil the class of that table

local classes, members, all_async

local function member_of(entry)
  local member = { name = entry.name, kind = entry.kind, class = entry.class, async = entry.async,
    options = entry.options, fields = entry.fields }
  if entry.kind == "field" then
    member.type = entry.signature:match "^[%w_.]+:%s*(.*)$"
  else
    member.signature = signature.parse(entry.signature)
  end
  return member
end

local function load()
  classes, members, all_async = {}, {}, {}
  for _, name in ipairs(index.names()) do
    local entry = index.find(name)
    if entry.kind == "class" or entry.kind == "module" or entry.kind == "error" then
      classes[name] = entry
    elseif entry.class and entry.kind ~= "code" then
      local own = members[entry.class] or {}
      members[entry.class] = own
      local last = name:match "[%w_]+$"
      own[last] = member_of(entry)
      if entry.kind == "method" then
        all_async[last] = entry.async and all_async[last] ~= false
      end
    end
  end
end

--- Returns true if a module of the API, such as "septet.task", has this name.
function api.is_module(name)
  if not classes then load() end
  return classes[name] ~= nil and classes[name].kind == "module"
end

--- Returns the set of the names of the modules, without "septet.".
---@return table<string, boolean>
function api.modules()
  if not classes then load() end
  local names = {}
  for name, entry in pairs(classes) do
    if entry.kind == "module" then names[name:gsub("^septet%.", "")] = true end
  end
  return names
end

--- Returns true if a class of the API has this name.
function api.is_class(name)
  if not classes then load() end
  return classes[name] ~= nil and classes[name].kind ~= "module"
end

--- Returns a member of a module or class, also one that a class has of its parents; or nil.
---@param class string
---@param name string
---@return septet.check.Member|nil
function api.member(class, name)
  if not classes then load() end
  local found = members[class] and members[class][name]
  if found then return found end
  for _, parent in ipairs(classes[class] and classes[class].parents or {}) do
    found = api.member(parent, name)
    if found then return found end
  end
end

--- Returns the set of the names that a module or class has.
---@return table<string, boolean>
function api.member_names(class)
  local names = {}
  for name in pairs(members[class] or {}) do names[name] = true end
  for _, parent in ipairs(classes[class] and classes[class].parents or {}) do
    for name in pairs(api.member_names(parent)) do names[name] = true end
  end
  return names
end

--- Returns the fields of a class, as of a table of options.
---@return { name: string, type: string }[]|nil
function api.fields(class)
  if not classes then load() end
  return classes[class] and classes[class].fields
end

--- Returns true if the objects of a class have methods.
function api.has_methods(class)
  if not classes then load() end
  for _, member in pairs(members[class] or {}) do
    if member.kind == "method" then return true end
  end
  return false
end

--- Returns what the documents say of a member; "" if that is nothing.
---@param member septet.check.Member
function api.text(member)
  local entry = index.find(member.name)
  return entry and entry.text or ""
end

--- Returns true if every method of this name in the API waits.
function api.always_waits(method)
  if not classes then load() end
  return all_async[method] or false
end

return api
