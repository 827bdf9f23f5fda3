-- SPDX-License-Identifier: MIT
--- Functions that compute in the thread pool, each in a Lua state of its own. Exported by
--- `septet.task`.
local thread = {}

local core = require "septet.core"
local args = require "septet.internal.args"

local NONE <const> = {}
local spec = { memory = "size" }

local places -- a semaphore for the threads of the pool that scripts may hold

local function failure(code, message, fields)
  fields = fields or {}
  fields.kind, fields.code, fields.message = "ThreadError", code, core.escape(message)
  return core.error(fields)
end

-- Returns the error of a thread that has run.
local endings = {}

function endings.failed(err) return err end

function endings.uncopiable(words)
  return failure("error", ("the function of a thread failed: %s"):format(words))
end

function endings.result(number, what, place)
  return failure("result", ("result %d of a thread's function %s %s%s, which cannot be copied")
    :format(number, place == "" and "is" or "has", what,
      place == "" and "" or (" at '%s'"):format(place)))
end

function endings.memory(limit)
  if limit == 0 then return failure("memory", "a thread had not enough memory") end
  return failure("memory", ("a thread needed more than its %d bytes of memory"):format(limit),
    { memory = limit })
end

-- Returns the results of a thread, or raises its error where the script waits.
local function after_wait(outcome, ...)
  if outcome == "returned" then return ... end
  local err, traceback = endings[outcome](...), nil
  if outcome == "failed" or outcome == "uncopiable" then
    traceback = select(2, ...):gsub("[^\n\t]+", core.escape)
  end
  core.raise(err, traceback, "thread awaited at")
end

local function start(options, ...)
  places = places or core.semaphore(core.thread_places())
  local created = core.thread_new(options.memory or 0, ...)
  return after_wait(places:with(core.thread_wait, created))
end

--- Calls fn(...) in a thread, beside the tasks, and waits for its results. The function uses
--- nothing of the code around it, and has Lua's libraries, but none of Septet's. Arguments and
--- results are copied: nil, booleans, numbers, strings, and tables of them. Before the function,
--- there may be options: thread({ memory = bytes }, fn, ...). Raises the error of the function, or
--- ThreadError.
---@async
---@param fn function
---@param ... any
---@return any ... what fn returned
function thread.thread(fn, ...)
  if type(fn) == "table" then return start(args.options(fn, spec, "thread"), ...) end
  return start(NONE, fn, ...)
end

return thread
