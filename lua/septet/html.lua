-- SPDX-License-Identifier: MIT
--- HTML: parses pages as browsers do, and finds elements in them by CSS selectors. A large page is
--- parsed, searched and written in the thread pool.
---@class septet.html
local html = {}

local core = require "septet.core"
local args = require "septet.internal.args"
local element = require "septet.html.element"
local failure = require "septet.html.failure"
local links = require "septet.html.links"
local page_charset = require "septet.html.charset"
local parts = require "septet.html.parts"
local slices = require "septet.internal.slices"
local text = require "septet.internal.text"

element.extend({ links = links.links, resolve = links.resolve },
  { canonical = links.canonical, nofollow = links.nofollow })

local MAX = 64 * 1024 * 1024 -- bytes of a page
local MAX_MEMORY = 512 * 1024 * 1024 -- bytes
local MAX_DEPTH, MAX_ATTRIBUTES, MAX_TIME = 1000, 1000, 10
local FALLBACK = "windows-1252" -- what browsers take a page for that names nothing

---@class septet.HtmlOptions
---@field url string|nil where the page is from; that of the response
---@field charset string|nil instead of what the page and the response name; what they name
---@field max integer|nil bytes of the page; 64 MiB
---@field max_depth integer|nil nesting of its elements; 1000
---@field max_attributes integer|nil attributes of a tag; 1000
---@field max_memory integer|nil bytes that parsing may take; 512 MiB
---@field max_time number|nil seconds of processor time; 10

local parse_options = { url = "string", charset = "string", max = "size", max_depth = "count",
  max_attributes = "count", max_memory = "size", max_time = "seconds" }

-- Returns the bytes, the URL and the Content-Type of what is to be parsed.
local function source_of(source)
  if type(source) == "string" then return source end
  local response = require "septet.http.response"
  if not response.family[debug.getmetatable(source)] then
    args.usage("bad argument #1 to 'parse' (string or response expected, got %s)", type(source))
  end
  if type(rawget(source, "body")) ~= "string" then
    args.usage "bad argument #1 to 'parse' (a response without its body: read it first)"
  end
  return source.body, source.url, source.headers["content-type"]
end

-- Returns the charset that the response or the page names, if it is known.
local function named_charset(bytes, content_type)
  local label = text.charset(content_type)
  local name = label and text.encoding(label)
  if name then return name end
  label = page_charset.of_page(bytes)
  name = label and text.encoding(label)
  if name and name:find "^utf%-16" then return "utf-8" end -- its name could not have been read
  return name == "x-user-defined" and FALLBACK or name
end

-- Returns the charset as browsers determine it, and the length of the byte order mark.
local function charset_of(bytes, options, content_type)
  local mark, skipped = text.mark(bytes)
  if mark then return mark, skipped end
  if not options.charset then return named_charset(bytes, content_type), 0 end
  local name = text.encoding(options.charset)
  if not name then
    args.usage("bad option 'charset' to 'parse' (the charset '%s' is not known)", options.charset)
  end
  return name, 0
end

-- Returns the page in C with a copy of the bytes.
local function page_of(bytes, skipped)
  local page = parts.html_page(#bytes, skipped)
  while not page:add(bytes) do core.pause() end
  return page
end

local function parse(bytes, skipped, charset, options, url)
  if charset and text.is_corrected(charset) then
    local name = charset
    bytes = slices.map(bytes, function(slice) return text.convert(slice, name) end)
    charset = "utf-8"
  end
  local limits = { memory = options.max_memory or MAX_MEMORY,
    depth = options.max_depth or MAX_DEPTH, attributes = options.max_attributes or MAX_ATTRIBUTES,
    seconds = options.max_time or MAX_TIME, fallback = not charset and FALLBACK or nil,
    charset = charset ~= "utf-8" and charset or nil }
  limits.unit, limits.controls = text.units(charset or FALLBACK)
  local handle, more, memory = page_of(bytes, skipped):parse(limits)
  if handle then return element.document(handle, more, url) end
  local exceeded = { too_deep = limits.depth,
    too_many_attributes = limits.attributes, too_slow = limits.seconds }
  if more == "too_big" then failure.page(more, url, "'max_memory'", memory) end
  failure.page(more, url, exceeded[more])
end

--- Parses a page, as browsers do. Its charset is that of the byte order mark, of `charset`, of the
--- Content-Type or of the page's meta tag. Otherwise it is UTF-8, or windows-1252 if it is not
--- valid as such. Raises HtmlError if a limit is exceeded: there is no page that is wrong.
---@async
---@param source string|septet.Response
---@param options septet.HtmlOptions|nil
---@return septet.Document
function html.parse(source, options)
  options = args.options(options, parse_options, "parse")
  local bytes, url, content_type = source_of(source)
  url = options.url or url
  local max = options.max or MAX
  if #bytes > max then failure.page("too_big", url, "'max'", max) end
  local charset, skipped = charset_of(bytes, options, content_type)
  return parse(bytes, skipped, charset, options, url)
end

local REFERENCES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;",
  ["'"] = "&#39;" }
local GUARDED = { ["<"] = "&lt;", ["\r"] = "&#13;" } -- what a parser would not leave as it is

--- Returns a text with references for the characters that mean something in HTML: & < > " and '.
---@param value string
---@return string
function html.escape(value)
  args.string(value, 1, "escape")
  return (value:gsub("[&<>\"']", REFERENCES))
end

local function unescaped(value)
  if not value:find("&", 1, true) then return value end
  local page = "<!DOCTYPE html><title>" .. value:gsub("[<\r]", GUARDED) .. "</title>"
  return parse(page, 0, "utf-8", {}):first "title":raw_text()
end

--- Returns a text with its references to characters, such as "&eacute;", replaced, as browsers do
--- it in the text of a page.
---@async
---@param value string
---@return string
function html.unescape(value)
  args.string(value, 1, "unescape")
  local pieces = {} -- a parser would replace a NUL
  for piece in (value .. "\0"):gmatch "([^\0]*)\0" do pieces[#pieces + 1] = unescaped(piece) end
  return table.concat(pieces, "\0")
end

return args.module(html, "septet.html")
