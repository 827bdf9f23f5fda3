-- SPDX-License-Identifier: MIT
-- check_grammar.lua ROOT SEED: compares the parser of `septet check` with Lua's, which must accept
-- the same: each Lua file of the tree that stdin lists, and pieces of them that were changed.
local ROOT, SEED = ...
package.path = ROOT .. "/lua/?.lua;" .. package.path
local parser = require "septet.check.parser"
local scopes = require "septet.check.scopes"
math.randomseed(tonumber(SEED))

local ROUNDS <const> = 4000

-- Returns true if ours accepts a text; or nil, its message and the place.
local function accepts(text)
  local tree, message, at = parser.parse(text)
  if not tree then return nil, message, at end
  local found
  found, message, at = scopes.resolve(tree)
  return found and true, message, at
end

local function compare(name, text)
  local ours, message, at = accepts(text)
  local lua, why = load(text, "=x", "t")
  if (lua ~= nil) == (ours == true) then return lua ~= nil end
  print(("%s: ours says %s at %s, Lua %s"):format(name, message or "yes", at, why or "yes"))
  print((text:gsub("[^\n -~]", function(c) return ("<%02x>"):format(c:byte()) end)))
  os.exit(1)
end

local texts = {}
for path in io.lines() do
  local file = assert(io.open(ROOT .. "/" .. path, "rb"))
  local text = file:read "a":gsub("^#[^\n]*", "")
  file:close()
  texts[#texts + 1] = text
  compare(path, text)
end

-- What is valid only in its place, or nearly so.
local pieces = {
  "end", "do", "goto x", "::x::", "goto continue", "::continue::", "local x <const> = 1", "x = 2",
  "break", "...", "return", "return;", "repeat", "until x", "if x then", "else", "elseif x then",
  "while x do", "for i = 1, 2 do", "for k, v in x do", "function f(...)", "local function x()",
  "function a.b:c()", "a.b:c", "local x <close>, y <close>", "local x <open>", "<close>", "0x1p4",
  "0x", "0xA.8p-1", "1e", "3..2", ".5e+3", "0x.p1", "08", "1//0", "~", "~=", "<<", "'\\x41'",
  "'\\xg'", "'\\u{7fffffff}'", "'\\u{80000000}'", "'\\300'", "'\\065'", "'\\q'", "'\\z \n'",
  "'\\\n'", "\"", "[==[", "]==]", "[=", "[[\n]]", "--[[", "--[==[", "--", "\n", "\r", "\0",
  "\xFF", ";", "(", ")", "{", "}", "[", "]", "=", ",", ".", ":", "#", "not", "and", "or", "_ENV",
  "nil", "x", "(x)", "x{}", "x''", "{x = 1, [2] = 3; 4}",
}

local function change(text)
  local at = math.random(#text + 1)
  local how = math.random(4)
  local piece = pieces[math.random(#pieces)]
  if how == 1 then return text:sub(1, at - 1) .. piece .. text:sub(at) end
  if how == 2 then return text:sub(1, at - 1) .. " " .. piece .. " " .. text:sub(at) end
  if how == 3 then return text:sub(1, at - 1) .. text:sub(at + math.random(5)) end
  return text:sub(1, at - 1) .. string.char(math.random(0, 255)) .. text:sub(at)
end

-- Returns some lines of a text, or some of the pieces.
local function draw()
  if math.random(3) == 1 then
    local list = {}
    for i = 1, math.random(8) do list[i] = pieces[math.random(#pieces)] end
    return table.concat(list, " ")
  end
  local text = texts[math.random(#texts)]
  local from = text:find("\n", math.random(#text), true) or 1
  local to = text:find("\n", math.min(#text, from + math.random(600)), true) or #text
  return text:sub(from + 1, to)
end

local valid = 0
for round = 1, ROUNDS do
  local text = draw()
  for _ = 1, math.random(0, 3) do text = change(text) end
  if compare("round " .. round, text) then valid = valid + 1 end
end
print(#texts > 100, valid > ROUNDS // 20, valid < ROUNDS)
