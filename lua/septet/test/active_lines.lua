-- SPDX-License-Identifier: MIT
-- The lines of a Lua file that can run. Lua tells those of a function that exists. So each function
-- of the file is compiled alone, at its line, after the variables that it has from around it. None
-- is called.
local active_lines = {}

local lexer = require "septet.check.lexer"
local parser = require "septet.check.parser"
local scopes = require "septet.check.scopes"
local source_of = require "septet.check.source"
local tree = require "septet.check.tree"

local MOST_LOCALS <const> = 190 -- Lua allows 200; further ones are compiled as globals

-- Tokens of lines that only close what others have begun. Lua often has an instruction there, which
-- is not always reached.
local CLOSING <const> = { ["end"] = true, ["else"] = true, ["("] = true, [")"] = true,
  ["{"] = true, ["}"] = true, ["]"] = true, [","] = true, [";"] = true }

-- Returns the set of the lines with a token that closes nothing.
local function lines_with_code(source)
  local lines, tokens = {}, lexer.new(source.text)
  while tokens.kind ~= "end of file" do
    if not CLOSING[tokens.kind] then
      for line = source:line_of(tokens.at), source:line_of(tokens.stop) do lines[line] = true end
    end
    tokens:next()
  end
  return lines
end

-- Returns Lua for an expression of literals and constants, in one line; nil for any other one.
local function constant(node)
  node = tree.bare(node)
  if node.tag == "Number" then
    return node.value
  elseif node.tag == "String" then
    return (("%q"):format(node.value):gsub("\n", "n"))
  elseif node.tag == "Name" then
    return node.variable and node.variable.constant
  elseif node.tag == "Unary" then
    local operand = constant(node.operand)
    return operand and ("(%s (%s))"):format(node.operator, operand)
  elseif node.tag == "Binary" then
    local left, right = constant(node.left), constant(node.right)
    return left and right and ("((%s) %s (%s))"):format(left, node.operator, right)
  end
  return ({ Nil = "nil", True = "true", False = "false" })[node.tag]
end

-- Notes of a variable that Lua replaces by its value, a constant, what that is.
local function note_constant(node)
  local last = node.names[#node.names]
  if last.attribute ~= "const" or #node.names ~= #node.values then return end
  local text = constant(node.values[#node.values])
  -- Such as 1 // 0 raises.
  if text and pcall(load("return " .. text)) then last.variable.constant = text end
end

-- Notes of each function which variables it has from around it.
local function note_upvalues(root, functions)
  for _, fn in ipairs(functions) do fn.upvalues = {} end
  tree.walk(root, { Local = note_constant, Name = function(node)
    local variable = node.variable or node.environment
    local fn = variable and node.owner
    while fn and fn ~= variable.owner do
      fn.upvalues[variable] = true
      fn = fn.outer
    end
  end })
end

-- Returns the declarations of these variables, in one line.
local function declarations(upvalues)
  local list, words = {}, {}
  for variable in pairs(upvalues) do list[#list + 1] = variable end
  table.sort(list, function(a, b) return a.at < b.at end)
  for i = 1, math.min(#list, MOST_LOCALS) do
    local variable = list[i]
    words[i] = variable.constant and ("local %s <const> = %s;"):format(variable.name,
      variable.constant) or ("local %s;"):format(variable.name)
  end
  return table.concat(words)
end

-- Returns a function of the file, compiled alone; nil if that fails.
local function compile(source, node)
  local parameters = source.text:sub(node.open, node.stop)
  if node.is_method then
    local has_more = #node.parameters > 1 or node.is_vararg
    parameters = "(self" .. (has_more and "," or "") .. parameters:sub(2)
  end
  local text = declarations(node.upvalues) .. ("\n"):rep(source:line_of(node.open) - 1)
    .. "return function" .. parameters
  local chunk = load(text, "=?", "t", {})
  return chunk and chunk()
end

--- Returns the set of the lines of a text that can run; nil if it cannot be compiled. Also returns
--- the lines with an instruction that only close a block, a call or a table.
---@param text string
---@return table<integer, true>|nil
---@return table<integer, true>|nil
function active_lines.of_text(text)
  local source = source_of.new("?", text)
  local chunk = load(source.text, "=?", "t")
  local root = chunk and parser.parse(source.text)
  local found = root and scopes.resolve(root)
  if not found then return nil end
  note_upvalues(root, found.functions)
  local with_code, lines, closing = lines_with_code(source), {}, {}
  for _, node in ipairs(found.functions) do
    local fn = node == root and chunk or compile(source, node)
    for line in pairs(fn and debug.getinfo(fn, "L").activelines or {}) do
      if with_code[line] then lines[line] = true else closing[line] = true end
    end
  end
  return lines, closing
end

--- Returns the set of the lines that can run in a file; nil if it cannot be read or compiled.
---@param path string
---@return table<integer, true>|nil
function active_lines.of(path)
  local file <close> = io.open(path, "rb")
  local text = file and file:read "a"
  return text and active_lines.of_text(text) or nil
end

return active_lines
