-- SPDX-License-Identifier: MIT
-- The sources that the build names.
local model = require "model"

local sources = {}

--- Reads the sources of the tree `root`, of which OUT/sources is a list.
function sources.read(root, out)
  local lua, meta = {}, {}
  for path in io.lines(out .. "/sources") do
    local folder, below = path:match "^.*/(%a+)/(septet/.*)$"
    table.insert(folder == "lua" and lua or meta, below)
  end
  table.sort(lua)
  table.sort(meta)
  return model.read(root, lua, meta)
end

return sources
