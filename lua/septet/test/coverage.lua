-- SPDX-License-Identifier: MIT
-- The coverage of a run: how often each line of the scripts has run, from the processes of all
-- files of tests.
local coverage = {}

local active_lines = require "septet.test.active_lines"
local fs = require "septet.fs"

local WIDTH <const> = 80

---@class septet.test.Coverage
---@field counts table<string, table<integer, integer>> by file and line
---@field lost string[] files of tests of which nothing was counted
local Coverage = {}
Coverage.__index = Coverage

--- Returns an empty one.
---@return septet.test.Coverage
function coverage.new() return setmetatable({ counts = {}, lost = {} }, Coverage) end

-- Returns the name under which a file is listed; nil for those of tests, and of other folders.
local function name_of(path)
  path = path:gsub("^%./", "")
  if path:find "_spec%.lua$" or path:find "_test%.lua$" or path:find "^/"
    or path:find "^%.%./" then
    return nil
  end
  return path
end

--- Adds what a process has counted: a list of line, count, line, count... by file.
---@param files table<string, integer[]>
function Coverage:add(files)
  for path, list in pairs(files) do
    local name = name_of(path)
    if name then
      local counts = self.counts[name] or {}
      self.counts[name] = counts
      for i = 1, #list, 2 do counts[list[i]] = (counts[list[i]] or 0) + list[i + 1] end
    end
  end
end

--- Notes a file of tests of which nothing was counted, as its process did not reach its end.
---@param path string
function Coverage:add_lost(path) self.lost[#self.lost + 1] = path end

-- Returns numbers as "3, 7-9".
local function ranges(lines)
  local words, i = {}, 1
  while i <= #lines do
    local j = i
    while lines[j + 1] == lines[j] + 1 do j = j + 1 end
    words[#words + 1] = i == j and ("%d"):format(lines[i])
      or ("%d-%d"):format(lines[i], lines[j])
    i = j + 1
  end
  return words
end

--- Returns a row for each file, sorted: its name, its lines that can run, sorted, and those that
--- did not run.
---@return { name: string, lines: integer[], missed: integer[], counts: table<integer, integer> }[]
function Coverage:rows()
  local rows = {}
  for name, counts in pairs(self.counts) do
    local set = active_lines.of(name)
    if set then
      local row = { name = name, lines = {}, missed = {}, counts = counts }
      for line in pairs(set) do row.lines[#row.lines + 1] = line end
      table.sort(row.lines)
      for _, line in ipairs(row.lines) do
        if not counts[line] then row.missed[#row.missed + 1] = line end
      end
      rows[#rows + 1] = row
    end
  end
  table.sort(rows, function(a, b) return a.name < b.name end)
  return rows
end

local function percent(hit, all) return all == 0 and 100 or 100 * hit / all end

-- Appends the ranges of lines to a line of the table, and as many lines more as they take.
local function write_ranges(out, left, words)
  local line = left
  for i, word in ipairs(words) do
    word = i < #words and word .. "," or word
    if #line + 1 + #word > WIDTH and i > 1 then
      out:write(line, "\n")
      line = (" "):rep(#left)
    end
    line = line .. " " .. word
  end
  out:write((line:gsub("%s+$", "")), "\n")
end

--- Writes a table: for each file its lines that can run, what part of them has, and the others.
function Coverage:write_table(out)
  local rows, width, hit, all = self:rows(), 5, 0, 0
  for _, row in ipairs(rows) do width = math.max(width, math.min(#row.name, 40)) end
  out:write(("\n%-" .. width .. "s %6s %7s  lines not run\n"):format("file", "lines", "run"))
  local format = "%-" .. width .. "s %6d %6.1f%% "
  for _, row in ipairs(rows) do
    local n = #row.lines - #row.missed
    hit, all = hit + n, all + #row.lines
    write_ranges(out, format:format(row.name, #row.lines, percent(n, #row.lines)),
      ranges(row.missed))
  end
  out:write((format:format("total", all, percent(hit, all)):gsub("%s+$", "")), "\n")
  table.sort(self.lost)
  for _, path in ipairs(self.lost) do
    out:write("without the lines that ran in ", path, ", which did not end its tests\n")
  end
end

--- Writes it in lcov's format.
---@async
---@param path string
function Coverage:write_lcov(path)
  local pieces = {}
  for _, row in ipairs(self:rows()) do
    pieces[#pieces + 1] = "TN:\nSF:" .. row.name .. "\n"
    for _, line in ipairs(row.lines) do
      pieces[#pieces + 1] = ("DA:%d,%d\n"):format(line, row.counts[line] or 0)
    end
    pieces[#pieces + 1] = ("LF:%d\nLH:%d\nend_of_record\n"):format(#row.lines,
      #row.lines - #row.missed)
  end
  fs.write(path, table.concat(pieces))
end

return coverage
