--- Groups: blocks that wait for their tasks and raise all errors as one. Exported by `septet.task`.
local group = {}

local core = require "septet.core"
local args = require "septet.internal.args"
local blocks = require "septet.task.blocks"

local is, try, raise, error = core.is, core.try, core.raise, error
local new_scope, join, close = core.scope, core.scope_join, core.scope_close

--- Error of a group: all errors of its body and tasks, in the order they came. `#e` is their
--- number. A task's failure counts once, even if a task that awaited it raised it again.
---@class septet.ErrorGroup
---@field errors any[] an error may itself be an ErrorGroup
---@field tasks table<integer, septet.Task> the failed task, at the index of its error
---@field tracebacks table<integer, string> where the body raised an error, at its index
---@field message string all errors in words, made on first access
local ErrorGroup = {}

local INDENTED_MAX = 16 -- nesting levels that are indented; deeper lines would be mostly blanks

-- Returns an ErrorGroup of the gathered failures.
local function error_group(failures)
  return core.error { kind = "ErrorGroup", errors = failures.errors, tasks = failures.tasks,
    tracebacks = failures.tracebacks, origins = failures.origins }
end

-- Appends an error. `origin` is the id of the task in which it was first a failure, 0 if none.
local function add(failures, err, origin, t, traceback)
  local n = #failures.errors + 1
  failures.errors[n], failures.origins[n], failures.tasks[n], failures.tracebacks[n] =
    err, origin, t, traceback
end

local function no_failures()
  return { errors = {}, origins = {}, tasks = {}, tracebacks = {} }
end

-- Calls fn(err, origin) for each error of a group and its inner groups until it returns true.
-- Returns true if it did.
local function each_leaf(group_error, fn)
  for i, err in ipairs(group_error.errors) do
    local found
    if is(err, "ErrorGroup") then
      found = each_leaf(err, fn)
    else
      found = fn(err, group_error.origins[i] or 0)
    end
    if found then return true end
  end
  return false
end

-- Returns the text of an error. A script's __tostring may fail.
local function in_words(value)
  local ok, text = pcall(tostring, value)
  return ok and text or ("a %s without words"):format(type(value))
end

