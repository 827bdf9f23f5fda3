-- SPDX-License-Identifier: MIT
-- What `septet jobs` writes: lines of JSON, text for a terminal, and what is wrong. Keys and errors
-- are hostile: control characters are escaped.
local core = require "septet.core"
local json_text = require "septet.trace.json_text"
local terminal = require "septet.trace.terminal"

local output = {}

output.escape = terminal.escape

-- What a failed command raises, to be printed without a traceback.
local Failure = {}
Failure.__index = Failure
function Failure:__tostring() return self.message end

--- Ends the command with a message.
function output.fail(format, ...)
  error(setmetatable({ message = format:format(...) }, Failure), 0)
end

--- Prints a message on standard error.
function output.complain(format, ...)
  io.stderr:write("septet: ", terminal.escape(format:format(...)), "\n")
end

--- Returns a URL or a word as messages may show it, without a password.
function output.public(text)
  return (core.http_public(text):gsub("([?&;][^=&;]*=)[^&;]*", "%1REDACTED"))
end

--- Calls fn(...). Returns true and its result; or false, after it has printed what failed. What is
--- no failure of the queue or of the output is raised.
---@async
function output.guard(fn, ...)
  local ok, result = pcall(fn, ...)
  if ok then return true, result end
  local known = getmetatable(result) == Failure or core.is(result, "JobsError")
    or core.is(result, "IoError")
  if not known then error(result, 0) end
  output.complain("%s", tostring(result))
  return false
end

--- Writes to standard output.
function output.write(...)
  local ok, problem = io.stdout:write(...)
  if not ok then output.fail("cannot write to standard output: %s", problem) end
end

--- Returns JSON that others wrote on one line, without control characters: JSON allows some that a
--- terminal obeys.
function output.printable(text)
  if not text:find "[\r\n\t\x7F\xC2]" then return text end
  return (text:gsub("\x7F", "\\u007f"):gsub("\xC2([\x80-\x9F])", function(byte)
    return ("\\u%04x"):format(byte:byte())
  end):gsub("[\r\n\t]", " "))
end

--- Returns an object as JSON, from a list of names and values, which has `n`. A value that is nil
--- has no member. A value { json = text } is JSON already.
function output.object(list)
  local members = {}
  for i = 1, list.n, 2 do
    local name, value = list[i], list[i + 1]
    if value ~= nil then
      members[#members + 1] = json_text.string(name) .. ":"
        .. (type(value) == "table" and value.json or json_text.value(value))
    end
  end
  return "{" .. table.concat(members, ",") .. "}"
end

--- Returns the members of a key: also its bytes in Base64, if it is not UTF-8, which JSON needs.
function output.key(key)
  if utf8.len(key) then return key end
  return key, core.base64(key)
end

return output
