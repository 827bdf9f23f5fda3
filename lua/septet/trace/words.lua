-- SPDX-License-Identifier: MIT
-- Numbers, sizes, durations and names as people read them, for the summary and the findings.
local words = {}

local terminal = require "septet.trace.terminal"

-- Returns a number with three digits, and no more than the value has: "1.23", "12.3", "123".
local function three_digits(value)
  if value >= 99.95 then return ("%.0f"):format(value) end
  if value >= 9.995 then return ("%.1f"):format(value) end
  return ("%.2f"):format(value)
end

--- Returns a whole number with its thousands apart: "12 345".
---@param n integer
---@return string
function words.count(n)
  local text = ("%d"):format(n)
  local first = #text % 3
  local groups = { first > 0 and text:sub(1, first) or nil }
  for i = first + 1, #text, 3 do groups[#groups + 1] = text:sub(i, i + 2) end
  return table.concat(groups, " ")
end

--- Returns a number and the word for what is counted: "1 task", "2 tasks".
---@param n integer
---@param singular string
---@param plural string|nil the singular and "s" by default
---@return string
function words.number(n, singular, plural)
  return ("%s %s"):format(words.count(n), n == 1 and singular or plural or singular .. "s")
end

--- Returns a duration with its unit: "0 s", "12.3 µs", "1.23 s", "2 min 5 s", "3 h 2 min".
---@param seconds number
---@return string
function words.duration(seconds)
  if seconds < 5e-10 then return "0 s" end
  if seconds < 9.995e-7 then return ("%.0f ns"):format(seconds * 1e9) end
  if seconds < 9.995e-4 then return three_digits(seconds * 1e6) .. " µs" end
  if seconds < 0.9995 then return three_digits(seconds * 1e3) .. " ms" end
  if seconds < 59.95 then return three_digits(seconds) .. " s" end
  local whole = (seconds + 0.5) // 1 | 0
  if whole < 3600 then return ("%d min %d s"):format(whole // 60, whole % 60) end
  local minutes = (seconds / 60 + 0.5) // 1 | 0
  if minutes < 6000 then return ("%d h %d min"):format(minutes // 60, minutes % 60) end
  return words.count(minutes // 60) .. " h"
end

--- Returns a size with its unit: "512 B", "14.2 kB".
---@param bytes integer
---@return string
function words.size(bytes)
  if bytes < 1000 then return ("%d B"):format(bytes) end
  local value, units = bytes / 1000, { "kB", "MB", "GB", "TB", "PB", "EB" }
  for i, unit in ipairs(units) do
    if value < 999.5 or i == #units then return ("%s %s"):format(three_digits(value), unit) end
    value = value / 1000
  end
end

--- Returns a share in percent: "0%", "<0.1%", "12.3%", "100%".
---@param part number
---@param whole number
---@return string
function words.percent(part, whole)
  local share = whole > 0 and part / whole * 100 or 0
  if share <= 0 then return "0%" end
  if share < 0.05 then return "<0.1%" end
  if share >= 100 then return "100%" end
  if share >= 99.95 then return ">99.9%" end
  return ("%.1f%%"):format(share)
end

--- Returns the number of columns of a text that is escaped.
---@param text string
---@return integer
function words.width(text)
  return utf8.len(text) or #text
end

-- Returns the first or last n characters of a text.
local function characters(text, first, last)
  if not utf8.len(text) then return text:sub(first, last) end
  local n = utf8.len(text)
  if first < 0 then first = n + first + 1 end
  return text:sub(utf8.offset(text, first), utf8.offset(text, math.min(last, n) + 1) - 1)
end

--- Returns a text of at most `width` columns: from a longer one, the middle is taken out.
---@param text string
---@param width integer at least 3
---@return string
function words.cut(text, width)
  local n = words.width(text)
  if n <= width then return text end
  local back = width // 2
  return characters(text, 1, width - 1 - back) .. "…" .. characters(text, n - back + 1, n)
end

--- Returns a place without the folders of its file, escaped: "crawl.lua:14".
---@param place string|nil
---@return string
function words.place(place)
  return terminal.escape(place and place:match "[^/]*$" or "?")
end

--- Returns "#12 name", escaped. The name is that of the task, or the place of its function.
---@param task { id: integer, name: string|nil, defined: string|nil }
---@return string
function words.task(task)
  local name = task.name and task.name ~= "?" and terminal.escape(task.name)
    or task.defined and words.place(task.defined)
  if task.id == 0 then return "a task" end
  return name and ("#%d %s"):format(task.id, words.cut(name, 40)) or ("#%d"):format(task.id)
end

return words
