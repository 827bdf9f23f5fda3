-- SPDX-License-Identifier: MIT
-- Checks sources: parses each, and asks the rules.
local run = {}

local expected = require "septet.check.expected"
local parser = require "septet.check.parser"
local all_rules = require "septet.check.rules"
local scopes = require "septet.check.scopes"
local source_of = require "septet.check.source"
local tested = require "septet.check.tested"
local types = require "septet.check.types"

---@class septet.check.Finding
---@field file string
---@field line integer
---@field column integer
---@field rule string|nil nil for what Lua does not compile
---@field message string

---@class septet.check.File
---@field source septet.check.Source
---@field tree septet.check.Node|nil
---@field scopes septet.check.Scopes|nil
---@field globals septet.check.Global[]
---@field expected { [1]: integer, [2]: integer }[] where mistakes are made on purpose
---@field tested table<string, boolean> names that the file asks for before it uses them
---@field has_own_globals boolean|nil its globals come from elsewhere

---@class septet.check.Run
---@field rules table[]
---@field globals table<string, boolean> names that are set by Lua, the program or a file
---@field given table<string, boolean> those of Lua and the program, and that the command line names
---@field files septet.check.File[]
---@field findings septet.check.Finding[]
local Run = {}
Run.__index = Run

-- Returns true if a byte stands in a function that is there for its error.
local function is_expected(file, at)
  for _, range in ipairs(file.expected) do
    if range[1] <= at and at <= range[2] then return true end
  end
end

-- Returns the function that notes the findings of a rule in a file.
function Run:reporter(file, rule)
  return function(at, format, ...)
    if is_expected(file, at) then return end
    local line, column = file.source:place(at)
    if file.source:is_ignored(line, rule.name) then return end
    table.insert(self.findings, { file = file.source.name, line = line, column = column,
      rule = rule.name, message = format:format(...) })
  end
end

-- Notes that Lua does not compile a source, in Lua's words.
function Run:add_error(source, message, at)
  local line = tonumber(message:match "^%?:(%d+):") or 1
  local column = 1
  if at then
    local found, there = source:place(at)
    if found == line then column = there end
  end
  table.insert(self.findings, { file = source.name, line = line, column = column,
    message = message:gsub("^%?:%d+: ", "") })
end

local function no_findings() end

-- Returns true if the source may give itself globals: by a metatable of theirs, or another table.
local function has_own_globals(file)
  return file.scopes.has_own_environment or file.source.text:find "setmetatable%s*%(%s*_G"
    or file.source.text:find "setmetatable%s*%(%s*_ENV"
end

-- What `septet test` gives to files of tests.
local OF_TESTS <const> = { "describe", "it", "pending", "expect", "before_each", "after_each",
  "before_all", "after_all", "setup", "teardown" }

-- Notes which globals a file sets, also as fields of _G, and those that a file of tests is given.
function Run:note_globals(file)
  if file.source.name:find "_spec%.lua$" or file.source.name:find "_test%.lua$" then
    for _, name in ipairs(OF_TESTS) do self.globals[name] = true end
  end
  for _, global in ipairs(file.globals) do
    if global.is_write then self.globals[global.name] = true end
  end
  for _, form in ipairs { "%f[%w_]_G%.([%a_][%w_]*)%s*=[^=]", "function%s+_G%.([%a_][%w_]*)",
    "%f[%w_]_ENV%.([%a_][%w_]*)%s*=[^=]", "function%s+_ENV%.([%a_][%w_]*)" } do
    for name in file.source.text:gmatch(form) do self.globals[name] = true end
  end
end

--- Checks a source, as far as that needs no other.
---@param name string
---@param text string
function Run:add(name, text)
  local source = source_of.new(name, text)
  local compiled, message = load(source.text, "=?", "t")
  if not compiled then
    local _, _, at = parser.parse(source.text)
    return self:add_error(source, message, at)
  end
  local tree, comments = parser.parse(source.text)
  local found = tree and scopes.resolve(tree)
  if not found then return end -- Lua is right
  source:read_comments(comments)
  local file = { source = source, tree = tree, scopes = found, globals = found.globals,
    expected = expected.ranges(tree) }
  file.has_own_globals = has_own_globals(file)
  self:note_globals(file)
  types.prepare(tree)
  file.tested = tested.names(tree)
  for _, rule in ipairs(self.rules) do
    (rule.check or no_findings)(file, self:reporter(file, rule))
  end
  -- What `finish` needs stays; the trees of thousands of files would be gigabytes.
  file.tree, file.scopes = nil, nil
  for _, global in ipairs(file.globals) do
    global.node, global.in_function, global.owner = nil, global.owner ~= tree, nil
  end
  table.insert(self.files, file)
end

local function is_before(a, b)
  if a.file ~= b.file then return a.file < b.file end
  if a.line ~= b.line then return a.line < b.line end
  if a.column ~= b.column then return a.column < b.column end
  return (a.rule or "") < (b.rule or "")
end

--- Checks what needs all files. Returns the findings, sorted by their places.
---@return septet.check.Finding[]
function Run:finish()
  for _, file in ipairs(self.files) do
    for _, rule in ipairs(self.rules) do
      (rule.finish or no_findings)(file, self:reporter(file, rule), self)
    end
  end
  table.sort(self.findings, is_before)
  return self.findings
end

--- Returns the names of all rules.
---@return string[]
function run.rules()
  local names = {}
  for i, rule in ipairs(all_rules) do names[i] = rule.name end
  return names
end

--- Starts a run of the rules of which the names are in a set.
---@param chosen table<string, boolean>
---@param given table<string, boolean> globals that something else sets
---@return septet.check.Run
function run.new(chosen, given)
  local self = setmetatable({ rules = {}, globals = {}, given = given, files = {},
    findings = {} }, Run)
  for _, rule in ipairs(all_rules) do
    if chosen[rule.name] then table.insert(self.rules, rule) end
  end
  -- Not `_G`, as our modules have an environment of their own.
  for name in pairs(load "return _G"()) do self.globals[name], given[name] = true, true end
  for name in pairs(given) do self.globals[name] = true end
  return self
end

return run
