-- SPDX-License-Identifier: MIT
-- Finds the charset that a page names, as browsers do it (HTML's standard, "prescan").
local charset = {}

local PRESCAN = 1024 -- bytes

local BLANK = "[ \t\n\f\r/]*"

-- Reads an attribute of a tag. Returns its name, its value, and the position behind it. Returns nil
-- at the end of the tag.
local function attribute(text, at)
  at = text:match("^" .. BLANK .. "()", at)
  local name, behind = text:match("^(=?[^= \t\n\f\r/>]*)()", at)
  if name == "" then return nil end
  local value_at = text:match("^[ \t\n\f\r]*=[ \t\n\f\r]*()", behind)
  if not value_at then return name:lower(), "", behind end
  local value, value_end = text:match('^"([^"]*)"()', value_at)
  if not value then value, value_end = text:match("^'([^']*)'()", value_at) end
  if not value then value, value_end = text:match("^([^ \t\n\f\r>]*)()", value_at) end
  return name:lower(), value, value_end
end

-- Returns the charset that a Content-Type in a meta tag names.
local function of_content(content)
  local rest = content:lower():match "charset[ \t\n\f\r]*=[ \t\n\f\r]*(.*)"
  if not rest then return nil end
  return rest:match '^"([^"]*)"' or rest:match "^'([^']*)'" or rest:match "^([^ \t\n\f\r;\"']+)"
end

-- Returns the charset of a meta tag with attributes from `at` on, and the position behind them.
local function of_meta(text, at)
  local seen, pragma, found, needs_pragma = {}, false, nil, nil
  while true do
    local name, value, behind = attribute(text, at)
    if not name then break end
    at = behind
    if not seen[name] then
      seen[name] = true
      if name == "http-equiv" then
        pragma = value:lower() == "content-type"
      elseif name == "charset" then
        found, needs_pragma = value, false
      elseif name == "content" and not found then
        found, needs_pragma = of_content(value), true
      end
    end
  end
  if needs_pragma and not pragma then found = nil end
  return found, at
end

--- Returns the label of the charset that the beginning of a page names, or nil.
---@param bytes string
---@return string|nil
function charset.of_page(bytes)
  local text, at = bytes:sub(1, PRESCAN), 1
  while true do
    at = text:find("<", at, true)
    if not at then return nil end
    local behind = text:match("^<[mM][eE][tT][aA][ \t\n\f\r/]()", at)
    local found
    if text:sub(at, at + 3) == "<!--" then
      local _, last = text:find("-->", at + 2, true)
      if not last then return nil end
      at = last + 1
    elseif behind then
      found, at = of_meta(text, behind)
      if found and found:find "%S" then return found end
    elseif text:find("^</?%a", at) then
      at = text:match("^</?[^ \t\n\f\r>]*()", at)
      local name, _, past = attribute(text, at)
      while name do
        at = past
        name, _, past = attribute(text, at)
      end
    elseif text:find("^<[!/?]", at) then
      at = text:find(">", at, true) or #text + 1
    else
      at = at + 1
    end
  end
end

return charset
