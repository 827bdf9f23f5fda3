-- SPDX-License-Identifier: MIT
-- The changes of watched files that are known and not yet acted on.
local sync = require "septet.sync"
local task = require "septet.task"

local QUIET <const> = 0.05 -- seconds without an event after which a change is complete
local PATIENCE <const> = 1 -- seconds after which it is taken as it is

---@class septet.WatchChanges
---@field reading boolean|nil true: reports are being read, of which more changes may come
local Changes = {}
Changes.__index = Changes

--- Notes that a file may have changed.
---@param path string
function Changes:note(path)
  self.paths[path] = true
  self.count = self.count + 1
  self.event:set()
end

--- Waits for events, and until no more of them come. Returns what files:look() finds: the files
--- that have changed, and those that were removed.
---@async
---@param files septet.WatchFiles
---@return string[] changed
---@return string[] removed
function Changes:await(files)
  self.event:wait()
  local until_time = task.now() + PATIENCE
  repeat
    local before = self.count
    task.sleep(QUIET)
  until not self.reading and (self.count == before or task.now() > until_time)
  local paths = self.paths
  self.paths = {}
  self.event = sync.event()
  return files:look(paths)
end

local changes = {}

--- Returns a set without any.
function changes.new()
  return setmetatable({ paths = {}, count = 0, event = sync.event() }, Changes)
end

--- Returns a text that names the files that changed.
---@param paths string[] at least one
function changes.describe(paths)
  if #paths == 1 then return ("'%s' changed"):format(paths[1]) end
  return ("'%s' and %d more changed"):format(paths[1], #paths - 1)
end

return changes
