-- SPDX-License-Identifier: MIT
-- Walks: what the options make of the walker in C, which is the iterator if there are none.
local walk = {}

local core = require "septet.core"
local args = require "septet.internal.args"

local STAT, SORT, FOLLOW, NAMES = 1, 2, 4, 8 -- as fs/walk.h has them

local options_of_walk = { stat = "boolean", sort = "boolean", depth = "count", links = "boolean",
  filter = "any", errors = "any" }

-- Returns the function that is called with faults, or nil if they are raised.
local function check_errors(errors)
  if errors == nil or errors == "raise" then return nil end
  if errors == "skip" then return function() end end
  if not args.is_callable(errors) then
    args.usage("bad option 'errors' to 'walk' (\"raise\", \"skip\" or a function expected, got %s)",
      type(errors) == "string" and ("'%s'"):format(errors) or type(errors))
  end
  return errors
end

-- An iterator that asks the script's functions.
---@class septet.AskingWalk
---@field walker userdata
---@field filter function|nil
---@field errors function|nil
local Asking = {}
local asking_meta = { __index = Asking, __name = "septet.fs.Walk", __metatable = false }

function asking_meta:__call()
  local walker, filter = self.walker, self.filter
  while true do
    local path, entry, fault = walker:next()
    if fault then
      self.errors(fault, path)
    elseif not path or not filter or filter(path, entry) then
      return path, entry
    else
      walker:prune()
    end
  end
end

function Asking:close()
  self.walker:close()
end
asking_meta.__close = Asking.close
args.methods(Asking, "walk", { [asking_meta] = true })

--- Returns an iterator over a folder, for a loop.
function walk.open(root, options)
  options = args.options(options, options_of_walk, "walk")
  local filter, errors = options.filter, check_errors(options.errors)
  if filter ~= nil and not args.is_callable(filter) then
    args.usage("bad option 'filter' to 'walk' (function expected, got %s)", type(filter))
  end
  local flags = (options.stat and STAT or 0) | (options.sort and SORT or 0)
    | (options.links and FOLLOW or 0)
  local iterator = core.fs_walk(root, flags, options.depth, errors ~= nil)
  if filter or errors then
    iterator = setmetatable({ walker = iterator, filter = filter, errors = errors }, asking_meta)
  end
  return iterator, nil, nil, iterator
end

--- Returns the sorted names in a folder.
---@async
function walk.list(path)
  local walker <close> = core.fs_walk(path, SORT | NAMES, 1)
  local names, n = {}, 0
  for name in walker.next, walker do
    n = n + 1
    names[n] = name
  end
  return names
end

return walk
