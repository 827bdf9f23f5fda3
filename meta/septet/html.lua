-- SPDX-License-Identifier: MIT
---@meta _

-- What septet.html is made of: functions of C, and objects whose methods are C functions. A node of
-- a page is a number; 0 is the document.

---@class septet.HtmlSelector: userdata

---@class septet.HtmlParts
---@field html_page fun(len: integer, skipped: integer): septet.HtmlPage
---@field html_selector fun(text: string): septet.HtmlSelector|nil, integer|nil, string|nil

---@class septet.HtmlPage: userdata
local HtmlPage = {}

--- Copies the next bytes of a text. Returns true once the page has them all.
---@param bytes string
---@return boolean
function HtmlPage:add(bytes) end

--- Parses the page. Returns its document and the document's weight, or nil and a word for the limit
--- that is exceeded.
---@async
---@param options table
---@return septet.HtmlHandle|nil
---@return any
function HtmlPage:parse(options) end

---@class septet.HtmlHandle: userdata
local HtmlHandle = {}

--- Returns the name of an element, or nil.
---@param node integer
---@return string|nil
function HtmlHandle:tag(node) end

--- Returns the text of a text node, or nil.
---@param node integer
---@return string|nil
function HtmlHandle:leaf(node) end

---@param node integer
---@param name string
---@return string|nil
function HtmlHandle:attribute(node, name) end

--- Returns names and values, one behind the other.
---@param node integer
---@return string[]
function HtmlHandle:attributes(node) end

---@param node integer
---@return integer|nil
function HtmlHandle:parent(node) end

---@param node integer
---@return integer|nil
function HtmlHandle:next(node) end

---@param node integer
---@return integer|nil
function HtmlHandle:previous(node) end

--- Returns the numbers of the elements that match, each as an unsigned 32-bit integer of a string.
--- Returns nil and a word if that takes too long.
---@async
---@param node integer
---@param selector septet.HtmlSelector
---@param how "first"|"self"|nil
---@return string|nil
---@return string|nil
function HtmlHandle:search(node, selector, how) end

--- Returns the numbers of the nodes that lie directly in one, like search().
---@async
---@param node integer
---@return string|nil
---@return string|nil
function HtmlHandle:nodes(node) end

---@async
---@param node integer
---@param raw boolean|nil
---@return string|nil
---@return string|nil
function HtmlHandle:text(node, raw) end

---@async
---@param node integer
---@param inner boolean|nil
---@return string|nil
---@return string|nil
function HtmlHandle:markup(node, inner) end

-- The methods that documents have, too.

---@class septet.Document
local Document = {}

--- Returns the elements of the page that match a CSS selector, in their order. Raises HtmlError for
--- a selector that is not one.
---@async
---@param selector string
---@return septet.Element[]
function Document:select(selector) end

--- Returns the first element that `select` would return, or nil.
---@async
---@param selector string
---@return septet.Element|nil
function Document:first(selector) end

--- Returns the text of the page as a browser shows it.
---@async
---@return string
function Document:text() end

--- Returns all text in the page's source, with its blanks and line ends.
---@async
---@return string
function Document:raw_text() end

--- Returns the page as HTML.
---@async
---@return string
function Document:html() end

--- Returns the links of the page: of `a`, `area`, `link`, `frame` and `iframe`.
---@async
---@param base string|nil URL against which they are resolved, in place of the page's own
---@return septet.HtmlLink[]
function Document:links(base) end

--- Returns the URL to which a reference in the page leads, or nil.
---@async
---@param reference string
---@return string|nil
function Document:resolve(reference) end
