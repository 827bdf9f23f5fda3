-- SPDX-License-Identifier: MIT
-- A server's end of a connection, with failures as RequestErrors: a client that has gone is no
-- failure of a handler, and of no file that the handler reads.
local core = require "septet.core"

local link = {}

local PIECE = 64 * 1024 -- bytes read at once

--- Raises a RequestError. Without a status, the client has gone, and is not answered.
---@param code string
---@param status integer|nil
---@param why string
function link.refuse(code, status, why)
  error(core.error { kind = "RequestError", code = code, status = status, message = why }, 0)
end

--- A connection of a server.
---@class septet.ServerLink
---@field connection septet.Connection
---@field peer string|nil
local Link = {}
local link_meta = { __index = Link, __metatable = false }

---@param connection septet.Connection
---@return septet.ServerLink
function link.new(connection)
  return setmetatable({ connection = connection, peer = connection.peer }, link_meta)
end

local function after_call(ok, ...)
  if ok then return ... end
  local err, traceback = ...
  if not core.is(err, "IoError") then core.raise(err, traceback) end
  if err.code == "timeout" then
    link.refuse("timeout", 408, "the client did nothing for too long")
  end
  link.refuse("closed", nil, err.message)
end

--- Waits for bytes and returns some, or nil at the end. Raises RequestError.
---@async
---@return string|nil
function Link:read()
  local connection = self.connection
  return after_call(core.try(connection.read, connection, PIECE))
end

--- Writes strings. Raises RequestError.
---@async
function Link:write(...)
  local connection = self.connection
  after_call(core.try(connection.write, connection, ...))
end

--- Ends the writing. Raises RequestError.
---@async
function Link:shutdown()
  local connection = self.connection
  after_call(core.try(connection.shutdown, connection))
end

--- Closes the connection by a RST.
function Link:reset()
  self.connection:reset()
end

return link
