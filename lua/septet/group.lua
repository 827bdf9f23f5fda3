--- Groups: blocks that no task outlives, and whose errors come out together. `septet.task` gives them out.
local group = {}

local core = require "septet.core"
local args = require "septet.args"
local blocks = require "septet.blocks"

local is, pcall, error = core.is, pcall, error
local new_scope, join, close = core.scope, core.scope_join, core.scope_close

--- What a group raises: all errors of its body and tasks, in the order they came. `#e` is their number.
---@class septet.ErrorGroup
---@field errors any[] an error may be such a group itself
local ErrorGroup = {}

local function indented(value)
  local ok, text = pcall(tostring, value)
  if not ok then text = ("a %s without words"):format(type(value)) end
  return (text:gsub("\n", "\n    "))
end

-- An ErrorGroup; `tasks` holds the failed task of an error at its index, where it was one's.
local function error_group(errors, tasks)
  local lines = { ("%d error%s in a task group"):format(#errors, #errors == 1 and "" or "s") }
  for i, err in ipairs(errors) do
    local t = tasks[i]
    lines[#lines + 1] = ("  %d. %s"):format(i, indented(err))
    if t then
      lines[#lines + 1] = ("    in task '%s', %s"):format(t.name, indented(t:traceback()))
    end
  end
  return core.error { kind = "ErrorGroup", message = table.concat(lines, "\n"), errors = errors, tasks = tasks }
end

local function matcher(condition)
  if type(condition) == "string" then
    return function(err) return is(err, condition) end
  end
  args.callable(condition, 1, "split")
  return condition
end

local function add(part, err, t)
  part.errors[#part.errors + 1] = err
  part.tasks[#part.errors] = t
end

local function group_of(part)
  if #part.errors > 0 then return error_group(part.errors, part.tasks) end
end

--- Splits it into the errors for which a condition holds and the others, each a group of the same nesting; nil
--- where there is none.
---@param condition string|fun(err: any): boolean a kind, or a function
---@return septet.ErrorGroup|nil matching
---@return septet.ErrorGroup|nil rest
function ErrorGroup:split(condition)
  local matches = matcher(condition)
  local yes, no = { errors = {}, tasks = {} }, { errors = {}, tasks = {} }
  for i, err in ipairs(self.errors) do
    local t = self.tasks[i]
    if matches(err) then
      add(yes, err, t)
    elseif is(err, "ErrorGroup") then
      local some, rest = err:split(matches)
      if some then add(yes, some, t) end
      if rest then add(no, rest, t) end
    else
      add(no, err, t)
    end
  end
  return group_of(yes), group_of(no)
end

--- The errors of it and of the groups in it, in one list.
---@return any[]
function ErrorGroup:leaves()
  local list = {}
  local function collect(of)
    for _, err in ipairs(of.errors) do
      if is(err, "ErrorGroup") then collect(err) else list[#list + 1] = err end
    end
  end
  collect(self)
  return list
end

core.error_meta.__index = function(err, key)
  if rawget(err, "kind") == "ErrorGroup" then return ErrorGroup[key] end
end

core.error_meta.__len = function(err)
  local errors = rawget(err, "errors")
  return errors and #errors or 0
end

-- The errors of a group's tasks that nobody has seen, appended in the order they came, and whose they are.
local function collect(scope, errors, tasks)
  for t in core.scope_failed, scope do
    local _, err = t:result()
    errors[#errors + 1] = err
    tasks[#errors] = t
  end
end

-- Ends a group whose body gave `ok, ...`: waits for its tasks and gives the body's values, or raises.
local function ended(scope, ok, ...)
  local errors, tasks = {}, {}
  if not ok then
    collect(scope, errors, tasks)
    local err = ...
    if err == nil then err = core.error { kind = "error", message = "nil error" } end
    if not is(err, "Cancelled") then errors[#errors + 1] = err end
    core.scope_fail(scope)
  end
  join(scope)
  collect(scope, errors, tasks)
  local absorbed, _, child_cancelled, had_tasks = close(scope)
  if #errors > 0 then error(error_group(errors, tasks), 0) end
  if not ok then
    if absorbed then return end
    error((...), 0)
  end
  if (child_cancelled and not absorbed) or not had_tasks then core.checkpoint() end
  return ...
end

local function finish(scope, ...)
  return ended(scope, blocks.close_generators(scope, ...))
end

---@class septet.Group
---@field deadline number instant on task.now's scale; inf for none
---@field expired boolean its deadline has passed and cancelled it
local Group = core.scope_methods

--- Starts a task of the group.
---@param fn function
---@param ... any
---@return septet.Task
Group.spawn = Group.spawn

--- Cancels the group's body and tasks; the group then returns normally. Of a group that is a variable it cancels the
--- tasks only: the end of a block cannot swallow what unwinds it.
---@param reason string|nil
---@return boolean first
Group.cancel = Group.cancel

--- Is it cancelled, or something around it?
---@return boolean
Group.is_cancelled = Group.is_cancelled

--- Moves its deadline so many seconds later. False when it is too late for that.
---@param seconds number
---@return boolean in_time
Group.extend = Group.extend

--- Starts a task of the group that calls fn(started, ...), and waits until it calls started(...). If it fails before,
--- its error is raised here, as it is, and the group does not hear of it.
---@async
---@param fn fun(started: fun(...: any), ...)
---@param ... any
---@return any ... what `started` was called with
function Group:start(fn, ...)
  args.callable(fn, 1, "start")
  if not self.is_open then args.usage("the group is closed") end
  local nursery, given, moved, t = new_scope(false), nil, false, nil
  local function started(...)
    if given then args.usage("started was called before") end
    if nursery:is_cancelled() then return end
    core.scope_move(t, self)
    moved, given = true, table.pack(...)
  end
  t = nursery:spawn(fn, started, ...)
  join(nursery) -- it has moved, or ended
  local failed = not moved and t:status() == "failed"
  if failed then core.seen(t) end
  close(nursery)
  if failed then error(select(2, t:result()), 0) end
  if moved then return table.unpack(given, 1, given.n) end
  core.checkpoint()
  t:await()
  error(("task '%s' ended without calling started"):format(t.name), 2)
end

core.scope_meta.__close = function(scope, err)
  if err ~= nil then
    finish(scope, false, err)
  else
    finish(scope, true)
  end
end

--- Runs fn(group, ...) and waits for every task spawned in the group: none outlives it. A failure cancels the
--- others; all errors are raised together as an ErrorGroup. Without a function it returns a group to be held
--- in a `local g <close>`.
---@async
---@param fn fun(g: septet.Group, ...)|nil
---@param ... any
---@return any ... what fn returned
function group.group(fn, ...)
  if fn == nil then return new_scope(true, false, nil, true) end
  args.callable(fn, 1, "group")
  local scope = new_scope(true)
  return finish(scope, pcall(fn, scope, ...))
end

return group
