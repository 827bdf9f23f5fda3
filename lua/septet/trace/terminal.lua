-- SPDX-License-Identifier: MIT
-- Text that is safe to print: a name or URL of others must not move the cursor or forge a line.
local terminal = {}

local short = { ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function escape(bytes)
  return short[bytes] or bytes:gsub(".", function(byte) return ("\\x%02x"):format(byte:byte()) end)
end

--- Returns the text with control characters, and bytes that are no UTF-8, escaped.
function terminal.escape(text)
  if not text:find "[^ -~]" then return text end
  local length, bad = utf8.len(text)
  local pieces, from = {}, 1
  while not length do
    pieces[#pieces + 1] = text:sub(from, bad - 1):gsub("%c", escape)
    pieces[#pieces + 1] = escape(text:sub(bad, bad))
    from = bad + 1
    length, bad = utf8.len(text, from)
  end
  pieces[#pieces + 1] = text:sub(from):gsub("%c", escape)
  return (table.concat(pieces):gsub("\xC2[\x80-\x9F]", escape))
end

return terminal
