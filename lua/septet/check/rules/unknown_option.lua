-- SPDX-License-Identifier: MIT
-- Options that a function does not have, such as the `tiemout` of a request.
local rule = { name = "unknown-option" }

local args = require "septet.internal.args"
local options = require "septet.check.options"
local others = require "septet.internal.names"

-- Returns a hint at the option that was meant, perhaps by its name in another library; or "".
local function hint(name, known)
  local other = others.options[name]
  if other and known[other[2]] then return (", did you mean %s?"):format(other[1]) end
  return args.hint(name, known)
end

--- Reports options that are not known.
function rule.check(file, report)
  options.each(file.tree, function(field, known, what)
    local name = field.key.value
    if known[name] then return end
    report(field.at, "unknown option '%s' for '%s'%s", name, what, hint(name, known))
  end)
end

return rule
