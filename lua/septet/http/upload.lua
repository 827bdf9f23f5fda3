-- SPDX-License-Identifier: MIT
-- Bodies that are made as they are sent. Their own task runs the script's function or reader, and
-- waits while enough is buffered.
local core = require "septet.core"
local args = require "septet.internal.args"
local failure = require "septet.http.failure"
local group = require "septet.task.group"

local upload = {}

local function produce(body, source)
  for piece in source.next do
    if not body:write(piece) then return end -- the request has ended
  end
  body:finish()
end

-- Runs the source. Its error is kept for the requesting task and fails no other task.
local function run(body, source, state)
  local ok, err, traceback = core.try(produce, body, source)
  if ok then return end
  if core.is(err, "Cancelled") then core.raise(err, traceback) end
  state.failure = { err, traceback }
  body:abort()
end

-- Raises the error of a source.
local function raise_failure(attempt, err, traceback)
  local own = type(err) == "table"
  if own and rawget(err, "bad_piece") then
    args.usage("bad piece of 'body' (string expected, got %s)", err.bad_piece)
  end
  if own and rawget(err, "upload_fault") then
    error(failure.new(attempt, "upload", err.upload_fault, "send", err.why), 0)
  end
  core.raise(err, traceback, "awaited at")
end

local function after_request(attempt, state, ok, result, traceback)
  if ok then return result end
  if not state.failure then core.raise(result, traceback) end
  raise_failure(attempt, state.failure[1], state.failure[2])
end

-- Returns the body that the core sends. An empty one is found to be empty before anything is sent:
-- libcurl would not wait for its end.
local function new_body(source, attempt)
  if source.length ~= 0 then return core.http_upload(source.length) end
  local ok, err, traceback = core.try(function()
    for _ in source.next do end
  end)
  if ok then return nil end
  if core.is(err, "Cancelled") then core.raise(err, traceback) end
  raise_failure(attempt, err, traceback)
end

--- Calls fn with a body that the source makes. The making ends with the call.
---@async
---@param source septet.BodySource
---@param attempt septet.Attempt
---@param fn fun(body: userdata|string): table
---@return table
function upload.with_body(source, attempt, fn)
  local body, state, ok, result, traceback = new_body(source, attempt), {}, nil, nil, nil
  if not body then return fn "" end
  group.group(function(g)
    local producer = g:spawn(run, body, source, state)
    ok, result, traceback = core.try(fn, body)
    producer:cancel()
  end)
  return after_request(attempt, state, ok, result, traceback)
end

--- Like with_body(), but the making continues after the call, in a task of the caller's scope. On
--- success, the result of fn has it as `upload.task`.
---@async
---@param source septet.BodySource
---@param attempt septet.Attempt
---@param fn fun(body: userdata|string): table
---@return table
function upload.start_body(source, attempt, fn)
  local body, state = new_body(source, attempt), {}
  if not body then return fn "" end
  state.task = core.spawn(run, body, source, state)
  state.attempt = attempt
  local ok, result, traceback = core.try(fn, body)
  if ok then result.upload = state else state.task:cancel() end
  return after_request(attempt, state, ok, result, traceback)
end

--- Raises the error of the source that makes a streamed request's body, if it has failed.
---@param state table the `upload` of the result of start_body()
function upload.raise_failure(state)
  if state.failure then raise_failure(state.attempt, state.failure[1], state.failure[2]) end
end

return upload
