-- SPDX-License-Identifier: MIT
-- The rules. Each is a module with the fields
--   name    as messages and options have it
--   check   function(file, report) of one file, while its tree is there
--   finish  function(file, report, run) of one file, once all files were read; its tree is gone
-- `report(at, format, ...)` notes a warning at a byte of the file.
local rules = {}

local modules = {
  "unset_global", "global_in_function", "unknown_name", "dot_or_colon", "wrong_arguments",
  "unknown_option", "wrong_option", "not_called", "cannot_wait", "dropped_result", "close_missing",
  "blocks",
}

for i, name in ipairs(modules) do rules[i] = require("septet.check.rules." .. name) end

return rules
