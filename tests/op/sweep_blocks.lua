-- SPDX-License-Identifier: MIT
-- Blocks that are left open, by tasks and by coroutines.
local function child(g)
  g:spawn(pcall, core.sleep, math.huge)
  core.checkpoint()
end

local function dies(g)
  local a <close> = task.group()
  child(a)
  child(task.group())
  error("die", 0)
end

local function resumes()
  coroutine.resume(coroutine.create(dies))
  core.checkpoint()
end

pcall(core.spawn, resumes)
pcall(core.spawn, function()
  pcall(coroutine.wrap(dies))
  core.checkpoint()
end)
pcall(core.spawn, function()
  pcall(task.timeout, nil, function()
    child(task.group())
  end)
end)
pcall(core.spawn, function()
  child(task.group())
  return 1
end)
pcall(resumes)
complete = true
