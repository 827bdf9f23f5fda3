-- SPDX-License-Identifier: MIT
-- Globals that a function sets: mostly variables without their `local`, which all tasks share. One
-- that the file sets outside of functions, too, or that something else declares, is meant.
local rule = { name = "global-in-function" }

--- Reports the globals that functions alone set.
function rule.finish(file, report, run)
  if file.has_own_globals then return end
  local meant = {}
  for _, global in ipairs(file.globals) do
    if global.is_write and not global.in_function then meant[global.name] = true end
  end
  for _, global in ipairs(file.globals) do
    local name = global.name
    if global.is_write and global.in_function and not meant[name] and not run.given[name]
      and not file.source.globals[name] then
      report(global.at, "the global '%s' is set in a function: 'local' is missing", name)
      meant[name] = true
    end
  end
end

return rule
