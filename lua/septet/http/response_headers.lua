-- SPDX-License-Identifier: MIT
-- The headers of responses, and the trailers.
local args = require "septet.internal.args"
local core = require "septet.core"

local response_headers = {}

--- Headers of a response, by name in any case. Several of one name are joined by ", ".
---@class septet.Headers
local Headers = {}
local function LINES() end -- the key of the header lines: no header has it, no script changes it

-- Returns the lines, each {name, value}.
local function lines_of(self)
  local lines = rawget(self, LINES)
  return type(lines) == "function" and lines() or lines
end

--- Returns all values of a header, in order.
---@param name string
---@return string[]
function Headers:all(name)
  local values = {}
  for _, pair in ipairs(lines_of(self)) do
    if pair[1]:lower() == name:lower() then values[#values + 1] = pair[2] end
  end
  return values
end

--- Iterates over names and values as they were received.
---@return fun(): string|nil, string
function Headers:each()
  local i, lines = 0, lines_of(self)
  return function()
    i = i + 1
    if lines[i] then return lines[i][1], lines[i][2] end
  end
end

local headers_meta = {
  __name = "septet.http.Headers",
  __metatable = false,
  __index = function(self, name)
    local text_name = tostring(name)
    local values = Headers.all(self, text_name)
    if #values > 0 then return table.concat(values, ", ") end
    local dashed = text_name:gsub("_", "-")
    if dashed ~= text_name and #Headers.all(self, dashed) > 0 then
      args.usage("there is no header '%s', did you mean ['%s']?", text_name, dashed:lower())
    end
    return Headers[name]
  end,
  __pairs = function(self) return Headers.each(self) end,
}

-- Returns a line from `first` on, without trailing blanks. A pattern would search for the end after
-- each blank.
local function cut(line, first)
  local last = #line
  while last >= first and (line:byte(last) == 32 or line:byte(last) == 9) do last = last - 1 end
  return line:sub(first, last)
end

--- Parses the status line and the header lines of a head.
---@param raw string
---@return septet.Headers
function response_headers.parse(raw)
  local lines = {}
  for line in raw:gmatch("[^\r\n]+") do
    local name, first = line:match("^([^:%s]+):[ \t]*()")
    if name then lines[#lines + 1] = { name, cut(line, first) } end
  end
  return setmetatable({ [LINES] = lines }, headers_meta)
end

--- Returns the same headers for an error. Errors are printed and logged whole, so a walk through
--- the table does not come upon the values, which may be secret.
---@param headers septet.Headers
---@return septet.Headers
function response_headers.hidden(headers)
  local lines = lines_of(headers)
  return setmetatable({ [LINES] = function() return lines end }, headers_meta)
end

core.http_error_headers(function(raw)
  return response_headers.hidden(response_headers.parse(raw))
end)
args.methods(Headers, "headers", { [headers_meta] = true })
return response_headers
