-- SPDX-License-Identifier: MIT
--- Groups: blocks that wait for their tasks and raise all errors as one. Exported by `septet.task`.
local group = {}

local core = require "septet.core"
local args = require "septet.internal.args"
local blocks = require "septet.task.blocks"
local error_group = require "septet.task.error_group"

-- Local for speed: measured by bench/models.lua.
local is, try, raise = core.is, core.try, core.raise
local new_scope, join, close = core.scope, core.scope_join, core.scope_close
local run_block = core.run_block

-- Adds the failures of a group's tasks in order. One that other tasks raised again counts once.
local function collect(scope, failures)
  for t in core.scope_failed, scope do
    failures = error_group.gather(failures, core.failure(t), core.origin(t), t)
  end
  return failures
end

-- Types of which equal values are the same error, however the body obtained it.
local by_identity = { table = true, userdata = true, ["function"] = true, thread = true }

-- Adds the error of a body, unless it is the failure of a task that the body has raised again.
local function add_body(failures, err, traceback)
  if err == nil then err = core.error { kind = "error", message = "nil error" } end
  if failures and by_identity[type(err)] then
    for _, known in ipairs(failures.errors) do
      if rawequal(known, err) then return failures end
    end
  end
  return error_group.gather(failures, err, core.source(err, traceback), nil,
    core.traceback(traceback))
end

-- Ends a group after its body returned `ok, ...`, in the form of core.try(). Waits for its tasks,
-- then returns the body's values or raises.
local function after_body(scope, ok, ...)
  local failures = nil
  if not ok then
    failures = collect(scope)
    local err, traceback = ...
    if not is(err, "Cancelled") then failures = add_body(failures, err, traceback) end
    core.scope_fail(scope)
  end
  join(scope)
  failures = collect(scope, failures)
  local absorbed, _, child_cancelled, had_tasks = close(scope)
  if failures then raise(error_group.new(failures)) end
  if not ok then
    if absorbed then return end
    raise(...)
  end
  if (child_cancelled and not absorbed) or not had_tasks then core.checkpoint() end
  return ...
end

local function leave(scope, _, ...)
  return after_body(scope, blocks.close_generators(scope, ...))
end

-- Ends a group left open by a coroutine that died of `err`, as its closing variable would have
-- done. Returns the resulting error and traceback.
local function unwound(scope, err, traceback)
  local _, raised, where = try(leave, scope, nil, false, err, traceback)
  if raised == nil then return err, traceback end
  return raised, where
end

-- Ends a group that a completed body left open, and cancels its tasks. Returns the body's error, or
-- the errors of the tasks if their failure ended the body.
local function left_open(scope, err)
  local closed, why = blocks.close_generators(scope, true)
  if not closed then err = why end
  core.scope_abandon(scope)
  join(scope)
  local failures = is(err, "Cancelled") and collect(scope)
  close(scope)
  return failures and error_group.new(failures) or err
end

-- Ends the blocks left open inside `outer`, innermost first. `left` is true if their body has
-- ended, false if their coroutine died. Returns the resulting error.
function core.unwind(outer, left, err, dead)
  local traceback = dead and core.frames(dead)
  for scope in core.scope_left, outer do
    if left then
      err = left_open(scope, err)
    else
      err, traceback = unwound(scope, err, traceback)
    end
    if core.current_scope() == scope then break end -- still open, as memory ran out
  end
  return err
end
core.set_unwind(core.unwind)

---@class septet.Group
local Group = core.scope_methods -- its other methods are in C

-- Runs the task of group:start() in a nursery until it has moved to the group or ended. Returns
-- true and the arguments of `started`, or false and the task. Raises the task's error.
local function start_in(nursery, scope, fn, ...)
  local given, moved, t = nil, false, nil
  local function started(...)
    if given then args.usage("started was called before") end
    if nursery:is_cancelled() then return end
    core.scope_move(t, scope)
    moved, given = true, table.pack(...)
  end
  core.scope_expect(scope, nursery)
  t = nursery:spawn(fn, started, ...)
  join(nursery)
  local failed = not moved and t:status() == "failed"
  if failed then core.seen(t) end
  close(nursery)
  if failed then core.outcome(t) end
  if moved then return true, table.unpack(given, 1, given.n) end
  core.checkpoint()
  t:await()
  return false, t
end

local function after_start(moved, ...)
  if moved then return ... end
  local t = ...
  error(("task '%s' ended without calling started"):format(core.escape(t.name)), 2)
end

--- Spawns a task that calls fn(started, ...), and waits until it calls started(...). If it fails
--- before that, its error is raised here unchanged, and not by the group.
---@async
---@param fn fun(started: fun(...: any), ...)
---@param ... any
---@return any ... the arguments of `started`
function Group:start(fn, ...)
  args.callable(fn, 1, "start")
  if core.scope_is_pool(self) then args.usage("a pool has no 'start': use 'spawn'") end
  if not self.is_open then args.usage("the group is closed") end
  return after_start(run_block(false, false, nil, nil, nil, start_in, self, fn, ...))
end

--- Spawns fn(item) for each item of a list, named as by task.map(). In a pool, waits for room
--- before each.
---@async
---@param fn function
---@param list any[]
---@return septet.Task[] in the list's order
function Group:map(fn, list)
  args.callable(fn, 1, "map")
  args.list(list, 2, "map")
  local tasks = {}
  for i = 1, #list do tasks[i] = core.scope_spawn_for(self, list[i], fn, list[i]) end
  return tasks
end

for _, name in ipairs { "start", "map" } do
  Group[name] = args.method(Group[name], name, "group", { [core.scope_meta] = true })
end

core.set_close_block(function(scope, err)
  if not core.scope_ends(scope) then return end
  if err ~= nil then
    leave(scope, nil, false, err, core.scope_caught(scope, err))
  else
    leave(scope, nil, true)
  end
end)

-- The body of a pool's block.
local function limited(scope, n, fn, ...)
  core.scope_limit(scope, n)
  return fn(scope, ...)
end

--- Calls fn(group, ...) and waits for every task spawned in the group. If one fails, the others are
--- cancelled and all errors are raised together as an ErrorGroup. Without `fn`, returns a group to
--- be held in a `local g <close>`.
---@async
---@param fn fun(g: septet.Group, ...)|nil
---@param ... any
---@return any ... what fn returned
function group.group(fn, ...)
  if fn == nil then return new_scope(true, false, nil, true) end
  args.callable(fn, 1, "group")
  return run_block(true, false, nil, leave, nil, fn, ...)
end

--- Like group(), but at most `n` of its tasks are alive at once: its spawn() waits for room, which
--- slows the caller down to the speed of the tasks.
---@async
---@param n integer at least 1
---@param fn fun(pool: septet.Group, ...)|nil
---@param ... any
---@return any ... what fn returned
function group.pool(n, fn, ...)
  args.count(n, 1, "pool")
  if fn == nil then
    local scope = new_scope(true, false, nil, true)
    core.scope_limit(scope, n)
    return scope
  end
  args.callable(fn, 2, "pool")
  return run_block(true, false, nil, leave, nil, limited, n, fn, ...)
end

return group
