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

--- Returns bytes as UTF-8, with U+FFFD for invalid characters and without the byte order mark. That
--- mark overrides the charset.
---@param bytes string
---@param charset string|nil UTF-8 by default
---@return string|nil nil if the charset is not known
function text.decode(bytes, charset)
  charset = charsets.name(charset or "utf-8")
  for _, mark in ipairs(MARKS) do
    if bytes:sub(1, #mark[1]) == mark[1] then
      bytes, charset = bytes:sub(#mark[1] + 1), mark[2]
      break
    end
  end
  if charset == "utf-8" then return utf8.len(bytes) and bytes or core.text_decode(bytes) end
  if charset == "x-user-defined" then return (bytes:gsub("[\x80-\xFF]", user_defined)) end
  if charset:find "[^%w._:-]" or charset == "" then return nil end -- iconv accepts more than names
  local decoded =
    core.text_decode(bytes, charset, UNITS[charset] or 1, charset:find "^windows%-" ~= nil)
  local corrections = charsets.corrections[charset]
  return decoded and corrections and decoded:gsub(utf8.charpattern, corrections) or decoded
end

return text
