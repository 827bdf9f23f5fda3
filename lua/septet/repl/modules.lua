-- SPDX-License-Identifier: MIT
-- The public modules, which the prompt has as globals without `require`: each is loaded when it is
-- first read. `io` remains Lua's.
local modules = {}

modules.names = {}
for name in ([[cli csv fs hash html http jobs json net pretty process progress robots stats sync
  task testing trace url]]):gmatch "%a+" do modules.names[#modules.names + 1] = name end

local is_module = { septet = "septet" }
for _, name in ipairs(modules.names) do is_module[name] = "septet." .. name end

--- Returns the module of that name, or nil.
function modules.get(name)
  return is_module[name] and require(is_module[name]) or nil
end

--- Makes the modules globals, unless the script's globals have a metatable of their own.
function modules.install(globals)
  if debug.getmetatable(globals) ~= nil then return end
  debug.setmetatable(globals, { __index = function(self, name)
    local module = modules.get(name)
    if module then rawset(self, name, module) end
    return module
  end })
end

return modules
