-- SPDX-License-Identifier: MIT
-- The search in the lines typed before, from the latest one back.
local search = {}

local Search = {}
local search_meta = { __index = Search }

--- Returns a search in the lines. `text` is what is typed so far.
function search.new(lines, text)
  return setmetatable({ lines = lines, typed = text, found = text, pattern = "", at = #lines + 1,
    failed = false }, search_meta)
end

-- Looks for the pattern in the lines from `at` back. Skips those that are as the one found last.
local function look(self, at, other_than)
  for i = math.min(at, #self.lines), 1, -1 do
    local text = self.lines[i]
    if text ~= other_than and text:find(self.pattern, 1, true) then
      self.at, self.found, self.failed = i, text, false
      return
    end
  end
  self.failed = true
end

--- Looks for more text, in the line found last and those before it.
function Search:add(text)
  self.pattern = self.pattern .. text
  if not self.failed then look(self, self.at) end
end

--- Removes the last character, and looks for what is left in all lines.
function Search:remove()
  local last = utf8.len(self.pattern) and utf8.offset(self.pattern, -1) or #self.pattern
  self.pattern = self.pattern:sub(1, (last or 1) - 1)
  self.at, self.found, self.failed = #self.lines + 1, self.typed, false
  if self.pattern ~= "" then look(self, self.at) end
end

--- Looks for the next line before. Without a pattern, takes that of the search before.
function Search:next(pattern)
  if self.pattern == "" and pattern then return self:add(pattern) end
  if self.pattern ~= "" then look(self, self.at - 1, self.found) end
end

--- Returns what stands before the line found.
function Search:title()
  return ("(%s '%s') "):format(self.failed and "not found" or "search", self.pattern)
end

--- Returns the position in the line found at which the pattern begins.
function Search:place()
  return self.found:find(self.pattern, 1, true) or 1
end

return search
