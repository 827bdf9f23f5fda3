-- SPDX-License-Identifier: MIT
--- Loads a module again. The table that scripts hold stays, and takes the new fields.
local core = require "septet.core"
local loader = require "septet.task.loader"

local reloading = {} -- by the name of a module: true while it is loaded again

local function copy_of(t)
  local copy = {}
  for key, value in next, t do copy[key] = value end
  return copy
end

local function add_missing(to, from)
  for key, value in next, from do
    if rawget(to, key) == nil then rawset(to, key, value) end
  end
end

-- Gives `to` the fields of `from` in place of its own, which are those of `before`. Only
-- add_missing() needs memory; if it fails, `to` has its own fields again.
local function replace_fields(to, from, before)
  local ok, err = pcall(add_missing, to, from)
  if not ok then
    for key in next, to do
      if rawget(before, key) == nil then rawset(to, key, nil) end
    end
    error(err, 0)
  end
  for key in next, to do rawset(to, key, rawget(from, key)) end
end

local function is_metafield(key)
  return type(key) == "string" and key:sub(1, 2) == "__"
end

-- Returns a metatable by which a table forwards to another, and keeps the metamethods that it has.
local function forwarding_meta(from, to)
  local meta = copy_of(debug.getmetatable(from) or {})
  meta.__index, meta.__newindex = to, to
  function meta.__pairs() return pairs(to) end
  function meta.__len() return #to end
  return meta
end

-- Makes `old` the module that the new code returned as `new`. The new code goes on to use `new`,
-- which from here on forwards to `old`: they have one state. It keeps its metamethods, because it
-- may be the metatable of objects.
local function merge(old, new, before)
  local meta, own_meta = forwarding_meta(new, old), debug.getmetatable(new)
  replace_fields(old, new, before)
  debug.setmetatable(old, own_meta)
  for key in next, new do
    if not is_metafield(key) then rawset(new, key, nil) end
  end
  debug.setmetatable(new, meta)
end

local function adopt(name, old, new, before)
  local on_reload = type(new) == "table" and rawget(new, "on_reload")
  if type(on_reload) == "function" then on_reload(before) end
  if type(new) ~= "table" or type(old) ~= "table" then
    package.loaded[name] = new
  elseif new ~= old then
    merge(old, new, before)
    package.loaded[name] = old
  end
end

-- Returns what the loader returns, or what it put into package.loaded.
local function run(name, old, load, extra)
  local new = load(name, extra)
  if new ~= nil then return new end
  if package.loaded[name] ~= old then return package.loaded[name] end
  return true
end

-- Undoes what failed code has done to the module.
local function restore(name, old, before)
  package.loaded[name] = old
  if type(old) == "table" then replace_fields(old, before, copy_of(old)) end
end

local function steps(name)
  local old = package.loaded[name]
  local before = type(old) == "table" and copy_of(old) or old
  if loader.is_loading(name) then return "load", ("module '%s' is being loaded"):format(name) end
  local ok, load, extra = core.try(loader.find, name)
  if not ok then return "load", load, core.traceback(extra) end
  local ran, new, traceback = core.try(run, name, old, load, extra)
  if ran then
    ran, new, traceback = core.try(adopt, name, old, new, before)
  end
  if ran then return "ok" end
  restore(name, old, before)
  return "run", new, core.traceback(traceback)
end

--- Loads a module again that was required before. Returns "ok", or the step that failed ("load" or
--- "run", or "busy" inside another reload of the module), its error and the traceback.
---@param name string
---@return string outcome
---@return any err
---@return string|nil traceback
return function(name)
  if reloading[name] then return "busy" end
  reloading[name] = true
  local ok, outcome, err, traceback = pcall(steps, name)
  reloading[name] = nil
  if not ok then error(outcome, 0) end
  return outcome, err, traceback
end
