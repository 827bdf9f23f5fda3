-- SPDX-License-Identifier: MIT
-- Elements, and the document, which has most of their methods. An element is a page and the number
-- of a node in it.
local args = require "septet.internal.args"
local core = require "septet.core"
local failure = require "septet.html.failure"
local parts = require "septet.html.parts"

local element = {}

local SLICE = 2000 -- elements that are made between two pauses
local SELECTORS = 256 -- compiled selectors that are kept

-- The keys of what an object is made of: no script has them.
local function PAGE() end
local function AT() end
element.PAGE = PAGE

--- An element of a page. Two objects for the same element are equal.
---@class septet.Element
---@field tag string its name, in lower case but for some of SVG
---@field parent septet.Element|nil nil for the root
---@field next septet.Element|nil the element behind it in the same parent
---@field previous septet.Element|nil the element before it in the same parent
---@field children septet.Element[] the elements in it
---@field nodes (septet.Element|string)[] the elements and texts in it
---@field attributes table<string, string>
local Element = {}

--- A parsed page.
---@class septet.Document
---@field root septet.Element the `html` element
---@field title string with single blanks; "" if there is none
---@field url string|nil where the page is from
---@field base string|nil against which its links are resolved
---@field canonical string|nil the URL that the page names as its own, absolute
---@field nofollow boolean true if the page asks that none of its links be followed
---@field nodes (septet.Element|string)[] the elements and texts at the top
local Document = {}

local element_meta, document_meta

local function wrap(page, at)
  if at == nil then return nil end
  return setmetatable({ [PAGE] = page, [AT] = at }, element_meta)
end

-- --- selectors ---

local compiled, count = {}, 0

local function compile(selector, what)
  args.string(selector, 1, what)
  local found = compiled[selector]
  if found then return found end
  local made, position, why = parts.html_selector(selector)
  if not made then failure.selector(selector, position, why) end
  if count >= SELECTORS then compiled, count = {}, 0 end
  compiled[selector], count = made, count + 1
  return made
end

-- Calls fn(number) for each number of a node in a packed string.
local function each(packed, fn)
  for n = 1, #packed // 4 do
    fn(n, (("=I4"):unpack(packed, 4 * n - 3)))
    if n % SLICE == 0 then core.pause() end
  end
end

local function search(self, selector, what, how)
  local handle = self[PAGE].handle
  local packed, code = handle:search(self[AT], compile(selector, what), how)
  if not packed then failure.work(code, "select '" .. core.escape(selector) .. "'") end
  return packed
end

--- Returns the elements in this one that match a CSS selector, in the order of the page. Raises
--- HtmlError for a selector that is not one.
---@async
---@param selector string
---@return septet.Element[]
function Element:select(selector)
  local list, page = {}, self[PAGE]
  each(search(self, selector, "select"), function(n, at) list[n] = wrap(page, at) end)
  return list
end

--- Returns the first element that `select` would return, or nil.
---@async
---@param selector string
---@return septet.Element|nil
function Element:first(selector)
  local packed = search(self, selector, "first", "first")
  return packed ~= "" and wrap(self[PAGE], (("=I4"):unpack(packed))) or nil
end

--- Returns true if this element matches a selector.
---@async
---@param selector string
---@return boolean
function Element:matches(selector)
  return search(self, selector, "matches", "self") ~= ""
end

--- Returns the innermost of this element and those around it that matches a selector, or nil.
---@async
---@param selector string
---@return septet.Element|nil
function Element:closest(selector)
  local at = self
  while at and search(at, selector, "closest", "self") == "" do at = at.parent end
  return at
end

-- --- contents ---

local function written(self, name, flag, what)
  local handle = self[PAGE].handle
  local text, code = handle[name](handle, self[AT], flag)
  if not text then failure.work(code, what) end
  return text
end

--- Returns the text as a browser shows it, without scripts, styles and what is hidden. Blanks are
--- one, and blocks are on lines of their own.
---@async
---@return string
function Element:text()
  return written(self, "text", false, "get the text")
end

--- Returns all text in the page's source, with its blanks and line ends.
---@async
---@return string
function Element:raw_text()
  return written(self, "text", true, "get the text")
