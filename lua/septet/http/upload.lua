-- SPDX-License-Identifier: MIT
-- Bodies made by a script's iterator. Its own task runs it, and waits while enough is buffered.
local core = require "septet.core"
local args = require "septet.internal.args"
local group = require "septet.task.group"

local upload = {}

local function produce(body, iterate)
  for piece in iterate do
    if type(piece) ~= "string" then error({ bad_piece = type(piece) }, 0) end
    if not body:write(piece) then return end -- the request has ended
  end
  body:finish()
end

-- Runs the iterator. Its error is kept for the requesting task and fails no other task.
local function run(body, iterate, state)
  local ok, err, traceback = core.try(produce, body, iterate)
  if ok then return end
  if core.is(err, "Cancelled") then core.raise(err, traceback) end
  state.failure = { err, traceback }
  body:abort()
end

local function after_request(state, ok, result, traceback)
  if ok then return result end
  local failure = state.failure
  if not failure then core.raise(result, traceback) end
  if type(failure[1]) == "table" and rawget(failure[1], "bad_piece") then
    args.usage("bad piece of 'body' (string expected, got %s)", failure[1].bad_piece)
  end
  core.raise(failure[1], failure[2], "awaited at")
end

--- Calls fn with a body that `iterate` makes. The iteration ends with the call.
---@async
---@param iterate fun(): string|nil
---@param fn fun(body: userdata): table
---@return table
function upload.with_body(iterate, fn)
  local body, state, ok, result, traceback = core.http_upload(), {}, nil, nil, nil
  group.group(function(g)
    local producer = g:spawn(run, body, iterate, state)
    ok, result, traceback = core.try(fn, body)
    producer:cancel()
  end)
  return after_request(state, ok, result, traceback)
end

--- Like with_body(), but the iteration continues after the call, in a task of the caller's scope.
--- On success, the result of fn has it as `upload.task`.
---@async
---@param iterate fun(): string|nil
---@param fn fun(body: userdata): table
---@return table
function upload.start_body(iterate, fn)
  local body, state = core.http_upload(), {}
  state.task = core.spawn(run, body, iterate, state)
  local ok, result, traceback = core.try(fn, body)
  if ok then result.upload = state else state.task:cancel() end
  return after_request(state, ok, result, traceback)
end

return upload
