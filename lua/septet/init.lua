-- SPDX-License-Identifier: MIT
--- The main module: `require "septet"` has each module as a field, loaded on first use.
---@class septet
---@field _VERSION string
---@field task septet.task
---@field sync septet.sync
---@field http septet.http
---@field jobs septet.jobs
---@field json septet.json
---@field io septet.io
---@field net septet.net
---@field fs septet.fs
---@field process septet.process
---@field url septet.url
---@field hash septet.hash
---@field robots septet.robots
---@field html septet.html
---@field csv septet.csv
---@field cli septet.cli
---@field stats septet.stats
---@field pretty septet.pretty
---@field progress septet.progress
---@field trace septet.trace
---@field testing septet.testing
local septet = {}

local core = require "septet.core"

-- The public modules. All others are private.
local MODULES = {}
for name in ([[
  cli
  csv
  fs
  hash
  html
  http
  io
  jobs
  json
  net
  pretty
  process
  progress
  robots
  stats
  sync
  task
  testing
  trace
  url
]]):gmatch "%S+" do MODULES[name] = true end

--- Returns the versions of Septet and its libraries, in one line. With `more`, also the Lua
--- features detected and the libcurl workarounds in use.
---@param more boolean|nil
---@return string
function septet.versions(more)
  if not more then return core.versions() end
  local quirks = core.http_quirks()
  return ("%s\n%s\nlibcurl: quirks with a cure: %s"):format(core.versions(),
    require "septet.internal.probe".words(),
    #quirks > 0 and table.concat(quirks, ", ") or "none")
end

--- Runs `fn(...)` as a task, if the program is a stock lua5.4 with the Lua module installed. The
--- module's C code puts its own function in the place of this one. Any other program with a host
--- runs its scripts as tasks, and has no use for it.
---@param fn function
---@return any ...
function septet.run(fn)
  error("septet.run: this program runs its scripts as tasks already; call the function itself", 2)
end

septet._VERSION = core.versions():match("^Septet [^,]+")

return setmetatable(septet, {
  __index = function(self, name)
    if not MODULES[name] then
      error(("septet has no module '%s'"):format(tostring(name)), 2)
    end
    local module = require("septet." .. name)
    rawset(self, name, module)
    return module
  end,
})
