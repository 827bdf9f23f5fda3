-- SPDX-License-Identifier: MIT
---@meta _

-- The objects under septet.csv, whose methods are C functions.

--- Splits bytes into rows.
---@class septet.CsvParser
local CsvParser = {}

--- Goes on with the bytes from `first` to `last`. Without a chunk, the text has ended.
---@param chunk string|nil
---@param first integer|nil
---@param last integer|nil
function CsvParser:feed(chunk, first, last) end

--- Returns the next row, or nil if that needs more bytes or the text has ended. Raises CsvError.
---@return table|nil
function CsvParser:row() end

--- Appends the rows of the chunk. Raises CsvError.
---@param list table[]
function CsvParser:rows(list) end

--- Makes rows tables by these names.
---@param list string[]
function CsvParser:names(list) end

--- Returns the line of the last row and the number of rows.
---@return integer
---@return integer
function CsvParser:place() end

--- Returns true if the text has ended and all rows were returned.
---@return boolean
function CsvParser:is_at_end() end
