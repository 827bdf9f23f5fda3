-- SPDX-License-Identifier: MIT
-- Errors of pages and selectors.
local core = require "septet.core"

local failure = {}

local WORDS = {
  too_big = "it is larger than %s allows (%s)",
  too_deep = "its elements nest more deeply than 'max_depth' allows (%s)",
  too_many_attributes = "a tag has more attributes than 'max_attributes' allows (%s)",
  too_slow = "it takes more than %s seconds of processor time",
  closed = "the host has ended",
}

--- Raises HtmlError for a page that cannot be parsed.
---@param code string
---@param url string|nil
---@param ... any what the message names
function failure.page(code, url, ...)
  local shown = url and core.http_public(url)
  error(core.error { kind = "HtmlError", code = code, url = shown,
    message = ("cannot parse the page%s: %s"):format(shown and " " .. shown or "",
      WORDS[code]:format(...)) }, 0)
end

--- Raises HtmlError for a search, or for a text, that takes too long.
---@param code string
---@param what string
function failure.work(code, what)
  error(core.error { kind = "HtmlError", code = code,
    message = ("cannot %s: %s"):format(what, WORDS[code]:format(10)) }, 0)
end

--- Raises HtmlError for a selector that is not one.
---@param selector string
---@param position integer
---@param why string
function failure.selector(selector, position, why)
  error(core.error { kind = "HtmlError", code = "selector", position = position,
    selector = selector, message = core.escape(("bad selector '%s': %s at byte %d"):format(
      #selector > 200 and selector:sub(1, 200) .. "..." or selector, why, position)) }, 0)
end

return failure
