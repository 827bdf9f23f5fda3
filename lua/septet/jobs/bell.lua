-- SPDX-License-Identifier: MIT
-- Wakes the runs of a process that share a queue, so that none has to ask the engine again and
-- again for what the others did.
local bell = {}

---@class septet.jobs.Bell
---@field runs septet.jobs.Run[] those of the queue, in the order of their beginnings
local Bell = {}
Bell.__index = Bell

local bells = setmetatable({}, { __mode = "v" }) -- by name

--- Returns the bell of a name.
---@param name string the same for all queues of the process that lie in one place
---@return septet.jobs.Bell
function bell.of(name)
  local found = bells[name] or setmetatable({ runs = {} }, Bell)
  bells[name] = found
  return found
end

--- Adds a run, which is woken from now on.
function Bell:add(run) self.runs[#self.runs + 1] = run end

--- Removes a run.
function Bell:remove(run)
  for i, other in ipairs(self.runs) do
    if other == run then
      table.remove(self.runs, i)
      return
    end
  end
end

--- Wakes the runs, as jobs were put or have ended, but for the run that has rung. Never waits.
---@param by septet.jobs.Run|nil
function Bell:ring(by)
  for _, run in ipairs(self.runs) do
    if run ~= by then run:wake() end
  end
end

return bell
