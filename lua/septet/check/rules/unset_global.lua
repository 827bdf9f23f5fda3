-- SPDX-License-Identifier: MIT
-- Globals that are read and that nothing sets: neither Lua, nor the program, nor a checked file.
local rule = { name = "unset-global" }

local args = require "septet.internal.args"

-- Returns a hint at a global that was meant. Names of up to three letters resemble many.
local function hint(name, known) return #name > 3 and args.hint(name, known) or "" end

--- Reports the globals that nothing sets.
function rule.finish(file, report, run)
  if file.has_own_globals then return end
  for _, global in ipairs(file.globals) do
    local name = global.name
    if not global.is_write and not run.globals[name] and not file.source.globals[name]
      and not file.tested[name] then
      report(global.at, "the global '%s' is never set%s", name,
        hint(name, run.globals))
    end
  end
end

return rule
