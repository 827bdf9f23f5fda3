-- SPDX-License-Identifier: MIT
-- The classes, functions and aliases that the sources' annotations describe, and which of them are
-- public: what a public module has, and all classes that its types lead to.
local annotations = require "annotations"
local names = require "names"
local types = require "types"

local model = {}

local Model = {}
Model.__index = Model

local function find_or_add(t, key, new)
  if not t[key] then t[key] = new() end
  return t[key]
end

function Model:class(name)
  local class = self.classes[name]
  if not class then
    class = { name = name, parents = {}, fields = {}, members = {}, operators = {}, text = "" }
    self.classes[name] = class
    self.order[#self.order + 1] = name
  end
  return class
end

function Model:fault(path, line, format, ...)
  self.faults[#self.faults + 1] = ("%s:%d: %s"):format(path, line, format:format(...))
end

-- Adds what a block says of a class. A class may be described in several places, in one of them
-- with a text.
local function add_class(self, file, block)
  local given = block.class
  local class = self:class(given.name)
  if class.text ~= "" and given.text ~= "" then
    self:fault(file.path, block.line, "class '%s' has a text in '%s' already", given.name,
      class.path)
  end
  if given.text ~= "" or not class.path then class.text, class.path = given.text, file.path end
  if #given.parents > 0 then class.parents = given.parents end
  table.move(given.operators, 1, #given.operators, #class.operators + 1, class.operators)
  for _, field in ipairs(given.fields) do
    if class.fields[field.name] then
      self:fault(file.path, field.line, "duplicate field '%s' of '%s'", field.name, given.name)
    end
    class.fields[field.name] = field
    class.fields[#class.fields + 1] = field
    field.path = file.path
  end
end

-- Gives a function that is described by its type the parameters and returns of that.
local function spread(member)
  local node = member.type and member.type:find "^fun%(" and types.parse(member.type)
  if not node or node.kind ~= "fun" then return member end
  for i, param in ipairs(node.parameters) do
    member.params[i] = { name = param.name, optional = param.optional, text = "",
      type = param.type and param.type.text or "any" }
  end
  for i, value in ipairs(node.returns) do member.returns[i] = { type = value.text, text = "" } end
  member.type = nil
  return member
end

local function new_member(file, block, name)
  return spread { name = name, path = file.path, line = block.line, text = block.text,
    params = block.params, returns = block.returns, async = block.async, type = block.type,
    generics = block.generics, private = block.private }
end

-- Adds a member to the table that a variable of a file is: a class, or a module's table.
local function add_member(self, file, variable, member)
  local owner = find_or_add(file.tables, variable, function() return {} end)
  local known = owner.members or {}
  owner.members = known
  if known[member.name] and not member.link then known[member.name].again = true end
  known[member.name] = member
  known[#known + 1] = member
end

local function add_code(self, file, block, code)
  local variable, mark, name, parameters = code:match "^function ([%w_]+)([.:])([%w_]+)%(([^)]*)"
  if variable then
    local member = new_member(file, block or { line = 0, text = "", params = {}, returns = {} },
      name)
    member.is_method, member.parameters, member.is_bare = mark == ":", parameters, not block
    return add_member(self, file, variable, member)
  end
  local alias, path = code:match "^local ([%w_]+) = require%s*%(?[\"']([%w_.]+)[\"']%)?$"
  if alias then file.requires[alias] = path return end
  variable = code:match "^local ([%w_]+) ="
  if variable and block and block.class then
    file.tables[variable] = { class = block.class.name, members = {} }
    return
  end
  variable, name, path = code:match "^([%w_]+)%.([%w_]+) = (.*)$"
  if not variable or path == "{}" and not block then return end
  local from, linked = path:match "^([%w_]+)%.([%w_]+)$"
  if not from then from, linked = path:match "^require [\"']([%w_.]+)[\"']%.([%w_]+)$" end
  if block and not block.class then
    local member = new_member(file, block, name)
    member.is_value = member.type ~= nil
    add_member(self, file, variable, member)
  elseif from and file.tables[variable] then
    add_member(self, file, variable, { name = name, link = { from, linked } })
  end
end

local function read(self, path, module)
  local file = { path = path, tables = {}, requires = {} }
  self.files[module] = file
  annotations.each(path, function(block, code)
    if block and block.class then add_class(self, file, block) end
    for _, alias in ipairs(block and block.aliases or {}) do
      alias.path = path
      self.aliases[alias.name] = alias
      self.alias_order[#self.alias_order + 1] = alias.name
    end
    local variable = code:match "^local ([%w_]+) = {}$"
    if variable and not (block and block.class) then file.tables[variable] = { members = {} } end
    add_code(self, file, block, code)
  end, function(line, why) self:fault(path, line, "%s", why) end)
end

-- Returns the member that a link leads to, or nil.
local function follow(self, file, link)
  local module = file.requires[link[1]] or link[1]
  local target = self.files[module == "septet.core" and "meta.septet.core" or module]
  for _, owner in pairs(target and target.tables or {}) do
    local member = owner.members and owner.members[link[2]]
    if member and member.link then return follow(self, target, member.link) end
    if member and not member.is_bare then return member end
  end
end

local function bind(self)
  for _, module in ipairs(self.modules_read) do
    local file = self.files[module]
    for _, owner in pairs(file.tables) do
      for _, member in ipairs(owner.class and owner.members or {}) do
        local class, found = self:class(owner.class), member
        if member.link then
          found = follow(self, file, member.link)
          if found then found = setmetatable({ name = member.name }, { __index = found }) end
        end
        if found and not class.members[found.name] then
          class.members[found.name] = found
          class.members[#class.members + 1] = found
        elseif found and not found.is_bare and not class.members[found.name].is_bare then
          self:fault(found.path, found.line, "'%s' of '%s' is described twice", found.name,
            owner.class)
        elseif found and not found.is_bare then
          for i, known in ipairs(class.members) do
            if known.name == found.name then class.members[i] = found end
          end
          class.members[found.name] = found
        end
      end
    end
  end
end

--- Returns true if a member or a field is for scripts.
function model.is_public(member)
  return not member.private and member.name:sub(1, 1) ~= "_"
    and (not member.access or member.access == "public")
end

--- Returns true if a class is a kind of error.
function model.is_error(class)
  return class.name == "septet.Error" or class.parents[1] == "septet.Error"
end

--- Calls fn(text) for each type that a public class mentions.
function model.each_type(class, fn)
  for _, field in ipairs(class.fields) do
    if model.is_public(field) then fn(field.type, field) end
  end
  for _, member in ipairs(class.members) do
    if model.is_public(member) then
      if member.type then fn(member.type, member) end
      for _, param in ipairs(member.params) do fn(param.type, member) end
      for _, value in ipairs(member.returns) do fn(value.type, member) end
    end
  end
end

-- Notes parameters of a public function that its annotations leave out.
local function check_parameters(self, class)
  for _, member in ipairs(class.members) do
    local i = 0
    for name in (member.parameters or ""):gmatch "[%w_.]+" do
      i = i + 1
      local param = member.params[i]
      if model.is_public(member) and (not param or param.name ~= name) then
        self:fault(member.path, member.line, "'%s' of '%s' does not say what '%s' is", member.name,
          class.name, name)
        break
      end
    end
  end
end

local function mark_public(self, name)
  local class = self.classes[name] or self.aliases[name]
  if not class or class.public then return end
  class.public = true
  local function mark(text)
    types.each_name(types.parse(text), function(found) mark_public(self, found) end)
  end
  if class.members then
    for _, parent in ipairs(class.parents) do mark_public(self, parent) end
    model.each_type(class, mark)
  elseif class.type ~= "" then
    mark(class.type)
  end
end

-- Returns the name of the module that a file below a folder is.
local function module_of(path)
  return (path:gsub("%.lua$", ""):gsub("/", "."))
end

--- Reads the sources of a tree. `lua` and `meta` are lists of paths below it, as septet/task.lua.
function model.read(root, lua, meta)
  local self = setmetatable({ root = root, classes = {}, order = {}, aliases = {}, alias_order = {},
    files = {}, modules_read = {}, modules = {}, faults = {} }, Model)
  for _, path in ipairs(lua) do
    local module = module_of(path)
    self.modules_read[#self.modules_read + 1] = module
    read(self, root .. "/lua/" .. path, module)
    local name = path:match "^septet/([%w_]+)%.lua$"
    if name then self.modules[#self.modules + 1] = name == "init" and "septet" or module end
  end
  for _, path in ipairs(meta) do
    local module = "meta." .. module_of(path)
    self.modules_read[#self.modules_read + 1] = module
    read(self, root .. "/meta/" .. path, module)
  end
  bind(self)
  table.sort(self.modules)
  for _, module in ipairs(self.modules) do mark_public(self, module) end
  mark_public(self, names.GLOBALS)
  for _, name in ipairs(self.order) do
    if model.is_error(self.classes[name]) then mark_public(self, name) end
  end
  for _, name in ipairs(self.order) do
    if self.classes[name].public then check_parameters(self, self.classes[name]) end
  end
  return self
end

return model
