-- SPDX-License-Identifier: MIT
-- Finds the variable of each name of a tree, and what Lua refuses although its grammar allows it:
-- assignments to constants, `...` outside of vararg functions, misplaced breaks, gotos and labels.
local scopes = {}

local tree = require "septet.check.tree"

---@class septet.check.Variable
---@field name string
---@field at integer where it is declared
---@field kind "local"|"parameter"|"loop"|"function"
---@field attribute "const"|"close"|nil
---@field owner septet.check.Node the function that it belongs to
---@field value septet.check.Node|nil what it was declared with
---@field writes integer the number of assignments after that
---@field reads integer

---@class septet.check.Global
---@field name string
---@field at integer
---@field is_write boolean|nil
---@field is_declared boolean|nil by `function name()`
---@field owner septet.check.Node the function in which the name stands

local Resolver = {}
Resolver.__index = Resolver

local visit = {}

function Resolver:fail(message, at)
  error({ message = message, at = at }, 0)
end

function Resolver:open(is_loop)
  self.scope = { parent = self.scope, owner = self.owner, names = {}, labels = {}, gotos = {},
    active = self.active, is_loop = is_loop }
end

-- Ends the innermost scope. Its pending gotos go on looking for their labels around it.
function Resolver:close()
  local scope = self.scope
  local parent = scope.parent
  local is_function = not parent or parent.owner ~= scope.owner
  for _, jump in ipairs(scope.gotos) do
    if is_function then self:fail(("no visible label '%s' for goto"):format(jump.name), jump.at) end
    jump.active = math.min(jump.active, scope.active)
    table.insert(parent.gotos, jump)
  end
  self.scope, self.active = parent, scope.active
end

function Resolver:declare(name, kind, value)
  local variable = { name = name.name, at = name.at, kind = kind, attribute = name.attribute,
    owner = self.owner, value = value, writes = 0, reads = 0 }
  name.variable = variable
  self.scope.names[name.name] = variable
  self.active = self.active + 1
  return variable
end

-- Returns the variable of a name, or nil for a global.
function Resolver:find(name)
  local scope = self.scope
  while scope do
    if scope.names[name] then return scope.names[name] end
    scope = scope.parent
  end
end

function Resolver:visit(node)
  return visit[node.tag](self, node)
end

function Resolver:visit_all(list)
  for _, node in ipairs(list) do visit[node.tag](self, node) end
end

-- Resolves a name that is read, or written to.
function Resolver:name(node, is_write, is_declared)
  local variable = self:find(node.name)
  node.owner = self.owner
  if variable then
    node.variable = variable
    if not is_write then
      variable.reads = variable.reads + 1
    elseif variable.attribute then
      self:fail(("attempt to assign to const variable '%s'"):format(node.name), node.at)
    else
      variable.writes = variable.writes + 1
    end
  elseif node.name ~= "_ENV" then
    node.environment = self:find "_ENV"
    if not node.environment then
      table.insert(self.globals, { name = node.name, at = node.at, is_write = is_write,
        is_declared = is_declared, owner = self.owner, node = node })
    end
  elseif is_write then
    self.has_own_environment = true
  end
end

function Resolver:block(node)
  local statements = node.statements
  local count = #statements
  -- Labels at the end of a block stand behind the scope of its variables.
  local first_last = count + 1
  while node.ends_with ~= "until" and first_last > 1
    and statements[first_last - 1].tag == "Label" do
    first_last = first_last - 1
  end
  for i = 1, count do
    if i == first_last then self.at_end = true end
    self:visit(statements[i])
  end
  self.at_end = false
end

function Resolver:body(node, is_loop)
  self:open(is_loop)
  self:block(node)
  self:close()
end

-- --- statements ---

function visit.Block(self, node) self:body(node) end

function visit.Do(self, node) self:body(node.body) end

