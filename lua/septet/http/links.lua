-- SPDX-License-Identifier: MIT
-- The Link header of a response (RFC 8288). What is malformed is skipped, as its appendix B says.
local core = require "septet.core"
local text = require "septet.internal.text"

local links = {}

local MANY = 100 -- links that are read between two pauses

--- A link of a response.
---@class septet.Link
---@field url string|nil absolute; nil if the target cannot be one
---@field target string as it was written
---@field rel string|nil types of the relation, with blanks in between, in lower case
---@field rels string[] the same as a list
---@field anchor string|nil absolute URL of what the link begins at, if that is not the page
---@field title string|nil
---@field type string|nil
---@field media string|nil
---@field hreflang string|nil
---@field params table<string, string> all parameters, by name in lower case

-- Returns the quoted string that begins at `at`, and where it ends.
local function quoted(line, at)
  local parts, from = {}, at + 1
  while true do
    local stop = line:find('["\\]', from)
    if not stop then
      parts[#parts + 1] = line:sub(from)
      return table.concat(parts), #line + 1
    end
    parts[#parts + 1] = line:sub(from, stop - 1)
    if line:byte(stop) == 34 then return table.concat(parts), stop + 1 end
    parts[#parts + 1] = line:sub(stop + 1, stop + 1)
    from = stop + 2
  end
end

-- Returns the name and value of the parameter that begins behind a semicolon, and where it ends.
local function parameter(line, at)
  local name, finish = line:match("^[ \t]*([^%s=;,\"]*)[ \t]*()", at)
  if line:sub(finish, finish) ~= "=" then return name:lower(), "", finish end
  finish = line:match("^[ \t]*()", finish + 1)
  if line:sub(finish, finish) == '"' then
    local value, after = quoted(line, finish)
    return name:lower(), value, after
  end
  local value, after = line:match("^([^;,]*)()", finish)
  return name:lower(), value:match "^.*%S" or "", after
end

-- Returns the text of an extended value ("UTF-8'en'%e2%82%ac", RFC 8187), or nil.
local function extended(value)
  local charset, encoded = value:match "^([%w_-]+)'[^']*'([^']*)$"
  local bytes, bad = core.url_decode(encoded or "")
  if not charset or bad then return nil end
  return text.decode(bytes, charset)
end

-- Reads the links of one header line and adds them to a list.
local function read(line, list)
  local at = line:match "^[%s,]*()"
  while at <= #line do
    local finish = line:byte(at) == 60 and line:find(">", at, true) -- "<"
    if not finish then
      at = line:byte(at) ~= 60 and line:find("<", at + 1, true)
      if not at then return end
    else
      local target, params = line:sub(at + 1, finish - 1), {}
      finish = finish + 1
      at = line:match("^[ \t]*;()", finish)
      while at do
        local name, value
        name, value, finish = parameter(line, at)
        if name ~= "" and not params[name] then params[name] = value end
        at = line:match("^[ \t]*;()", finish)
      end
      list[#list + 1] = { target = target, params = params }
      if #list % MANY == 0 then core.pause() end
      at = line:find("[,<]", finish)
      if not at then return end
      at = line:match("^[%s,]*()", at)
    end
  end
end

local function complete(link, page)
  local params = link.params
  link.url = core.url_resolve(page, link.target)
  link.rel, link.rels = params.rel and params.rel:lower(), {}
  for rel in (link.rel or ""):gmatch "%S+" do link.rels[#link.rels + 1] = rel end
  if params.anchor then link.anchor = core.url_resolve(page, params.anchor) or params.anchor end
  link.title = params["title*"] and extended(params["title*"]) or params.title
  link.type, link.media, link.hreflang = params.type, params.media, params.hreflang
end

--- Returns the links of header lines in their order, and by relation the first one that begins at
--- the page and has a URL.
---@param lines string[]
---@param page string its URL
---@return septet.Link[]|table<string, septet.Link>
function links.of(lines, page)
  local list = {}
  page = page:match "^[^#]*"
  for _, line in ipairs(lines) do read(line, list) end
  for i, link in ipairs(list) do
    complete(link, page)
    if i % MANY == 0 then core.pause() end
  end
  for _, link in ipairs(list) do
    for _, rel in ipairs(link.rels) do
      if link.url and (not link.anchor or link.anchor == page) and not list[rel] then
        list[rel] = link
      end
    end
  end
  return list
end

return links
