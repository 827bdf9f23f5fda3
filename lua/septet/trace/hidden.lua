-- SPDX-License-Identifier: MIT
-- The tasks that the lines of a trace leave out: those of the prompt itself.
local hidden = {}

-- By the id of the task.
local ids = {}

--- Leaves a task out, as soon as it is made.
function hidden.add(t)
  ids[t.id] = true
end

--- Returns true if the task of an event is left out.
function hidden.has(id)
  return ids[id] == true
end

return hidden
