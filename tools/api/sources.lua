-- SPDX-License-Identifier: MIT
-- The sources that the build names.
local model = require "model"

local sources = {}

--- Reads the sources of the tree `root`, of which OUT/sources is a list.
function sources.read(root, out)
  local lua, meta = {}, {}
  for path in io.lines(out .. "/sources") do
    local below = path:sub(#root + 2)
    local list = below:find "^lua/" and lua or meta
    list[#list + 1] = below:match "^%a+/(.*)$"
  end
  table.sort(lua)
  table.sort(meta)
  return model.read(root, lua, meta)
end

return sources
