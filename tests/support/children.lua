-- SPDX-License-Identifier: MIT
-- The processes and descriptors that this process has, as the system sees them.
-- check: allow blocks
local children = {}

local task = require "septet.task"

local function pid()
  local file <close> = assert(io.open "/proc/self/stat")
  return file:read "n"
end

local function printed(line)
  local pipe <close> = assert(io.popen(line))
  return pipe:read "a"
end

--- Returns the number of child processes, those that have ended and were not reaped included.
function children.count()
  local n = -1 -- the shell that counts
  for _ in printed(("cat /proc/%d/task/*/children"):format(pid())):gmatch "%d+" do n = n + 1 end
  return n
end

--- Returns the number of open descriptors.
function children.descriptors()
  local n = 0
  for fd = 0, 255 do
    local file <close> = io.open("/proc/self/fdinfo/" .. fd)
    if file then n = n + 1 end
  end
  return n
end

--- Returns true if there is a process of this number, which may have ended unreaped.
function children.exists(number)
  local file <close> = io.open(("/proc/%d/stat"):format(number))
  return file ~= nil
end

--- Like it(), but checks that the spec leaves no process and no descriptor.
function children.it(title, fn)
  it(title, function()
    collectgarbage()
    local processes, descriptors = children.count(), children.descriptors()
    fn()
    collectgarbage()
    for _ = 1, 500 do -- what was cancelled as it started, or dropped by a peer, ends a moment later
      if children.count() == processes and children.descriptors() == descriptors then break end
      task.sleep(0.01)
      collectgarbage()
    end
    equal(children.count(), processes, "processes")
    equal(children.descriptors(), descriptors, "descriptors")
  end)
end

return children
