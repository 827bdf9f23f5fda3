-- SPDX-License-Identifier: MIT
-- walk.lua FOLDER: prints the number of entries in a folder, and the sum of the sizes of files.
local fs = require "septet.fs"

local entries, total = 0, 0
for _, entry in fs.walk(arg[1], { stat = true }) do
  entries = entries + 1
  if entry.type == "file" then total = total + entry.size end
end
print(entries, total)
