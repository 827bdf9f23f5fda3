-- SPDX-License-Identifier: MIT
---@meta _

-- Objects that the modules in lua/septet/fs/ use, whose methods are C functions.

--- Goes through a folder.
---@class septet.Walker
local Walker = {}

--- Waits for the next entry. Returns nil at the end. Of a fault, returns the path, nil and the
--- IoError, or raises it.
---@async
---@return string|nil path or a name
---@return septet.WalkEntry|nil
---@return septet.IoError|nil
function Walker:next() end

--- Leaves out what is in the folder that was returned last.
function Walker:prune() end

--- Ends the walk.
function Walker:close() end

--- A temporary file or folder, which is removed when it is collected.
---@class septet.TempHandle
local TempHandle = {}

--- Makes it, once, and returns its path.
---@async
---@param folder boolean
---@param dir string|nil
---@return string
function TempHandle:make(folder, dir) end

--- Removes it.
---@async
function TempHandle:remove() end

--- Watches paths.
---@class septet.WatchHandle
local WatchHandle = {}

--- Watches a path, too.
---@async
---@param path string
---@param only string name to which events of a folder are limited; "": none
---@param tag integer number that events of the path have
function WatchHandle:add(path, only, tag) end

--- Waits for the next event. Returns nil once nothing is watched any more.
---@async
---@return "change"|"rename"|"overflow"|"gone"|nil
---@return integer tag
---@return string name "": the path itself
---@return boolean folder the name is that of a folder
function WatchHandle:next() end

--- Drops the events that have arrived.
function WatchHandle:clear() end

--- Ends the watch.
function WatchHandle:close() end

--- Reads on in a file that grows.
---@class septet.TailHandle
local TailHandle = {}

--- Looks at the file once. Returns nothing once it is closed.
---@async
---@return "bytes"|"end"|"missing"|"truncated"|"replaced"|"removed"
---@return string bytes
function TailHandle:look() end

--- Closes the file.
function TailHandle:close() end

--- An iterator over what is in a folder.
---@class septet.Walk
---@operator call: string|nil
local Walk = {}

--- Ends the walk. The end of the loop does so, too.
function Walk:close() end
