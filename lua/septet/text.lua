-- Texts of responses as UTF-8: which charset their bytes are in, as browsers see it.
local core = require "septet.core"

local text = {}

local MARKS = { -- at the beginning of a text: nothing knows better what it is in
  { "\xEF\xBB\xBF", "utf-8" }, { "\xFE\xFF", "utf-16be" }, { "\xFF\xFE", "utf-16le" },
}

-- What labels stand for where iconv takes them for something else: some are in use for a superset (WHATWG's Encoding).
local LABELS = {
  utf8 = "utf-8", ["utf-16"] = "utf-16le", ["ucs-2"] = "utf-16le", unicode = "utf-16le",
  ascii = "cp1252", ["us-ascii"] = "cp1252", ["iso-8859-1"] = "cp1252", ["iso8859-1"] = "cp1252",
  iso_8859_1 = "cp1252", ["iso_8859-1"] = "cp1252", latin1 = "cp1252", ["latin-1"] = "cp1252", l1 = "cp1252",
  ["iso-8859-9"] = "cp1254", latin5 = "cp1254",
  shift_jis = "cp932", ["shift-jis"] = "cp932", sjis = "cp932", ["x-sjis"] = "cp932",
  gb2312 = "gb18030", gbk = "gb18030", ["euc-kr"] = "cp949", ["ks_c_5601-1987"] = "cp949", big5 = "big5-hkscs",
}

local UNITS = { ["utf-16le"] = 2, ["utf-16be"] = 2, ["utf-32"] = 4, ["utf-32le"] = 4, ["utf-32be"] = 4 } -- bytes

--- The charset that a Content-Type names.
---@param content_type string|nil
---@return string|nil
function text.charset(content_type)
  return content_type and (content_type:lower():match ";%s*charset%s*=%s*[\"']?([^%s;\"',]+)")
end

--- The bytes as UTF-8, with U+FFFD for what is no character, and without the byte order mark, which counts more than
--- the charset.
---@param bytes string
---@param charset string|nil UTF-8
---@return string|nil nil where the charset is not known
function text.decode(bytes, charset)
  charset = charset and charset:lower() or "utf-8"
  for _, mark in ipairs(MARKS) do
    if bytes:sub(1, #mark[1]) == mark[1] then
      bytes, charset = bytes:sub(#mark[1] + 1), mark[2]
      break
    end
  end
  charset = LABELS[charset] or charset
  if charset == "utf-8" then return utf8.len(bytes) and bytes or core.text_decode(bytes) end
  if not charset:match "^[%w._:-]+$" then return nil end -- what else iconv takes is no name
  return core.text_decode(bytes, charset, UNITS[charset] or 1)
end

return text
