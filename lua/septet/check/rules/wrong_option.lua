-- SPDX-License-Identifier: MIT
-- Options with a literal of a wrong type, such as `limit = "4"`.
local rule = { name = "wrong-option" }

local api = require "septet.check.api"
local options = require "septet.check.options"
local signature = require "septet.check.signature"
local tree = require "septet.check.tree"

--- Reports options with values that the function would refuse.
function rule.check(file, report)
  options.each(file.tree, function(field, known, what)
    local name, value = field.key.value, tree.bare(field.value)
    local kind = known[name]
    local given = kind and signature.mismatch(kind, value, api.is_class)
    if given then
      report(value.at, "bad option '%s' for '%s': %s expected, got %s", name, what,
        signature.shown(kind), given)
    end
  end)
end

return rule
