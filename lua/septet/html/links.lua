-- SPDX-License-Identifier: MIT
-- The links of a page.
local args = require "septet.internal.args"
local core = require "septet.core"

local links = {}

local SLICE = 200 -- links that are resolved between two pauses
local SELECTOR = "a[href], area[href], link[href], frame[src], iframe[src]"
local TEXTLESS = { link = true, frame = true, iframe = true }

--- A link of a page.
---@class septet.HtmlLink
---@field url string|nil absolute; nil if it is no URL, or relative and the page's URL is not known
---@field href string as the page has it
---@field text string what is shown; the `alt` of an area
---@field rel string "" if there is none
---@field nofollow boolean true if `rel` has that word
---@field tag string "a", "area", "link", "frame" or "iframe"
---@field element septet.Element

-- Returns a reference without the blanks that browsers remove from it.
local function trimmed(href)
  return (href:gsub("[\t\n\r]", ""):match "^[ \f]*(.-)[ \f]*$")
end

local function resolve(base, href)
  href = trimmed(href)
  if base then return (core.url_resolve(base, href)) end
  return href:find "^%a[%w+.-]*:" and core.url_resolve(href, "") or nil
end

local function text_of(element, tag)
  if tag == "area" then return element:attr "alt" or "" end
  return TEXTLESS[tag] and "" or element:text()
end

--- Returns the links, in the order of the page.
---@async
---@param base string|nil URL against which they are resolved, instead of the page's own
---@return septet.HtmlLink[]
function links.links(self, base)
  if base ~= nil then args.string(base, 1, "links") end
  base = base or self.base
  local list = {}
  for i, element in ipairs(self:select(SELECTOR)) do
    local tag = element.tag
    local href = element:attr(tag:find "frame$" and "src" or "href")
    local rel = element:attr "rel" or ""
    list[i] = { url = resolve(base, href), href = href, rel = rel, tag = tag, element = element,
      text = text_of(element, tag),
      nofollow = (" " .. rel:lower():gsub("[\t\n\f\r]", " ") .. " "):find " nofollow " ~= nil }
    if i % SLICE == 0 then core.pause() end
  end
  return list
end

--- Returns the URL to which a reference in the page leads, or nil.
---@async
---@param reference string
---@return string|nil
function links.resolve(self, reference)
  args.string(reference, 1, "resolve")
  return resolve(self.base, reference)
end

--- Returns the URL that a page names as its own, or nil.
---@async
---@return string|nil
function links.canonical(self)
  local element = self:first "link[rel~=canonical i][href]"
  return element and resolve(self.base, element:attr "href")
end

--- Returns true if a page asks that none of its links be followed.
---@async
---@return boolean
function links.nofollow(self)
  for _, element in ipairs(self:select "meta[name=robots i]") do
    for word in (element:attr "content" or ""):lower():gmatch "[^%s,]+" do
      if word == "nofollow" or word == "none" then return true end
    end
  end
  return false
end

return links
