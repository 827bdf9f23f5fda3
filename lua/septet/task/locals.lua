-- SPDX-License-Identifier: MIT
--- Task-locals: values of a task, which the tasks it spawns inherit. Exported by `septet.task`.
local locals = {}

local core = require "septet.core"
local args = require "septet.internal.args"

local NIL = {} -- stands for a nil that was set

---@class septet.Var
local Var = {}
local var_meta = { __name = "task-local", __index = Var, __metatable = false }

--- Returns its value in the running task.
---@return any
function Var:get()
  local all = core.locals()
  local value = all and all[self]
  if value == nil then return self.default end
  if value == NIL then return nil end
  return value
end

-- Returns a copy of the locals with another value for `var`. The table of the task may be shared.
local function changed(var, value)
  local copy = {}
  for k, v in pairs(core.locals() or copy) do copy[k] = v end
  if value == nil then value = NIL end
  copy[var] = value
  return copy
end

--- Sets it in the running task. Tasks spawned from here on inherit the value.
---@param value any
function Var:set(value)
  core.set_locals(changed(self, value))
end

--- Calls fn(...) with another value set. fn may wait. A coroutine or generator cannot yield or emit
--- out of it.
---@async
---@param value any
---@param fn function
---@param ... any
---@return any ... what fn returned
function Var:with(value, fn, ...)
  args.callable(fn, 2, "with")
  return core.with_locals(self, changed(self, value), fn, ...)
end

--- Creates a task-local. Its value is `default` until it is set.
---@param default any
---@return septet.Var
function locals.var(default)
  return setmetatable({ default = default }, var_meta)
end

args.methods(Var, "var", { [var_meta] = true })
return locals
