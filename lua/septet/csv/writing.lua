-- SPDX-License-Identifier: MIT
-- Writers of CSV.
local core = require "septet.core"
local args = require "septet.internal.args"
local options = require "septet.csv.options"

local writing = {}

local BATCH <const> = 64 * 1024 -- bytes of rows that are written at once

---@class septet.CsvWriterOptions
---@field header string[]|nil names of the columns, which are the first row; none
---@field separator string|nil one byte; ","
---@field newline string|nil "\r\n" or "\n"; "\r\n"
---@field quote_all boolean|nil quotes each field; false
---@field guard_formulas boolean|nil an apostrophe keeps spreadsheets from running a field; false

local write_options = { header = "table", separator = "string", newline = "string",
  quote_all = "boolean", guard_formulas = "boolean" }

local function format_of(given, what)
  given = args.options(given, write_options, what)
  local newline = given.newline or "\r\n"
  if newline ~= "\r\n" and newline ~= "\n" then
    args.usage("bad option 'newline' to '%s' (CR LF or LF expected)", what)
  end
  local names = given.header and options.names(given.header, what)
  local positions = {}
  for i, name in ipairs(names or {}) do positions[name] = i end
  return { separator = options.separator(given, what), newline = newline, names = names,
    positions = positions, quote_all = given.quote_all, guard = given.guard_formulas }
end

-- Returns a row by the names of the columns as a list.
local function in_order(format, row)
  local list = {}
  for name, value in pairs(row) do
    local position = format.positions[name]
    if not position then
      args.usage("no column '%s' in the header%s", tostring(name),
        type(name) == "string" and args.hint(name, format.positions) or "")
    end
    list[position] = value
  end
  return list, #format.names
end

local function line_of(format, row, what)
  if type(row) ~= "table" then
    args.usage("bad argument #1 to '%s' (table expected, got %s)", what, type(row))
  end
  local names, list, count = format.names, row
  if names and row[1] == nil and row.n == nil then
    list, count = in_order(format, row)
  else
    count = math.type(row.n) == "integer" and row.n or #row
    if names and count ~= #names then
      args.usage("bad argument #1 to '%s' (%d values expected, got %d)", what, #names, count)
    end
  end
  if count == 0 then args.usage("bad argument #1 to '%s' (a row without values)", what) end
  local line, bad = core.csv_line(list, count, format.separator, format.newline, format.quote_all,
    format.guard)
  if line then return line end
  if line == nil then
    args.usage("bad argument #1 to '%s' (value %d is a %s)", what, bad, type(list[bad]))
  end
  args.usage("bad argument #1 to '%s' (%s)", what, args.list_fault(row) or "a gap in the list")
end

--- Writes rows to a target.
---@class septet.CsvWriter
local Writer = {}

--- Waits until a row is written: a list of values, or a table by the names of the columns.
---@async
---@param values table
---@return septet.CsvWriter the same
function Writer:row(values)
  self.write(line_of(self.format, values, "row"))
  return self
end

-- Returns an iterator over rows: of a list, of a reader, or the iterator itself.
local function each_row(rows, what)
  if type(rows) == "table" and not args.is_callable(rows) then
    local i = 0
    return function()
      i = i + 1
      return rows[i]
    end
  end
  if args.is_callable(rows) then return function() return (rows()) end end
  args.usage("bad argument #1 to '%s' (list, reader or function expected, got %s)", what,
    type(rows))
end

--- Waits until all rows of a list, a reader or an iterator are written, many at once. Returns their
--- number.
---@async
---@param rows table[]|septet.CsvReader|fun(): table|nil
---@return integer
function Writer:rows(rows)
  local buffer, size, count = {}, 0, 0
  for row in each_row(rows, "rows") do
    local line = line_of(self.format, row, "rows")
    buffer[#buffer + 1], size, count = line, size + #line, count + 1
    if size >= BATCH then
      self.write(table.concat(buffer))
      core.pause()
      buffer, size = {}, 0
    end
  end
  if size > 0 then self.write(table.concat(buffer)) end
  return count
end

local writer_meta = { __name = "septet.CsvWriter", __metatable = false, __index = Writer }
args.methods(Writer, "writer", { [writer_meta] = true })
args.fields(Writer, "writer", "")

--- Returns a writer that calls write(bytes).
---@async
function writing.new(write, given, what)
  local format = format_of(given, what)
  local writer = setmetatable({ write = write, format = format }, writer_meta)
  if format.names then write(line_of(format, format.names, what)) end
  return writer
end

--- Returns a function that writes bytes to a target. Raises Usage.
function writing.to(target)
  local write
  if type(target) == "table" or type(target) == "userdata" then
    local ok, method = pcall(function() return target.write end)
    if ok and args.is_callable(method) then write = function(bytes) method(target, bytes) end end
  end
  write = write or args.is_callable(target) and target
  if write then return write end
  args.usage("bad argument #1 to 'writer' (writer or function expected, got %s)", type(target))
end

return writing
