--- The front door: `require "septet"` gives every module by name, loaded at its first use.
---@class septet
---@field _VERSION string
---@field task septet.task
---@field sync septet.sync
---@field http septet.http
---@field json septet.json
---@field io septet.io
---@field trace septet.trace
---@field testing septet.testing
local septet = {}

local core = require "septet.core"

--- The versions of Septet and of what it is linked with, in one line; with `more`, further ones on what was found
--- out about them by trying.
---@param more boolean|nil
---@return string
function septet.versions(more)
  if not more then return core.versions() end
  return core.versions() .. "\n" .. require "septet.probe".words()
end

septet._VERSION = core.versions():match("^Septet [^,]+")

return setmetatable(septet, {
  __index = function(self, name)
    local ok, module = pcall(require, "septet." .. tostring(name))
    if not ok then
      error(("septet has no module '%s'"):format(name), 2)
    end
    rawset(self, name, module)
    return module
  end,
})
