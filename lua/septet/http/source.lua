-- SPDX-License-Identifier: MIT
-- Sources of request bodies that are made as they are sent: functions and readers.
local core = require "septet.core"

local source = {}

local PIECE = 64 * 1024 -- bytes read at once

--- A body that is made as it is sent. It is read once.
---@class septet.BodySource
---@field next fun(): string|nil waits; returns a piece, or nil at the end
---@field length integer|nil bytes in all, if that is known

--- Returns what the next of a source raises if it has more, or fewer, bytes than its length.
---@param is_long boolean
---@param what string "the body"
---@param length integer bytes
---@param got integer|nil bytes
---@return table
function source.wrong_length(is_long, what, length, got)
  return { upload_fault = is_long and "long" or "short",
    why = is_long and ("%s has more than its length, %d bytes"):format(what, length)
      or ("%s has %d of the %d bytes of its length"):format(what, got, length) }
end

local function check_piece(piece)
  if piece ~= nil and type(piece) ~= "string" then error({ bad_piece = type(piece) }, 0) end
  return piece
end

-- Returns a source that counts its pieces. What differs from its length is an error.
local function counted(next_piece, length, what)
  local got = 0
  return { length = length, next = function()
    local piece = check_piece(next_piece())
    got = got + (piece and #piece or 0)
    if length and (got > length or not piece and got < length) then
      error(source.wrong_length(got > length, what, length, got), 0)
    end
    return piece
  end }
end

-- Returns a source of the next `length` bytes of a reader, or of all that it has.
local function of_reader(reader, length, what)
  local read, first = reader.read, nil
  length = length or core.io_rest(reader)
  if length == 0 then -- a file of the system may have bytes all the same
    first = read(reader, PIECE)
    if first then length = nil end
  end
  local left = length or math.huge
  return counted(function()
    local piece = first
    if not piece and left > 0 then piece = check_piece(read(reader, math.min(PIECE, left))) end
    first = nil
    if piece then left = left - #piece end
    return piece
  end, length, what)
end

--- Returns the source that a function or a reader is. Of a reader of a regular file, the length is
--- known. With `length`, a reader gives so many bytes and keeps the rest.
---@async
---@param value function|table|userdata
---@param length integer|nil bytes
---@param what string|nil "the body"
---@return septet.BodySource
function source.new(value, length, what)
  what = what or "the body"
  if type(value) ~= "function" then return of_reader(value, length, what) end
  return counted(value, length, what)
end

return source