function visit.Local(self, node)
  self:visit_all(node.values)
  local last = node.values[#node.values]
  local is_open = last and (last.tag == "Call" or last.tag == "Invoke" or last.tag == "Vararg")
  for i, name in ipairs(node.names) do
    local variable = self:declare(name, "local", node.values[i])
    -- Further results of the last call; of these the index is known.
    if not node.values[i] and is_open then
      variable.value, variable.result = last, i - #node.values + 1
    end
  end
end

function visit.LocalFunction(self, node)
  self:declare(node.names[1], "function", node.values[1])
  self:visit(node.values[1])
end

function visit.Assign(self, node)
  for _, target in ipairs(node.targets) do
    if target.tag ~= "Name" then self:visit(target) end
  end
  self:visit_all(node.values)
  for _, target in ipairs(node.targets) do
    if target.tag == "Name" then self:name(target, true, node.declares) end
  end
end

function visit.CallStatement(self, node) self:visit(node.call) end

function visit.While(self, node)
  self:visit(node.condition)
  self:body(node.body, true)
end

function visit.Repeat(self, node)
  self:open(true)
  self:block(node.body)
  self:visit(node.condition)
  self:close()
end

function visit.If(self, node)
  for _, clause in ipairs(node.clauses) do
    self:visit(clause.condition)
    self:body(clause.body)
  end
  if node.otherwise then self:body(node.otherwise) end
end

local function visit_for(self, node)
  self:visit_all(node.values)
  self:open(true)
  for _, name in ipairs(node.names) do self:declare(name, "loop") end
  self:block(node.body)
  self:close()
end
visit.ForNumber, visit.ForIn = visit_for, visit_for

function visit.Return(self, node)
  node.owner = self.owner
  table.insert(self.owner.returns, node)
  self:visit_all(node.values)
end

function visit.Break(self, node)
  local scope = self.scope
  while scope and scope.owner == self.owner do
    if scope.is_loop then return end
    scope = scope.parent
  end
  self:fail("break outside a loop", node.at)
end

-- Returns the label of a name in the scopes of the running function that are open.
function Resolver:label(name)
  local scope = self.scope
  while scope and scope.owner == self.owner do
    if scope.labels[name] then return scope.labels[name] end
    scope = scope.parent
  end
end

function visit.Goto(self, node)
  if self:label(node.name) then return end
  table.insert(self.scope.gotos, { name = node.name, at = node.at, active = self.active })
end

function visit.Label(self, node)
  if self:label(node.name) then
    self:fail(("label '%s' already defined"):format(node.name), node.at)
  end
  local scope, pending = self.scope, {}
  local active = self.at_end and scope.active or self.active
  scope.labels[node.name] = node
  for _, jump in ipairs(scope.gotos) do
    if jump.name ~= node.name then
      pending[#pending + 1] = jump
    elseif jump.active < active then
      self:fail(("goto '%s' jumps into the scope of a local"):format(jump.name), jump.at)
    end
  end
  scope.gotos = pending
end

-- --- expressions ---

function visit.Name(self, node) self:name(node) end

function visit.Vararg(self, node)
  if not self.owner.is_vararg then
    self:fail("cannot use '...' outside a vararg function", node.at)
  end
end

function visit.Function(self, node)
  local outer, at_end = self.owner, self.at_end
  node.outer, node.returns = outer, {}
  self.owner, self.at_end = node, false
  table.insert(self.functions, node)
  local active = self.active
  self.active = 0
  self:open()
  for _, parameter in ipairs(node.parameters) do self:declare(parameter, "parameter") end
  self:block(node.body)
  self:close()
  self.owner, self.active, self.at_end = outer, active, at_end
end

local function visit_call(self, node)
  node.owner = self.owner
  self:visit(node.callee or node.object)
  self:visit_all(node.arguments)
end
visit.Call, visit.Invoke = visit_call, visit_call

local function visit_parts(self, node)
  for _, part in ipairs(tree.parts[node.tag]) do
    local value = node[part]
    if value and value.tag then
      self:visit(value)
    elseif value then
      self:visit_all(value)
    end
  end
end
for tag in pairs(tree.parts) do visit[tag] = visit[tag] or visit_parts end

---@class septet.check.Scopes
---@field globals septet.check.Global[]
---@field functions septet.check.Node[] that of the chunk first
---@field has_own_environment boolean|nil it assigns to _ENV

--- Resolves the names of a tree. Returns nil, what is wrong, and where, if Lua would refuse it.
---@param root septet.check.Node
---@return septet.check.Scopes|nil
---@return string|nil message
---@return integer|nil at
function scopes.resolve(root)
  local self = setmetatable({ globals = {}, functions = {}, active = 0 }, Resolver)
  local ok, err = pcall(visit.Function, self, root)
  if ok then
    return { globals = self.globals, functions = self.functions,
      has_own_environment = self.has_own_environment }
  end
  if type(err) ~= "table" then error(err, 0) end
  return nil, err.message, err.at
end

return scopes
