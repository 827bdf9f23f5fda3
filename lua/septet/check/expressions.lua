-- SPDX-License-Identifier: MIT
-- Parses the expressions of Lua 5.4. A node is a table with a `tag` and `at`, where it begins.
local expressions = {}

---@class septet.check.Node
---@field tag string what it is: a key of `tree.parts`
---@field at integer counted in bytes from 1
---@field stop integer|nil the last byte, of calls and functions
---@field open integer|nil where the parameters begin, of functions

-- How tightly the operators bind, to the left and to the right.
local BINDING <const> = {
  ["or"] = { 1, 1 }, ["and"] = { 2, 2 }, ["<"] = { 3, 3 }, [">"] = { 3, 3 }, ["<="] = { 3, 3 },
  [">="] = { 3, 3 }, ["~="] = { 3, 3 }, ["=="] = { 3, 3 }, ["|"] = { 4, 4 }, ["~"] = { 5, 5 },
  ["&"] = { 6, 6 }, ["<<"] = { 7, 7 }, [">>"] = { 7, 7 }, [".."] = { 9, 8 }, ["+"] = { 10, 10 },
  ["-"] = { 10, 10 }, ["*"] = { 11, 11 }, ["/"] = { 11, 11 }, ["//"] = { 11, 11 },
  ["%"] = { 11, 11 }, ["^"] = { 14, 13 },
}
local UNARY <const> = { ["not"] = true, ["-"] = true, ["~"] = true, ["#"] = true }
local UNARY_BINDING <const> = 12

local expression, block_of_function

--- Sets the function that parses the body of a function, which has statements.
function expressions.receive(fn) block_of_function = fn end

--- Moves on if the token is of a kind, and otherwise fails.
function expressions.expect(lexer, kind)
  if lexer.kind ~= kind then
    lexer:fail(("'%s' expected near '%s'"):format(kind, lexer.value or lexer.kind))
  end
  lexer:next()
end
local expect = expressions.expect

--- Reads a name. Returns it and where it stands.
function expressions.name(lexer)
  local name, at = lexer.value, lexer.at
  expect(lexer, "name")
  return name, at
end

--- Reads a list of expressions.
---@return septet.check.Node[]
function expressions.list(lexer)
  local list = { expression(lexer) }
  while lexer.kind == "," do
    lexer:next()
    list[#list + 1] = expression(lexer)
  end
  return list
end

local function field(lexer)
  if lexer.kind == "[" then
    lexer:next()
    local key = expression(lexer)
    expect(lexer, "]")
    expect(lexer, "=")
    return { tag = "Field", at = key.at, key = key, value = expression(lexer) }
  elseif lexer.kind == "name" and lexer:is_before_equals() then
    local key = { tag = "String", at = lexer.at, value = lexer.value, named = true }
    lexer:next()
    expect(lexer, "=")
    return { tag = "Field", at = key.at, key = key, value = expression(lexer) }
  end
  local value = expression(lexer)
  return { tag = "Field", at = value.at, value = value }
end

local function table_constructor(lexer)
  local node = { tag = "Table", at = lexer.at, fields = {} }
  expect(lexer, "{")
  while lexer.kind ~= "}" do
    node.fields[#node.fields + 1] = field(lexer)
    if lexer.kind ~= "," and lexer.kind ~= ";" then break end
    lexer:next()
  end
  expect(lexer, "}")
  return node
end

local function arguments(lexer)
  if lexer.kind == "string" then
    local node = { tag = "String", at = lexer.at, value = lexer.value }
    lexer:next()
    return { node }
  elseif lexer.kind == "{" then
    return { table_constructor(lexer) }
  end
  expect(lexer, "(")
  local list = lexer.kind == ")" and {} or expressions.list(lexer)
  expect(lexer, ")")
  return list
end

local function parameters(lexer, node)
  node.open = lexer.at
  expect(lexer, "(")
  while lexer.kind ~= ")" do
    if lexer.kind == "..." then
      lexer:next()
      node.is_vararg = true
      break
    end
    local name, at = expressions.name(lexer)
    node.parameters[#node.parameters + 1] = { name = name, at = at }
    if lexer.kind ~= "," then break end
    lexer:next()
    if lexer.kind == ")" then lexer:fail "name expected" end
  end
  expect(lexer, ")")
end

--- Reads the parameters and the body of a function, behind the word `function` at `at`.
---@param is_method boolean|nil it has the parameter `self`
function expressions.function_body(lexer, at, is_method)
  local node = { tag = "Function", at = at, parameters = {}, is_method = is_method }
  if is_method then node.parameters[1] = { name = "self", at = at } end
  parameters(lexer, node)
  node.body = block_of_function(lexer)
  expect(lexer, "end")
  node.stop = lexer.last
  return node
end

local function primary(lexer)
  local at = lexer.at
  if lexer.kind == "name" then
    local name = lexer.value
    lexer:next()
    return { tag = "Name", at = at, name = name }
  elseif lexer.kind == "(" then
    lexer:next()
    local inner = expression(lexer)
    expect(lexer, ")")
    return { tag = "Paren", at = at, inner = inner }
  end
  lexer:fail(("unexpected symbol near '%s'"):format(lexer.value or lexer.kind))
end

--- Reads an expression that can be called, indexed or assigned to.
function expressions.suffixed(lexer)
  local node = primary(lexer)
  while true do
    local kind, at = lexer.kind, node.at
    if kind == "." then
      lexer:next()
      local name, name_at = expressions.name(lexer)
      node = { tag = "Index", at = at, object = node,
        key = { tag = "String", at = name_at, value = name, named = true } }
    elseif kind == "[" then
      lexer:next()
      node = { tag = "Index", at = at, object = node, key = expression(lexer) }
      expect(lexer, "]")
    elseif kind == ":" then
      lexer:next()
      local name, name_at = expressions.name(lexer)
      node = { tag = "Invoke", at = at, object = node, name = name, name_at = name_at,
        arguments = arguments(lexer) }
      node.stop = lexer.last
    elseif kind == "(" or kind == "string" or kind == "{" then
      node = { tag = "Call", at = at, callee = node, arguments = arguments(lexer) }
      node.stop = lexer.last
    else
      return node
    end
  end
end

local literals = { ["nil"] = "Nil", ["true"] = "True", ["false"] = "False", ["..."] = "Vararg",
  number = "Number", string = "String" }

local function simple(lexer)
  local at = lexer.at
  if literals[lexer.kind] then
    local node = { tag = literals[lexer.kind], at = at, value = lexer.value }
    lexer:next()
    return node
  elseif lexer.kind == "{" then
    return table_constructor(lexer)
  elseif lexer.kind == "function" then
    lexer:next()
    return expressions.function_body(lexer, at)
  end
  return expressions.suffixed(lexer)
end

--- Reads an expression with operators that bind more tightly than `limit`; any if that is nil.
---@return septet.check.Node
function expressions.expression(lexer, limit)
  local at, left = lexer.at
  if UNARY[lexer.kind] then
    local operator = lexer.kind
    lexer:next()
    left = { tag = "Unary", at = at, operator = operator,
      operand = expression(lexer, UNARY_BINDING) }
  else
    left = simple(lexer)
  end
  local binding = BINDING[lexer.kind]
  while binding and binding[1] > (limit or 0) do
    local operator, operator_at = lexer.kind, lexer.at
    lexer:next()
    left = { tag = "Binary", at = at, operator = operator, operator_at = operator_at, left = left,
      right = expression(lexer, binding[2]) }
    binding = BINDING[lexer.kind]
  end
  return left
end
expression = expressions.expression

return expressions
