-- SPDX-License-Identifier: MIT
-- Temporary files and folders. Their handles in C remove what scripts do not.
local temp = {}

local core = require "septet.core"
local args = require "septet.internal.args"
local blocks = require "septet.task.blocks"

---@class septet.Temp
---@field path string
local Temp = {}
local meta = { __index = Temp, __name = "septet.Temp", __metatable = false }
local handles = setmetatable({}, { __mode = "k" })

local options_of_temp = { dir = "string" }

--- Makes a file, or a folder.
---@async
function temp.make(folder, options, what)
  options = args.options(options, options_of_temp, what)
  local handle = core.fs_temp()
  local self = setmetatable({ path = handle:make(folder, options.dir) }, meta)
  handles[self] = handle
  return self
end

--- Removes the file, or the folder with all that is in it. Waits for that, also if the task is
--- cancelled.
---@async
function Temp:close()
  blocks.shield(handles[self].remove, handles[self])
end

function meta:__close()
  self:close()
end

function meta:__tostring()
  return ("temporary '%s'"):format(core.escape(self.path))
end

args.methods(Temp, "temporary", { [meta] = true })
args.fields(Temp, "temporary", "path")

return temp
