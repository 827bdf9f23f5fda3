-- SPDX-License-Identifier: MIT
-- A request to the thread of the database. Raises JobsError if it fails.
local opening = require "septet.jobs.sqlite.opening"

local request = {}

--- Runs the first n values of a list as statements, behind those of the program. Returns the
--- numbers of changed rows, and a list of values for each statement with rows.
---@async
function request.run(self, list, n, flags, program)
  if self.closing then opening.raise(self.shown, "closed") end
  local changed, a, b = self.db:run(list, n, flags or 0, program)
  if not changed then opening.raise(self.shown, a, b) end
  return changed, a, b
end

--- Like run(), but returns them in a table.
---@async
function request.packed(self, list, n, flags)
  if self.closing then opening.raise(self.shown, "closed") end
  local found = table.pack(self.db:run(list, n, flags or 0))
  if not found[1] then opening.raise(self.shown, found[2], found[3]) end
  return found
end

return request
