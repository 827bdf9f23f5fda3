-- SPDX-License-Identifier: MIT
-- The lines typed before, kept in a file that only its owner can read.
local history = {}

local MOST = 1000
local LONGEST = 4096 -- bytes of a line that is kept

local History = {}
local history_meta = { __index = History }

-- Returns the path of the file, or nil.
local function path_of()
  local state, home = os.getenv "XDG_STATE_HOME", os.getenv "HOME"
  if state and state:sub(1, 1) == "/" then return state .. "/septet/history" end
  if home and home ~= "" then return home .. "/.local/state/septet/history" end
end

--- Returns the history, with the lines of the file if `keeps` is true. Without the file, it is
--- that of this run.
---@async
function history.new(keeps)
  local self = setmetatable({ lines = {}, path = keeps and path_of() or nil }, history_meta)
  local file = self.path and io.open(self.path, "rb")
  if not file then return self end
  for line in file:lines() do self.lines[#self.lines + 1] = line end
  file:close()
  if #self.lines > 2 * MOST then
    self.lines = table.move(self.lines, #self.lines - MOST + 1, #self.lines, 1, {})
    local text = table.concat(self.lines, "\n") .. "\n"
    pcall(require("septet.fs").write, self.path, text, { mode = 0x180 })
  end
  return self
end

--- Adds a line, unless it is blank or the last one again.
---@async
function History:add(line)
  if not line:find "%S" or line == self.lines[#self.lines] or #line > LONGEST then return end
  self.lines[#self.lines + 1] = line
  if not self.path then return end
  local ok = pcall(function()
    local fs = require "septet.fs" -- later: the prompt opens without it
    fs.mkdir(self.path:match "^(.*)/", { parents = true })
    fs.append(self.path, line .. "\n", { mode = 0x180 })
  end)
  if not ok then self.path = nil end
end

return history
