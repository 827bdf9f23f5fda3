-- SPDX-License-Identifier: MIT
-- Planted: replacements that wait, in a function and by a name.
local task = require "septet.task"
local function slow(word)
  task.sleep(1)
  return word:upper()
end
print(("a b"):gsub("%w+", slow)) -- 8:27 cannot-wait
print(string.gsub("a b", "%w+", function(word) return slow(word) end)) -- 9:55 cannot-wait
