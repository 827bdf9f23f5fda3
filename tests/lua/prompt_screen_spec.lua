-- SPDX-License-Identifier: MIT
-- septet.repl.screen: what the prompt draws, on a terminal of a few rows.
local private = debug.getregistry()["septet.require"] -- of private modules
local editor, screen = private "septet.repl.editor", private "septet.repl.screen"
local small_terminal = require "small_terminal"

-- Returns an editor, the terminal on which it draws, and a function that types bytes.
local function prompt_of(columns, rows, earlier)
  local terminal, sequence = small_terminal.new(columns, rows), ""
  local term = {
    show = function(text) sequence = text end,
    update = function(text) sequence = text end,
    is_shown = function() return sequence ~= "" end,
    hide = function()
      terminal:write(sequence)
      sequence = ""
    end,
  }
  local shown = screen.new(term)
  function shown.put(_, text) terminal:write(text) end
  function shown.size() return terminal.columns, terminal.height end
  local pieces = {}
  local reader = { read = function() return table.remove(pieces, 1) end }
  local e = editor.new(shown, reader, { lines = earlier or {} }, function() return {}, 0 end)
  e.prompt = "> "
  return e, terminal, function(bytes)
    pieces[1] = bytes
    return e:read()
  end
end

local LONG = "abcdefghijklmnopqrstuvwxyz0123456789" -- 4 rows of 10 columns, with the prompt

describe("a line that is taller than the terminal", function()
  it("shows the part with the cursor", function()
    local _, terminal, type_in = prompt_of(10, 3)
    terminal:write "before\r\n"
    type_in(LONG)
    equal(terminal:rows(), { "ijklmnopqr", "stuvwxyz01", "23456789" })
    type_in "\1"
    equal(terminal:rows(), { "> abcdefgh", "ijklmnopqr", "stuvwxyz01" })
    equal({ terminal.row, terminal.column }, { 1, 2 })
    type_in "!\27[C\27[C\27[C\27[C\27[C\27[C\27[C"
    equal(terminal:rows(), { "> !abcdefg", "hijklmnopq", "rstuvwxyz0" })
    equal({ terminal.row, terminal.column }, { 2, 0 })
    type_in "\5\23"
    equal(terminal:rows(), { "> !" })
  end)

  it("is left at its end, and what is shown later stands below", function()
    local e, terminal, type_in = prompt_of(10, 3)
    equal(type_in(LONG .. "\1\r"), "line")
    e:leave()
    equal(terminal:rows(), { "stuvwxyz01", "23456789" })
    equal({ terminal.row, terminal.column }, { 3, 0 })
  end)

  it("is drawn again in a terminal that has become taller or lower", function()
    local e, terminal, type_in = prompt_of(10, 3)
    type_in(LONG)
    e.active = true
    terminal.height, terminal.cells[4] = 4, {}
    e:refresh()
    equal(terminal:rows(), { "> abcdefgh", "ijklmnopqr", "stuvwxyz01", "23456789" })
    type_in "\1"
    terminal.height = 2
    e:refresh()
    equal({ terminal:rows()[1], terminal:rows()[2] }, { "> abcdefgh", "ijklmnopqr" })
  end)
end)

describe("a search", function()
  it("is shown before the line that is found, with the cursor on what is looked for", function()
    local _, terminal, type_in = prompt_of(40, 3, { "print(1)", "x = 1" })
    type_in "ab\18"
    equal(terminal:rows(), { "(search '') ab" })
    type_in "int"
    equal(terminal:rows(), { "(search 'int') print(1)" })
    equal(terminal.column, #"(search 'int') pr")
    type_in "?"
    equal(terminal:rows(), { "(not found 'int?') print(1)" })
    type_in "\27"
    equal(terminal:rows(), { "> print(1)" })
  end)
end)

-- Breaks a text into rows as the terminal shows them, and finds the cursor.
local function rows_of(prompt, characters, cursor, columns)
  local width_of = private "septet.pretty.width".of
  local rows, width, row, column = { prompt }, #prompt, nil, nil
  for i = 1, #characters + 1 do
    local character = characters[i] or "|"
    if width + math.max(width_of(character), characters[i] and 0 or 1) > columns then
      rows[#rows + 1], width = "", 0
    end
    if i == cursor then row, column = #rows, width end
    if characters[i] then rows[#rows] = rows[#rows] .. character end
    width = width + width_of(character)
  end
  for i, text in ipairs(rows) do rows[i] = text:gsub(" +$", "") end
  return rows, row, column
end

describe("whatever is typed", function()
  local KEYS = { "x", "漢", "é", "word ", "\127", "\1", "\5", "\27[D", "\27[C", "\23", "\25", "\21",
    "\27b", "\27f", "\27d", "\31", "\20", "\27[A", "\27[B", LONG }

  it("is shown with the cursor in its place, in terminals of any size", function()
    math.randomseed(20)
    for _ = 1, 60 do
      local columns, height = math.random(8, 24), math.random(2, 6)
      local e, terminal, type_in = prompt_of(columns, height, { "one", LONG, "漢漢漢漢漢漢漢漢漢" })
      for _ = 1, 40 do
        type_in(KEYS[math.random(#KEYS)])
        local rows, row, column = rows_of("> ", e.line.characters, e.line.cursor, columns)
        local shown = terminal:rows()
        local first = row - terminal.row + 1
        equal(terminal.column, column)
        for i = 1, height do
          local expected = rows[first + i - 1] or ""
          equal(shown[i] or "", expected)
        end
      end
    end
  end)
end)
