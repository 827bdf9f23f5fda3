-- SPDX-License-Identifier: MIT
-- check_chrome.lua FILE...: checks files of Chrome Trace Events. Prints the number of tasks and of
-- requests of each.
package.path = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/?.lua;" .. package.path
local json, perfetto = require "septet.json", require "perfetto"

for _, path in ipairs { ... } do
  local file <close> = assert(io.open(path, "rb"))
  local _, cats = perfetto.check(json.decode(file:read "a"))
  print(cats.task or 0, cats.http or 0)
end
