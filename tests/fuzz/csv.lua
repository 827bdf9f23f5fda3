-- SPDX-License-Identifier: MIT
-- The script of fuzz_csv. The first byte of the input chooses the options.
local csv, task = require "septet.csv", require "septet.task"
local planted = ...

local SMALL = { max_field = 20, max_row = 60, max_columns = 4 }

local function options_of(bits)
  local options = { separator = bits & 2 ~= 0 and ";" or ",", ragged = bits & 4 ~= 0,
    lazy_quotes = bits & 8 ~= 0 }
  if bits & 16 ~= 0 then options.quote = bits & 32 ~= 0 and "'" or false end
  if bits & 64 ~= 0 then for name, value in pairs(SMALL) do options[name] = value end end
  return options
end

-- Returns the rows and the error that ended them, read in pieces of n bytes.
local function read(text, options, n)
  local at, rows = 1 - n, {}
  local reader = csv.reader(function()
    at = at + n
    return at <= #text and text:sub(at, at + n - 1) or nil
  end, options)
  local ok, err = pcall(function() for row in reader do rows[#rows + 1] = row end end)
  return rows, not ok and err or nil
end

local function same(a, b)
  if #a ~= #b then return false end
  for i, row in ipairs(a) do
    if #row ~= #b[i] then return false end
    for k, field in ipairs(row) do if field ~= b[i][k] then return false end end
  end
  return true
end

return function(input)
  local options, text = options_of(input:byte() or 0), input:sub(2)
  local rows, err = read(text, options, math.max(#text, 1))
  for _, n in ipairs { 1, 3 } do
    local again, other = read(text, options, n)
    if err and err.code == "encoding" then break end -- which only the first piece shows
    assert(same(rows, again), "other rows in pieces")
    assert((err and err.message) == (other and other.message), other)
  end
  if err then
    assert(task.is(err, "CsvError"), err)
    assert(err.position >= 1 and err.position <= #text + 1, "a place outside of the text")
    assert(err.column >= 1 and err.line >= 1 and err.row >= #rows, "no such place")
  end
  for _, row in ipairs(rows) do assert(#row > 0, "a row without fields") end
  local written = csv.format(rows, { separator = options.separator })
  if planted then written = written:gsub('""', '"') end
  local back = csv.parse(written, { separator = options.separator, ragged = true })
  assert(same(rows, back), written)
end
