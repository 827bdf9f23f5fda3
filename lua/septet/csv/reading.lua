-- SPDX-License-Identifier: MIT
-- Readers of CSV.
local core = require "septet.core"
local args = require "septet.internal.args"
local options = require "septet.csv.options"

local reading = {}

local SLICE <const> = 64 * 1024 -- bytes that are read or parsed between two pauses

---@class septet.CsvOptions
---@field header boolean|string[]|nil true if the first row has the names of the columns, or these
---names; false
---@field separator string|nil one byte; ","
---@field quote string|boolean|nil one byte, or false if quotes have no meaning; '"'
---@field lazy_quotes boolean|nil quotes may stand inside of fields; false
---@field ragged boolean|nil rows may have any number of fields; false
---@field lines boolean|nil the source gives lines without their ends; false
---@field max_field integer|nil bytes of a field; 1 MiB
---@field max_row integer|nil bytes of a row; 16 MiB
---@field max_columns integer|nil columns of a row; 65536

local read_options = { header = "any", separator = "string", quote = "any",
  lazy_quotes = "boolean", ragged = "boolean", lines = "boolean", max_field = "size",
  max_row = "size", max_columns = "count" }

local function parser_of(given, what)
  local quote = given.quote
  if quote == nil or quote == true then quote = '"' end
  quote = quote and options.byte(quote, "quote", what)
  local separator = options.separator(given, what)
  if quote == separator then
    args.usage("bad option 'separator' to '%s' (it is the quote)", what)
  end
  return core.csv_parser(separator, quote, given.lazy_quotes, given.ragged,
    given.max_field or 1 << 20, given.max_row or 1 << 24, given.max_columns or 65536)
end

-- Returns a function that returns the next chunk of a source, or nil.
local function chunks_of(source, what)
  if type(source) == "string" then
    local text = source
    return function()
      local chunk = text
      text = nil
      return chunk
    end
  end
  if type(source) == "table" or type(source) == "userdata" then
    local ok, read = pcall(function() return source.read end)
    if ok and args.is_callable(read) then return function() return read(source, SLICE) end end
  end
  if args.is_callable(source) then return source end
  args.usage("bad argument #1 to '%s' (string, reader or function expected, got %s)", what,
    type(source))
end

--- Reads the rows of a source, one after the other. One task at a time may read.
---@class septet.CsvReader
---@field header string[]|nil names of the columns, for which the first row is read
---@field line integer line on which the last row began
---@field rows_read integer
local Reader = {}

-- Gives the parser the next slice, or the end. Pauses between the slices of one chunk.
---@async
local function refill(self)
  if self.is_busy then args.usage "another task reads from this reader" end
  local chunk = self.chunk
  if chunk and self.at <= #chunk then
    core.pause()
  else
    self.is_busy = true
    local ok, result, traceback = core.try(self.next_chunk)
    self.is_busy = false
    if not ok then core.raise(result, traceback) end
    if result ~= nil and type(result) ~= "string" then
      args.usage("the source of a CSV reader returned a %s (string or nil expected)", type(result))
    end
    if not result then return self.parser:feed() end
    chunk = self.lines and result .. "\n" or result
    if not self.chunk and chunk:find "^\xff\xfe" or not self.chunk and chunk:find "^\xfe\xff" then
      error(core.error { kind = "CsvError", code = "encoding", line = 1, column = 1, position = 1,
        row = 1, message = "bad CSV at line 1, column 1: it is UTF-16, not UTF-8" }, 0)
    end
    self.chunk, self.at = chunk, 1
  end
  local last = math.min(self.at + SLICE - 1, #chunk)
  self.parser:feed(chunk, self.at, last)
  self.at = last + 1
end

---@async
local function next_plain(self)
  local row = self.parser:row()
  while not row and not self.is_finished do
    refill(self)
    row = self.parser:row()
    self.is_finished = self.parser:is_at_end()
  end
  return row
end

local function check_header(names)
  local seen = {}
  for _, name in ipairs(names) do
    if seen[name] then
      error(core.error { kind = "CsvError", code = "header", line = 1, column = 1, position = 1,
        row = 1, name = name, message = ("bad CSV at line 1, column 1: two columns are named '%s'")
          :format(core.escape(name)) }, 0)
    end
    seen[name] = true
  end
  return names
end

-- Reads the names of the columns, if that is still to be done.
---@async
local function begin(self)
  if not self.reads_header then return end
  local names = self.names or next_plain(self)
  self.reads_header = false
  if not names then return end
  self.names = check_header(names)
  self.parser:names(names)
end

--- Waits for the next row: a list of strings, or a table by the names of the columns. Returns nil
--- at the end. Raises CsvError.
---@async
---@return table|nil
function Reader:read_row()
  begin(self)
  return next_plain(self)
end

--- Iterates over the rows: `for row in reader:rows() do`. Each step may wait.
---@return fun(): table|nil
function Reader:rows()
  return function()
    begin(self)
    return next_plain(self)
  end
end

local reader_meta = {
  __name = "septet.CsvReader",
  __metatable = false,
  __index = function(self, key)
    if key == "header" then
      begin(self)
      return rawget(self, "names")
    end
    if key ~= "line" and key ~= "rows_read" then return Reader[key] end
    local line, rows = self.parser:place()
    return key == "line" and line or rows
  end,
  __call = function(self)
    begin(self)
    return next_plain(self)
  end,
}
args.methods(Reader, "reader", { [reader_meta] = true })
args.fields(Reader, "reader", "header line rows_read", "names lines")

--- Returns a reader of a source.
function reading.new(source, given, what)
  given = args.options(given, read_options, what)
  local header, names = given.header, nil
  if type(header) == "table" then
    names = options.names(header, what)
  elseif header ~= nil and type(header) ~= "boolean" then
    args.usage("bad option 'header' to '%s' (a boolean or a list expected, got %s)", what,
      type(header))
  end
  local parser = parser_of(given, what)
  if names then parser:names(names) end
  return setmetatable({ parser = parser, next_chunk = chunks_of(source, what), names = names,
    reads_header = header == true, lines = given.lines, at = 1, is_finished = false,
    is_busy = false, chunk = false }, reader_meta)
end

--- Returns all rows of a reader.
---@async
---@param reader septet.CsvReader
---@return table[]
function reading.all(reader)
  local rows = {}
  begin(reader)
  while not reader.is_finished do
    reader.parser:rows(rows)
    reader.is_finished = reader.parser:is_at_end()
    if not reader.is_finished then refill(reader) end
  end
  return rows
end

return reading
