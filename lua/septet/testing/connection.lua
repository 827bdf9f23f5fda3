-- SPDX-License-Identifier: MIT
-- The requests of one connection of a server for tests, one after the other.
local answer = require "septet.testing.answer"
local blocks = require "septet.task.blocks"
local core = require "septet.core"
local link = require "septet.testing.link"
local request = require "septet.testing.request"
local source = require "septet.testing.source"

local connection = {}

local LINGER, LINGER_BYTES = 1, 1024 * 1024 -- seconds and bytes that are read after a refusal

-- Returns true if the client has gone.
local function is_lost(err)
  return core.is(err, "RequestError") and not err.status
end

-- Ends the connection so that a client that still sends reads the response: a close with unread
-- bytes would be a RST, which discards it.
local function linger(writer)
  writer:shutdown()
  blocks.move_on_after(LINGER, function()
    local left = LINGER_BYTES
    while left > 0 do
      local piece = writer:read()
      if not piece then return end
      left = left - #piece
    end
  end)
end

local NO_REQUEST = { method = "GET", version = "1.1" }

-- Answers what is no request, or one that is refused. The connection ends.
local function refuse(server, writer, from, err)
  local made = answer.check { status = err.status, body = err.message .. "\n", close = true,
    headers = { ["Content-Type"] = "text/plain; charset=utf-8" } }
  server:refused(err)
  answer.write(writer, from or NO_REQUEST, made, false)
  linger(writer)
end

local function write_raw(writer, steps)
  for _, step in ipairs(steps) do
    if type(step) == "number" then
      core.sleep(step)
    elseif step ~= "" then
      writer:write(step)
    end
  end
end

-- Writes what a handler returned. Returns true if the connection can be used again.
local function respond(server, writer, from, made)
  if made.delay then core.sleep(made.delay) end
  local keep = from.keep and from.content.done and not server.closing
  if made.raw then
    made.begun = true
    write_raw(writer, made.raw)
    keep = keep and made.close == false
  elseif made.status then
    keep = answer.write(writer, from, made, keep or false)
    from.status = made.status
  end
  if made.reset then writer:reset() end
  if made.reset or made.close then return false end
  if not keep and not from.content.done then linger(writer) end
  return keep
end

-- Answers with a 500 for a handler that failed.
local function apologize(server, writer, from, err, traceback)
  server:failed(from, err, traceback)
  local made = answer.check { status = 500, close = true,
    body = ("the handler failed: %s\n"):format(core.words(err)) }
  answer.write(writer, from, made, false)
  if not from.content.done then linger(writer) end
end

-- Calls the handler and writes what it returned. Its failure is a 500 if nothing was sent before.
-- Returns true if the connection can be used again.
local function answer_to(server, writer, from)
  local made
  local ok, result, traceback = core.try(function()
    if not (server.streams or request.waits(from)) then local _ = from.body end
    made = answer.check(server.handler(from))
    return respond(server, writer, from, made)
  end)
  local begun = made and made.begun
  if ok then
    return result
  elseif core.is(result, "Cancelled") then
    core.raise(result, traceback)
  elseif core.is(result, "RequestError") then
    if result.status and not begun then refuse(server, writer, from, result) end
  elseif begun then
    server:failed(from, result, traceback)
  else
    apologize(server, writer, from, result, traceback)
  end
  return false
end

-- Waits for the next request. Returns nil if the client has gone or sent none in time.
local function receive(server, writer, from)
  core.clock_aside(true)
  local ok, more = pcall(from.fill, from)
  core.clock_aside(false)
  if not ok and core.is(more, "RequestError") or ok and not more then return nil end
  if not ok then error(more, 0) end
  local in_time, head = blocks.move_on_after(server.timeout, from.head, from)
  if not in_time then link.refuse("timeout", 408, "the request was not complete in time") end
  return head and request.new(from, head, server.max_body, writer)
end

-- Receives and answers one request. Returns true if there may be another.
local function exchange(server, writer, from, number)
  local ok, next_request, traceback = core.try(receive, server, writer, from)
  if not ok and core.is(next_request, "RequestError") and next_request.status then
    refuse(server, writer, nil, next_request)
    return false
  elseif not ok and is_lost(next_request) then
    return false
  elseif not ok then
    core.raise(next_request, traceback)
  elseif not next_request then
    return false
  end
  next_request.connection = number
  server:received(next_request)
  return answer_to(server, writer, next_request)
end

--- Answers the requests of a connection until one of the two ends it.
---@async
---@param server septet.TestServer
---@param accepted septet.Connection
function connection.run(server, accepted)
  local number, writer = server:connected(), link.new(accepted)
  local from = source.new(writer)
  local ok, err, traceback = core.try(function()
    while exchange(server, writer, from, number) do end
  end)
  if not ok and not is_lost(err) then core.raise(err, traceback) end
end

return connection
