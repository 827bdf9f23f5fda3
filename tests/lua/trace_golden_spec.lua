-- SPDX-License-Identifier: MIT
-- Each exporter writes the same bytes of tests/golden/trace.trc as before. After an intended
-- change, SEPTET_GOLDEN=write renews the files: look at the difference. tests/golden/make.lua makes
-- the trace itself.
local private = debug.getregistry()["septet.require"] -- of private modules
local export, trace = private "septet.trace.export", require "septet.trace"

local GOLDEN = SUPPORT .. "/../golden/"

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

local function write(path, text)
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(text))
end

-- Returns the data of the report. The rest of the page has tests of its own, in a browser.
local function data_of(page)
  return page:match '<script id="data" type="application/json">(.-)</script>'
end

-- Returns the number of the first line that differs, and both lines.
local function difference(expected, got)
  local next_expected, next_got = expected:gmatch "[^\n]*\n?", got:gmatch "[^\n]*\n?"
  local line = 0
  repeat
    line = line + 1
    local a, b = next_expected(), next_got()
    if a ~= b then return ("line %d: expected %s, got %s"):format(line, a, b):sub(1, 1000) end
  until not a
end

describe("golden", function()
  for _, name in ipairs(export.names) do
    local path = GOLDEN .. name .. ".golden"
    if pcall(export.find, name) then it(name, function()
      local pieces = {}
      local note = trace.export(name, GOLDEN .. "trace.trc", function(text)
        pieces[#pieces + 1] = text
      end)
      local text = table.concat(pieces)
      if name == "html" then text = data_of(text) end
      equal(note, nil)
      if os.getenv "SEPTET_GOLDEN" == "write" then return write(path, text) end
      local expected = read(path)
      if text ~= expected then error(difference(expected, text), 0) end
    end) end
  end
end)
