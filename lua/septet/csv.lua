-- SPDX-License-Identifier: MIT
--- CSV (RFC 4180): rows from a text or a stream, and rows to one.
---@class septet.csv
local csv = {}

local core = require "septet.core"
local args = require "septet.internal.args"
local reading = require "septet.csv.reading"
local writing = require "septet.csv.writing"

--- Returns a reader of rows.
---@param source string|table|fun(): string|nil a text, an object with `read(n)`, or a function that
---returns the next bytes, and nil at the end
---@param options septet.CsvOptions|nil
---@return septet.CsvReader
function csv.reader(source, options)
  return reading.new(source, options, "reader")
end

--- Returns all rows of a text, and the names of the columns. Other tasks may run meanwhile.
---@async
---@param text string
---@param options septet.CsvOptions|nil
---@return table[]
---@return string[]|nil
function csv.parse(text, options)
  args.string(text, 1, "parse")
  local reader = reading.new(text, options, "parse")
  return reading.all(reader), reader.header
end

--- Returns a writer of rows. Waits until the names of the columns are written, if there are any.
---@async
---@param target table|fun(bytes: string) an object with `write(bytes)`, or a function
---@param options septet.CsvWriterOptions|nil
---@return septet.CsvWriter
function csv.writer(target, options)
  return writing.new(writing.to(target), options, "writer")
end

--- Returns the text of rows. Other tasks may run meanwhile.
---@async
---@param rows table[]|septet.CsvReader|fun(): table|nil
---@param options septet.CsvWriterOptions|nil
---@return string
function csv.format(rows, options)
  local parts = {}
  local function add(bytes) parts[#parts + 1] = bytes end
  writing.new(add, options, "format"):rows(rows)
  return core.join(parts)
end

return args.module(csv, "septet.csv")