end

--- Returns the element as HTML.
---@async
---@return string
function Element:html()
  return written(self, "markup", false, "write the HTML")
end

--- Returns what lies in the element as HTML.
---@async
---@return string
function Element:inner_html()
  return written(self, "markup", true, "write the HTML")
end

--- Returns the value of an attribute, "" if it has none, or nil if there is no such attribute. The
--- name is in lower case, but for some of SVG.
---@param name string
---@return string|nil
function Element:attr(name)
  args.string(name, 1, "attr")
  return self[PAGE].handle:attribute(self[AT], name)
end

-- --- fields ---

local function neighbour(which)
  return function(self)
    local handle = self[PAGE].handle
    return wrap(self[PAGE], handle[which](handle, self[AT]))
  end
end

local function nodes(self, with_text)
  local page, list = self[PAGE], {}
  local packed, code = page.handle:nodes(self[AT])
  if not packed then failure.work(code, "list the nodes") end
  each(packed, function(_, at)
    local tag = page.handle:tag(at)
    list[#list + 1] = tag and wrap(page, at) or with_text and page.handle:leaf(at) or nil
  end)
  return list
end

local fields = {
  tag = function(self) return self[PAGE].handle:tag(self[AT]) end,
  parent = neighbour "parent",
  next = neighbour "next",
  previous = neighbour "previous",
  children = function(self) return nodes(self, false) end,
  nodes = function(self) return nodes(self, true) end,
  attributes = function(self)
    local list, map = self[PAGE].handle:attributes(self[AT]), {}
    for i = 1, #list, 2 do map[list[i]] = list[i + 1] end
    return map
  end,
}

local document_fields = {
  nodes = fields.nodes,
  url = function(self) return self[PAGE].url end,
  root = function(self) return Document.first(self, ":root") end,
  title = function(self)
    local title = Document.first(self, "title:not(svg title)")
    return title and title:raw_text():gsub("[ \t\n\f\r]+", " "):match "^ ?(.-) ?$" or ""
  end,
  base = function(self)
    local base, url = Document.first(self, "base[href]"), self[PAGE].url
    local href = base and base:attr "href":gsub("[\t\n\r]", ""):match "^[ \f]*(.-)[ \f]*$"
    if not href or href == "" then return url end
    return core.url_resolve(url or href, href) or url
  end,
}

for _, name in ipairs { "select", "first", "text", "raw_text", "html" } do
  Document[name] = Element[name]
end

local function index(what, class, getters)
  local names = {}
  for name in pairs(class) do names[name] = true end
  for name in pairs(getters) do names[name] = true end
  return function(self, key)
    if getters[key] then return getters[key](self) end
    if class[key] ~= nil then return class[key] end
    return args.no_field(what, key, names)
  end
end

element_meta = {
  __name = "septet.html.Element",
  __metatable = false,
  __eq = function(a, b) return a[PAGE] == b[PAGE] and a[AT] == b[AT] end,
  __tostring = function(self)
    local id = self:attr "id"
    return core.escape(("<%s%s>"):format(self.tag, id and ' id="' .. id .. '"' or ""))
  end,
}

document_meta = {
  __name = "septet.html.Document",
  __metatable = false,
  __tostring = function(self)
    return "document" .. (self.url and " " .. core.http_public(self.url) or "")
  end,
}

--- Returns the document of a parsed page.
---@param handle any
---@param weight any what the collector takes for the page's memory
---@param url string|nil
---@return septet.Document
function element.document(handle, weight, url)
  local page = { handle = handle, weight = weight, url = url }
  return setmetatable({ [PAGE] = page, [AT] = 0 }, document_meta)
end

--- Adds methods and fields of documents that other files have.
---@param methods table<string, function>
---@param getters table<string, function>
function element.extend(methods, getters)
  for name, method in pairs(methods) do Document[name] = method end
  for name, getter in pairs(getters) do document_fields[name] = getter end
  args.methods(Element, "element", { [element_meta] = true })
  args.methods(Document, "document", { [document_meta] = true })
  element_meta.__index = index("element", Element, fields)
  document_meta.__index = index("document", Document, document_fields)
end

return element