-- Appends the lines of a group to `lines`; each but the first is preceded by `margin`.
local function describe(err, margin, depth, lines)
  local function put(format, ...)
    local text = format:format(...):gsub("\n", "\n" .. margin)
    lines[#lines + 1] = margin .. text
  end
  local errors = err.errors
  local below = depth < INDENTED_MAX and margin .. "    " or margin
  lines[#lines + 1] = ("%d error%s in a task group"):format(#errors, #errors == 1 and "" or "s")
  for i, inner in ipairs(errors) do
    if is(inner, "ErrorGroup") then
      local first = #lines + 1
      describe(inner, below, depth + 1, lines)
      lines[first] = ("%s  %d. %s"):format(margin, i, lines[first])
    else
      put("  %d. %s", i, (in_words(inner):gsub("\n", "\n    ")))
    end
    local t, traceback = err.tasks[i], err.tracebacks[i]
    if t then
      put("    in task '%s', %s", core.escape(t.name), (t:traceback():gsub("\n", "\n    ")))
    elseif traceback then
      put("    in the group's body, %s", (traceback:gsub("\n", "\n    ")))
    end
  end
end

local function words(err)
  local lines = {}
  describe(err, "", 1, lines)
  return table.concat(lines, "\n")
end

local function matcher(condition)
  if type(condition) == "string" then
    return function(err) return is(err, condition) end
  end
  args.callable(condition, 1, "split")
  return condition
end

local function group_of(failures)
  if #failures.errors > 0 then return error_group(failures) end
end

--- Splits the group into the errors that match a condition and the others. Each result is a group
--- of the same nesting, or nil if it would be empty.
---@param condition string|fun(err: any): boolean a kind, or a function
---@return septet.ErrorGroup|nil matching
---@return septet.ErrorGroup|nil rest
function ErrorGroup:split(condition)
  local matches = matcher(condition)
  local yes, no = no_failures(), no_failures()
  for i, err in ipairs(self.errors) do
    local origin, t, traceback = self.origins[i], self.tasks[i], self.tracebacks[i]
    if matches(err) then
      add(yes, err, origin, t, traceback)
    elseif is(err, "ErrorGroup") then
      local some, rest = err:split(matches)
      if some then add(yes, some, origin, t, traceback) end
      if rest then add(no, rest, origin, t, traceback) end
    else
      add(no, err, origin, t, traceback)
    end
  end
  return group_of(yes), group_of(no)
end

--- Returns the errors of this group and its inner groups in one list. A task's failure occurs once.
---@return any[]
function ErrorGroup:leaves()
  local list, seen = {}, {}
  each_leaf(self, function(err, origin)
    if not seen[origin] then list[#list + 1] = err end
    seen[origin] = origin > 0
  end)
  return list
end

core.error_meta.__index = function(err, key)
  if rawget(err, "kind") ~= "ErrorGroup" then return nil end
  if key ~= "message" then return ErrorGroup[key] end
  local text = words(err)
  rawset(err, "message", text)
  return text
end

core.error_meta.__len = function(err)
  local errors = rawget(err, "errors")
  return errors and #errors or 0
end

-- Returns the set of origins gathered so far, including those of errors in inner groups. It is
-- first made for the second failure: nested groups of one failure each are not traversed again.
local function seen_of(failures)
  if failures.seen then return failures.seen end
  local seen = {}
  each_leaf(failures, function(_, origin) seen[origin] = origin > 0 end)
  for _, origin in ipairs(failures.origins) do seen[origin] = origin > 0 end
  failures.seen = seen
  return seen
end

-- Adds an error, unless it was gathered before or is a group of only such errors.
local function gather(failures, err, origin, t, traceback)
  failures = failures or no_failures()
  if #failures.errors == 0 then
    add(failures, err, origin, t, traceback)
    return failures
  end
  local seen = seen_of(failures)
  local is_group, known = is(err, "ErrorGroup"), seen[origin]
  if is_group and not known then
    known = not each_leaf(err, function(_, leaf) return not seen[leaf] end)
  end
  if known then return failures end
  add(failures, err, origin, t, traceback)
  seen[origin] = origin > 0
  if is_group then each_leaf(err, function(_, leaf) seen[leaf] = leaf > 0 end) end
  return failures
end

-- Adds the failures of a group's tasks in order. One that other tasks raised again counts once.
local function collect(scope, failures)
  for t in core.scope_failed, scope do
    failures = gather(failures, core.failure(t), core.origin(t), t)
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
  return gather(failures, err, core.source(err, traceback), nil, core.traceback(traceback))
end

-- Ends a group after its body returned `ok, ...`, in the form of core.try(). Waits for its tasks,
-- then returns the body's values or raises.
local function ended(scope, ok, ...)
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
  if failures then raise(error_group(failures)) end
  if not ok then
    if absorbed then return end
    raise(...)
  end
  if (child_cancelled and not absorbed) or not had_tasks then core.checkpoint() end
  return ...
end

local function finish(scope, ...)
  return ended(scope, blocks.close_generators(scope, ...))
end

-- Ends a group left open by a coroutine that died of `err`, as its closing variable would have
-- done. Returns the resulting error and traceback.
local function unwound(scope, err, traceback)
  local _, raised, where = try(finish, scope, false, err, traceback)
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
  return failures and error_group(failures) or err
end

-- Ends the blocks left open inside `outer`, innermost first. `left` is true if their body has
-- ended, false if their coroutine died. Returns the resulting error.
function core.unwind(outer, left, err, traceback)
  for scope in core.scope_left, outer do
    if left then
      err = left_open(scope, err)
    else
      err, traceback = unwound(scope, err, traceback)
    end
    if core.current_scope() == scope then -- still open, as memory ran out
      core.scope_leave(scope)
      join(scope)
      close(scope)
    end
  end
  return err
end
core.set_unwind(core.unwind)

---@class septet.Group
---@field deadline number instant on the scale of task.now(); math.huge for none
---@field expired boolean true if its deadline has passed and cancelled it
local Group = core.scope_methods

--- Spawns a task of the group. Raises Usage if the group is closed.
---@param fn function
---@param ... any
---@return septet.Task
Group.spawn = Group.spawn

--- Cancels the group's body and tasks; the group then returns normally. For a `<close>` variable it
--- cancels only the tasks: the end of a block cannot absorb what unwinds it.
---@param reason string|nil
---@return boolean first
Group.cancel = Group.cancel

--- Returns true if the group or a scope around it is cancelled.
---@return boolean
Group.is_cancelled = Group.is_cancelled

--- Moves the deadline later by `seconds`. Returns false if it is too late for that.
---@param seconds number
---@return boolean in_time
Group.extend = Group.extend

--- Spawns a task that calls fn(started, ...), and waits until it calls started(...). If it fails
--- before that, its error is raised here unchanged, and not by the group.
---@async
---@param fn fun(started: fun(...: any), ...)
---@param ... any
---@return any ... the arguments of `started`
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
  core.scope_expect(self, nursery)
  t = nursery:spawn(fn, started, ...)
  join(nursery) -- until it has moved or ended
  local failed = not moved and t:status() == "failed"
  if failed then core.seen(t) end
  close(nursery)
  if failed then core.outcome(t) end
  if moved then return table.unpack(given, 1, given.n) end
  core.checkpoint()
  t:await()
  error(("task '%s' ended without calling started"):format(core.escape(t.name)), 2)
end

args.methods(ErrorGroup, "error", { [core.error_meta] = true })
Group.start = args.method(Group.start, "start", "group", { [core.scope_meta] = true })

core.scope_meta.__close = function(scope, err)
  if not core.scope_ends(scope) then return end
  if err ~= nil then
    finish(scope, false, err, core.scope_caught(scope, err))
  else
    finish(scope, true)
  end
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
  local scope = new_scope(true)
  return finish(scope, try(fn, scope, ...))
end

return group
