-- SPDX-License-Identifier: MIT
-- septet.repl.evaluate: which lines of the prompt are whole, and which go on.
local private = debug.getregistry()["septet.require"] -- of private modules
local compile = private "septet.repl.evaluate".compile

-- What is unfinished, and what ends it.
local UNFINISHED = {
  { "{", "1, 2}" }, { "{ -- one", "}" }, { "'a' ..", "'b'" }, { "1 +", "2" }, { "not", "x" },
  { "f(", "1)" }, { "f {", "}" }, { "f", nil }, { "x.", "y" }, { "x:y", "()" }, { "x[", "1]" },
  { "= {", "}" }, { "= 1 +", "1" }, { "[[a", "b]]" }, { "x = [==[", "]]]==]" }, { "--[[ a", "]]" },
  { "function() return", "1 end" }, { "function(", ") end" }, { "1,", "2" }, { "(x", ")" },
  { "if x then", "end" }, { "for i = 1, 2 do", "end" }, { "local x", nil }, { "local x =", "1" },
  { "x =", "1" }, { "return {", "}" }, { "return", nil }, { "while x", "do end" }, { "::a", "::" },
  { "repeat local y", "until x" }, { "goto", "a ::a::" }, { "f(function()", "end)" },
  { "'a\\", "b'" }, { "x = 'a\\z", "b'" }, { "-", "x" }, { "#", "x" }, { "~", "1" },
  { "local x <const>", nil }, { "local x <const", "> = 1" }, { "a, b", nil }, { "a, b =", "1, 2" },
  { "x ==", "1" }, { "{ [", "1] = 2 }" }, { "{ x =", "1 }" }, { "function f", "() end" },
}

-- What no line behind can make right.
local WRONG = { "'abc", "x = \"abc", "x = = 1", "1 2", "{ 1 2", "}", ")", "end", "x = }", "if then",
  "'\\q", "'\\x", "1..2", "3x", "x = [=", "goto nowhere", "break", "f(]", "a b", "for 1", "local 1",
  "{ x = = 1", "1 + + 2", "= = 1", "local x <const> = 1; x = 2", "@", "return 1 x", "--[[ a ]] ]]" }

-- A text, and the end of its message.
local MESSAGES = {
  { "1 + + 2", "unexpected symbol near '+'" }, { "{ 1 2 }", "'}' expected near '2'" },
  { "{\n1,\n2 3 }", "prompt:3: '}' expected (to close '{' at line 1) near '3'" },
  { "x = = 1", "symbol near '='" },
  { "'a' = 1", "<eof> expected near '='" }, { "'abc", "unfinished string near <eof>" },
  { "for = 1", "<name> expected near '='" }, { "if x the", "'then' expected near 'the'" },
}

local function state(text)
  local fn, message, more = compile({}, text)
  return fn and "whole" or more and "unfinished" or "wrong: " .. message
end

describe("a line", function()
  it("that is unfinished goes on, until it is whole", function()
    for _, case in ipairs(UNFINISHED) do
      local first, last = case[1], case[2]
      equal({ first, state(first) }, { first, last and "unfinished" or "whole" })
      if last then equal({ first, state(first .. "\n" .. last) }, { first, "whole" }) end
    end
  end)

  it("that can never become right does not go on", function()
    local names = {}
    for i = 1, 201 do names[i] = "a" .. i end
    table.insert(WRONG, "local " .. table.concat(names, ", "))
    for _, text in ipairs(WRONG) do equal({ text, state(text):sub(1, 6) }, { text, "wrong:" }) end
  end)

  it("that is wrong has the message that tells more", function()
    for _, case in ipairs(MESSAGES) do
      local _, message = compile({}, case[1])
      equal(message:sub(-#case[2]), case[2])
    end
  end)
end)
