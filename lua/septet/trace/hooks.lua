-- SPDX-License-Identifier: MIT
-- Hooks of the host: functions called for all tasks, and for the requests of all sessions. Those of
-- tasks are made of the events of a subscription, those of requests are up to septet.http.hooks.
local args = require "septet.internal.args"
local request_hooks = require "septet.http.hooks"

local hooks = {}

-- Hooks of tasks by the kind of their events.
local task_hooks = { spawn = "task_spawn", run = "task_step", wait = "task_park",
  ready = "task_wake", ["end"] = "task_done", cancel = "task_cancel", hog = "task_hog" }

local names = {}
for name, kind in pairs(request_hooks.names) do names[name] = kind end
for _, name in pairs(task_hooks) do names[name] = "any" end

--- Functions called for all tasks, and for the requests of all sessions.
---@class septet.HostHooks: septet.TraceHooks
---@field task_spawn septet.TaskHook|nil
---@field task_step septet.TaskHook|nil
---@field task_park septet.TaskHook|nil
---@field task_wake septet.TaskHook|nil
---@field task_done septet.TaskHook|nil
---@field task_cancel septet.TaskHook|nil
---@field task_hog septet.TaskHook|nil

---@alias septet.TaskHook fun(ctx: table, ev: table)

local function has_any(fns, of)
  for _, name in pairs(of) do
    if fns[name] ~= nil then return true end
  end
  return false
end

local function has_any_of_requests(fns)
  for name in pairs(request_hooks.names) do
    if fns[name] ~= nil then return true end
  end
  return false
end

-- Calls the hooks of tasks for their events. Each task has a context of its own until it ends.
local function watch_tasks(watcher, subscribe)
  local contexts = {}
  return subscribe(function(event)
    local name = task_hooks[event.kind]
    if watcher.removed or not name then return end
    local ctx = contexts[event.task] or {}
    contexts[event.task] = event.kind ~= "end" and ctx or nil
    request_hooks.call(watcher, name, ctx, event)
  end)
end

--- Calls hooks from now on. Returns a function that ends that.
---@param fns septet.HostHooks
---@param subscribe fun(fn: fun(event: table)): fun() that of septet.trace
---@return fun()
function hooks.add(fns, subscribe)
  if type(fns) ~= "table" then
    args.usage("bad argument #1 to 'hooks' (table expected, got %s)", type(fns))
  end
  local watcher = request_hooks.check(fns, names)
  local unsubscribe = has_any(fns, task_hooks) and watch_tasks(watcher, subscribe)
  if has_any_of_requests(fns) then request_hooks.add_to_host(watcher) end
  return function()
    request_hooks.remove_from_host(watcher)
    if unsubscribe then unsubscribe() end
  end
end

return hooks
