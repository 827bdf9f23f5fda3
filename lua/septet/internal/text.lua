-- SPDX-License-Identifier: MIT
-- Decodes texts of responses to UTF-8, with the charsets that browsers use.
local core = require "septet.core"
local charsets = require "septet.internal.charsets"

local text = {}

local MARKS = { -- byte order marks, which override any charset
  { "\xEF\xBB\xBF", "utf-8" }, { "\xFE\xFF", "utf-16be" }, { "\xFF\xFE", "utf-16le" },
}

local UNITS = { -- bytes
  ["utf-16le"] = 2, ["utf-16be"] = 2, ["utf-32"] = 4, ["utf-32le"] = 4, ["utf-32be"] = 4 }

-- Returns the private character for a byte of x-user-defined.
local function user_defined(byte)
  return utf8.char(0xF700 + byte:byte())
end

--- Returns the charset that a Content-Type names, or nil.
---@param content_type string|nil
---@return string|nil
function text.charset(content_type)
  return content_type and (content_type:lower():match ";%s*charset%s*=%s*[\"']?([^%s;\"',]+)")
end

--- Returns the charset of the byte order mark and its length, or nil and 0. It overrides any other.
---@param bytes string
---@return string|nil
---@return integer
function text.mark(bytes)
  for _, mark in ipairs(MARKS) do
    if bytes:sub(1, #mark[1]) == mark[1] then return mark[2], #mark[1] end
  end
  return nil, 0
end

--- Returns iconv's name for the charset of a label, or nil if it is not known.
---@param label string
---@return string|nil
function text.encoding(label)
  local name = charsets.name(label)
  if name:find "[^%w._:-]" or name == "" then return nil end -- iconv accepts more than names
  return (name == "x-user-defined" or core.text_decode("", name, 1)) and name or nil
end

--- Returns the bytes of a unit of a charset, and whether undefined bytes are control characters.
---@param name string iconv's
---@return integer
---@return boolean
function text.units(name)
  return UNITS[name] or 1, name:find "^windows%-" ~= nil
end

--- Returns true if iconv alone does not do what browsers do for a charset, of which each character
--- is one byte.
---@param name string iconv's
---@return boolean
function text.is_corrected(name)
  return name == "x-user-defined" or charsets.corrections[name] ~= nil
end

--- Like decode(), but takes iconv's name and any bytes of a text.
---@param bytes string
---@param charset string
---@return string|nil
function text.convert(bytes, charset)
  if charset == "utf-8" then return utf8.len(bytes) and bytes or core.text_decode(bytes) end
  if charset == "x-user-defined" then return (bytes:gsub("[\x80-\xFF]", user_defined)) end
  if charset:find "[^%w._:-]" or charset == "" then return nil end -- iconv accepts more than names
  local decoded = core.text_decode(bytes, charset, text.units(charset))
  local corrections = charsets.corrections[charset]
  return decoded and corrections and decoded:gsub(utf8.charpattern, corrections) or decoded
end

--- Returns bytes as UTF-8, with U+FFFD for invalid characters and without the byte order mark. That
--- mark overrides the charset.
---@param bytes string
---@param charset string|nil UTF-8 by default
---@return string|nil nil if the charset is not known
function text.decode(bytes, charset)
  local mark, length = text.mark(bytes)
  return text.convert(mark and bytes:sub(length + 1) or bytes,
    mark or charsets.name(charset or "utf-8"))
end

return text
