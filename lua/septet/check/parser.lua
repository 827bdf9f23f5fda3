-- SPDX-License-Identifier: MIT
-- Parses a chunk of Lua 5.4 into a tree, by recursive descent. Knows no scopes: whether a name, a
-- label or `...` may stand where it does is found by septet.check.scopes.
local parser = {}

local expressions = require "septet.check.expressions"
local lexer_of = require "septet.check.lexer"

local expect, name_of = expressions.expect, expressions.name

local statement

-- Tokens that end a block.
local ENDS <const> = { ["end"] = true, ["else"] = true, ["elseif"] = true, ["until"] = true,
  ["end of file"] = true }

local function return_statement(lexer)
  local node = { tag = "Return", at = lexer.at, values = {} }
  lexer:next()
  if not ENDS[lexer.kind] and lexer.kind ~= ";" then node.values = expressions.list(lexer) end
  if lexer.kind == ";" then lexer:next() end
  if not ENDS[lexer.kind] then lexer:fail "'end' expected behind 'return'" end
  return node
end

local function block(lexer)
  local node = { tag = "Block", at = lexer.at, statements = {} }
  while not ENDS[lexer.kind] do
    if lexer.kind == ";" then
      lexer:next()
    elseif lexer.kind == "return" then
      node.statements[#node.statements + 1] = return_statement(lexer)
    else
      node.statements[#node.statements + 1] = statement(lexer)
    end
  end
  node.ends_with = lexer.kind
  return node
end

-- Reads a block and the `end` behind it.
local function closed_block(lexer)
  local node = block(lexer)
  expect(lexer, "end")
  return node
end

local function if_statement(lexer)
  local node = { tag = "If", at = lexer.at, clauses = {} }
  repeat
    local clause = { tag = "Clause", at = lexer.at }
    lexer:next()
    clause.condition = expressions.expression(lexer)
    expect(lexer, "then")
    clause.body = block(lexer)
    node.clauses[#node.clauses + 1] = clause
  until lexer.kind ~= "elseif"
  if lexer.kind == "else" then
    lexer:next()
    node.otherwise = block(lexer)
  end
  expect(lexer, "end")
  return node
end

local function while_statement(lexer)
  local node = { tag = "While", at = lexer.at }
  lexer:next()
  node.condition = expressions.expression(lexer)
  expect(lexer, "do")
  node.body = closed_block(lexer)
  return node
end

local function do_statement(lexer)
  local node = { tag = "Do", at = lexer.at }
  lexer:next()
  node.body = closed_block(lexer)
  return node
end

local function repeat_statement(lexer)
  local node = { tag = "Repeat", at = lexer.at }
  lexer:next()
  node.body = block(lexer)
  expect(lexer, "until")
  node.condition = expressions.expression(lexer)
  return node
end

local function for_statement(lexer)
  local node = { tag = "ForNumber", at = lexer.at, names = {} }
  lexer:next()
  local name, at = name_of(lexer)
  node.names[1] = { name = name, at = at }
  if lexer.kind == "=" then
    lexer:next()
    node.values = expressions.list(lexer)
    if #node.values < 2 or #node.values > 3 then lexer:fail "'for' needs two or three values" end
  else
    node.tag = "ForIn"
    while lexer.kind == "," do
      lexer:next()
      name, at = name_of(lexer)
      node.names[#node.names + 1] = { name = name, at = at }
    end
    expect(lexer, "in")
    node.values = expressions.list(lexer)
  end
  expect(lexer, "do")
  node.body = closed_block(lexer)
  return node
end

-- Reads `function a.b:c() … end`, which is an assignment of the function.
local function function_statement(lexer)
  local at = lexer.at
  lexer:next()
  local name, name_at = name_of(lexer)
  local target = { tag = "Name", at = name_at, name = name }
  local is_method = false
  while (lexer.kind == "." or lexer.kind == ":") and not is_method do
    is_method = lexer.kind == ":"
    lexer:next()
    name, name_at = name_of(lexer)
    target = { tag = "Index", at = target.at, object = target,
      key = { tag = "String", at = name_at, value = name, named = true } }
  end
  return { tag = "Assign", at = at, targets = { target }, declares = true,
    values = { expressions.function_body(lexer, at, is_method) } }
end

local function attribute(lexer)
  if lexer.kind ~= "<" then return nil end
  lexer:next()
  local name, at = name_of(lexer)
  if name ~= "const" and name ~= "close" then
    lexer:fail(("unknown attribute '%s'"):format(name), at)
  end
  expect(lexer, ">")
  return name
end

local function local_statement(lexer)
  local at, closing = lexer.at, 0
  lexer:next()
  if lexer.kind == "function" then
    local function_at = lexer.at
    lexer:next()
    local name, name_at = name_of(lexer)
    return { tag = "LocalFunction", at = at, names = { { name = name, at = name_at } },
      values = { expressions.function_body(lexer, function_at) } }
  end
  local node = { tag = "Local", at = at, names = {}, values = {} }
  repeat
    if #node.names > 0 then lexer:next() end
    local name, name_at = name_of(lexer)
    local attrib = attribute(lexer)
    if attrib == "close" then closing = closing + 1 end
    node.names[#node.names + 1] = { name = name, at = name_at, attribute = attrib }
  until lexer.kind ~= ","
  if closing > 1 then lexer:fail("multiple to-be-closed variables in local list", at) end
  if lexer.kind == "=" then
    lexer:next()
    node.values = expressions.list(lexer)
  end
  return node
end

local function label(lexer)
  local node = { tag = "Label", at = lexer.at }
  lexer:next()
  node.name = name_of(lexer)
  expect(lexer, "::")
  return node
end

local function goto_statement(lexer)
  local node = { tag = "Goto", at = lexer.at }
  lexer:next()
  node.name = name_of(lexer)
  return node
end

local function break_statement(lexer)
  local node = { tag = "Break", at = lexer.at }
  lexer:next()
  return node
end

local function assignment_or_call(lexer)
  local first = expressions.suffixed(lexer)
  if lexer.kind ~= "=" and lexer.kind ~= "," then
    if first.tag ~= "Call" and first.tag ~= "Invoke" then
      lexer:fail(("syntax error near '%s'"):format(lexer.value or lexer.kind))
    end
    return { tag = "CallStatement", at = first.at, call = first }
  end
  local node = { tag = "Assign", at = first.at, targets = { first } }
  while lexer.kind == "," do
    lexer:next()
    node.targets[#node.targets + 1] = expressions.suffixed(lexer)
  end
  for _, target in ipairs(node.targets) do
    if target.tag ~= "Name" and target.tag ~= "Index" then lexer:fail("syntax error", target.at) end
  end
  expect(lexer, "=")
  node.values = expressions.list(lexer)
  return node
end

local statements = { ["if"] = if_statement, ["while"] = while_statement, ["do"] = do_statement,
  ["for"] = for_statement, ["repeat"] = repeat_statement, ["function"] = function_statement,
  ["local"] = local_statement, ["::"] = label, ["goto"] = goto_statement,
  ["break"] = break_statement }

function statement(lexer)
  return (statements[lexer.kind] or assignment_or_call)(lexer)
end

expressions.receive(block)

local function chunk(text)
  local lexer = lexer_of.new(text)
  local body = block(lexer)
  if lexer.kind ~= "end of file" then
    lexer:fail(("'<eof>' expected near '%s'"):format(lexer.kind))
  end
  return { tag = "Function", at = 1, parameters = {}, is_vararg = true, body = body,
    stop = #text }, lexer.comments
end

--- Parses a chunk. Returns the function that it is, and the comments to the checker; or nil, what
--- is wrong, and where.
---@param text string
---@return septet.check.Node|nil
---@return any comments, or a message
---@return integer|nil at
function parser.parse(text)
  local ok, root, comments = pcall(chunk, text)
  if ok then return root, comments end
  if type(root) ~= "table" then error(root, 0) end
  return nil, root.message, root.at
end

return parser
