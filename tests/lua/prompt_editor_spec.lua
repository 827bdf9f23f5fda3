-- SPDX-License-Identifier: MIT
-- septet.repl.editor: the line that is typed at the prompt, on a screen that shows nothing.
-- cli/test_repl has a terminal.
local private = debug.getregistry()["septet.require"] -- of private modules
local editor = private "septet.repl.editor"

local PASTE, PASTE_END = "\27[200~", "\27[201~"

local silent = {}
for _, name in ipairs { "draw", "erase", "put", "finish" } do silent[name] = function() end end
function silent.columns() return 80 end

-- Returns an editor that reads the pieces one after the other.
local function editor_of(pieces, earlier)
  local at = 0
  local reader = { read = function()
    at = at + 1
    return pieces[at]
  end }
  return editor.new(silent, reader, { lines = earlier or {} }, function(before)
    local word = before:match "[%w.]*$"
    local words = { ["string.rev"] = "string.reverse", collectg = "collectgarbage" }
    return { words[word] }, #word
  end)
end

-- Returns the lines that the pieces give, and the last one as it was left, with "|" at the cursor.
local function typed(pieces, earlier)
  local lines, e = {}, editor_of(pieces, earlier)
  while e:read() == "line" do
    lines[#lines + 1] = e:text()
    e:clear()
  end
  lines[#lines + 1] = e.line:text(1, e.line.cursor) .. "|" .. e.line:text(e.line.cursor)
  return lines
end

-- name, bytes, the lines that they give
local KEYS = {
  { "characters", "é漢字🙂x\r", { "é漢字🙂x", "|" } },
  { "bytes that are no UTF-8", "\xFF\xC3'\xE6\xBC", { "\xFF\xC3'|" } },
  { "a Tab with bytes behind it completes", "collectg\t(string.rev\t)\r",
    { "collectgarbage(string.reverse)", "|" } },
  { "a Tab before the line's end completes", "string.rev\t\r", { "string.reverse", "|" } },
  { "a Tab in front of what is typed is spaces", "\tx", { "  x|" } },
  { "arrows, and keys with numbers", "abc\27[D\27[D1\27OH2\27[4~3\27[1~\27[3~4", { "4|a1bc3" } },
  { "words with Control and with Alt", "one two\27[1;5D1\27b2\27f3\27[1;3D4",
    { "one 4|21two3" } },
  { "history", "\27[A\27[A\27[B\r\27OA!", { "later", "later!|" }, { "first", "later" } },
  { "a key that is not known", "a\27[15~b\27[[Ac\27[1;2Pd\27OPe", { "abcde|" } },
  { "an Esc alone", "a\27(b)\27\r\27\27[Ac", { "a(b)", "x = 1c|" }, { "x = 1" } },
  { "an Esc before a character of several bytes", "a\27é\27漢", { "aé漢|" } },
  { "a pasted line", "x = " .. PASTE .. "'\tab'" .. PASTE_END .. "\r", { "x = '\tab'", "|" } },
  { "a paste of several lines", PASTE .. "if x then\r\n\tf()\n\r  g()\rend" .. PASTE_END .. " -- z",
    { "if x then", "\tf()", "", "  g()", "end -- z|" } },
  { "a paste that ends with a line", PASTE .. "f()\r" .. PASTE_END .. "g()", { "f()", "g()|" } },
  { "a paste in the middle", "ac\27[D" .. PASTE .. "1\n2" .. PASTE_END, { "a1c", "2|" } },
  { "keys in a paste are none", PASTE .. "a\3\4\27[Ab\127" .. PASTE_END .. "\1", { "|a[Ab" } },
  { "Tabs around a paste complete", "collectg\t" .. PASTE .. "(string.rev\t" .. PASTE_END .. "\t",
    { "collectgarbage(string.rev\t|" } },
  { "a paste of nothing", "a" .. PASTE .. PASTE_END .. "b", { "ab|" } },
  { "words that are deleted, and inserted again", "a bc de\27b\27\127\27d\25.\23\25\25",
    { "a de.de.|" } },
  { "characters that are exchanged", "ab\20c\27[D\27[D\20", { "ab|c" } },
  { "undo of keys, of a word and of the line", "one two\23three\31\31\31\31", { "|" } },
  { "undo of what was deleted", "one two\23\31!\21\31", { "one two!|" } },
  { "undo of a paste and of history", "a" .. PASTE .. "bc" .. PASTE_END .. "\31\27[A\31", { "a|" },
    { "x" } },
  { "a search and its line", "\18i\r\18g(\r", { "f(i)", "g(i)", "|" }, { "f(1)", "g(i)", "f(i)" } },
  { "a search for the next lines before", "\18f\18\18x\127\18\r", { "f(2)", "|" },
    { "f(3)", "f(2)", "g()", "f(1)", "f(1)" } },
  { "a search whose line is changed", "\18(\27[3~[\27[C\127]", { "f[]|)" }, { "f(1)" } },
  { "a search that Esc leaves", "ab\18(\27xy", { "fxy|(1)" }, { "f(1)" } },
  { "a search that finds nothing", "ab\18(q\18\27!", { "!|f(1)" }, { "f(1)" } },
  { "a search that is given up", "ab\18(\7c", { "abc|" }, { "f(1)" } },
  { "a search for wide characters", "\18漢字\127é\127\127é\r", { "é漢", "|" }, { "é漢", "漢字" } },
  { "the search before, again", "\18f(\7\18\18\27[C!", { "f!|(1)" }, { "f(2)", "f(1)" } },
  { "an end of a paste without its beginning", "a" .. PASTE_END .. "b", { "ab|" } },
}

describe("keys", function()
  for _, case in ipairs(KEYS) do
    local name, bytes, expected, earlier = table.unpack(case)
    it(name .. ", cut anywhere", function()
      equal(typed({ bytes }, earlier), expected)
      for cut = 1, #bytes - 1 do
        equal(typed({ bytes:sub(1, cut), bytes:sub(cut + 1) }, earlier), expected)
      end
      local each = {}
      for byte in bytes:gmatch "." do each[#each + 1] = byte end
      equal(typed(each, earlier), expected)
    end)
  end
end)

describe("a paste", function()
  it("is one, whatever runs between its lines", function()
    local e = editor_of { PASTE .. "a\n\tb\nc" .. PASTE_END }
    local lines = {}
    while e:read() == "line" do
      lines[#lines + 1] = e:text()
      e:clear()
    end
    equal({ lines, e:text() }, { { "a", "\tb" }, "c" })
  end)

  it("that did not end is dropped with the line, by an interrupt", function()
    local pieces = { PASTE .. "a\nb", "interrupt", "c\r" }
    local e = editor_of(pieces)
    local read = e.reader.read
    e.reader.read = function()
      local bytes = read()
      return bytes ~= "interrupt" and bytes or error(bytes)
    end
    equal(pcall(e.read, e), false)
    e:clear()
    equal({ e:read(), e:text() }, { "line", "c" })
  end)
end)
