--- Task-locals: values that a task has for itself and gives on to the tasks it spawns. `septet.task` gives them out.
local locals = {}

local core = require "septet.core"
local args = require "septet.args"

local NIL = {} -- stands for nil that was set

---@class septet.Var
local Var = {}
local var_meta = { __name = "task-local", __index = Var, __metatable = false }

--- Its value in the running task.
---@return any
function Var:get()
  local all = core.locals()
  local value = all and all[self]
  if value == nil then return self.default end
  if value == NIL then return nil end
  return value
end

-- The table may be shared with other tasks: it is replaced.
local function put(var, value)
  local copy = {}
  for k, v in pairs(core.locals() or copy) do copy[k] = v end
  copy[var] = value
  core.set_locals(copy)
end

--- Sets it in the running task and in those it spawns from here on.
---@param value any
function Var:set(value)
  if value == nil then value = NIL end
  put(self, value)
end

local function restored(var, before, ok, ...)
  put(var, before)
  if not ok then core.raise(...) end
  return ...
end

--- Calls fn(...) with another value set.
---@async
---@param value any
---@param fn function
---@param ... any
---@return any ... what fn returned
function Var:with(value, fn, ...)
  args.callable(fn, 2, "with")
  local all = core.locals()
  local before = all and all[self]
  self:set(value)
  return restored(self, before, core.try(fn, ...))
end

--- A task-local that is `default` wherever it was not set.
---@param default any
---@return septet.Var
function locals.var(default)
  return setmetatable({ default = default }, var_meta)
end

return locals
