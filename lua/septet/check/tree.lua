-- SPDX-License-Identifier: MIT
-- The shape of the trees that septet.check.parser makes, and walks over them.
local tree = {}

-- The fields of each kind of node that hold nodes or lists of nodes, in the order of the source.
tree.parts = {
  Nil = {}, True = {}, False = {}, Vararg = {}, Number = {}, String = {}, Name = {}, Label = {},
  Goto = {}, Break = {},
  Block = { "statements" }, Function = { "body" }, Paren = { "inner" },
  Index = { "object", "key" }, Call = { "callee", "arguments" },
  Invoke = { "object", "arguments" }, Table = { "fields" }, Field = { "key", "value" },
  Unary = { "operand" }, Binary = { "left", "right" }, Local = { "values" },
  LocalFunction = { "values" }, Assign = { "targets", "values" }, CallStatement = { "call" },
  Do = { "body" }, While = { "condition", "body" }, Repeat = { "body", "condition" },
  If = { "clauses", "otherwise" }, Clause = { "condition", "body" },
  ForNumber = { "values", "body" }, ForIn = { "values", "body" }, Return = { "values" },
}

--- Calls visit[tag](node) for each node below one, and for itself, each before those in it.
---@param node septet.check.Node
---@param visit table<string, fun(node: septet.check.Node)>
function tree.walk(node, visit)
  local seen = visit[node.tag]
  if seen then seen(node) end
  for _, part in ipairs(tree.parts[node.tag]) do
    local value = node[part]
    if value and value.tag then
      tree.walk(value, visit)
    elseif value then
      for i = 1, #value do tree.walk(value[i], visit) end
    end
  end
end

--- Returns the expression inside parentheses.
---@param node septet.check.Node
---@return septet.check.Node
function tree.bare(node)
  while node.tag == "Paren" do node = node.inner end
  return node
end

return tree
