-- SPDX-License-Identifier: MIT
-- Reads the annotations of a Lua file: blocks of lines that begin with `---`, and the line of code
-- that each stands before. A line without a blank behind `---` continues the comment of the
-- one above.
local types = require "types"

local annotations = {}

-- Joins lines of text. A line that is empty separates paragraphs.
local function join(lines)
  local text = table.concat(lines, "\n"):gsub("^%s+", ""):gsub("%s+$", "")
  return text
end

-- What may begin a line: each gets the block, and the text behind the word.
local tags = {}

-- Returns the text of a type at the beginning of `rest`, and what stands behind it.
local function typed(rest)
  local _, text, behind = types.parse(rest)
  return text, behind
end

function tags.class(block, rest)
  local name, parents = rest:match "^([%w_.]+)%s*:?%s*(.-)%s*$"
  if not name then error("name of a class expected", 0) end
  local class = { name = name, parents = {}, fields = {}, operators = {}, text = block:words() }
  for parent in parents:gmatch "[^,%s]+" do class.parents[#class.parents + 1] = parent end
  block.class = class
end

local ACCESS = { private = true, protected = true, package = true, public = true }

function tags.field(block, rest)
  if not block.class then error("a field without a class", 0) end
  local access, behind = rest:match "^(%a+)%s+(.*)$"
  if ACCESS[access] and not behind:find "^[|:]" then rest = behind else access = nil end
  local name, optional, after = rest:match "^(%[[^%]]+%])(%??)%s+(.*)$"
  if not name then name, optional, after = rest:match "^([%a_][%w_]*)(%??)%s+(.*)$" end
  if not name then error("name of a field expected", 0) end
  local text, comment = typed(after)
  local above = block:words()
  block.class.fields[#block.class.fields + 1] = {
    name = name, type = text, access = access, optional = optional == "?",
    text = above ~= "" and comment ~= "" and above .. " " .. comment or above .. comment,
    line = block.line,
  }
  block.last = block.class.fields[#block.class.fields]
end

function tags.param(block, rest)
  local name, optional, after = rest:match "^([%a_][%w_]*)(%??)%s+(.*)$"
  if not name then name, optional, after = rest:match "^(%.%.%.)(%??)%s+(.*)$" end
  if not name then error("name of a parameter expected", 0) end
  local text, comment = typed(after)
  block.last = { name = name, optional = optional == "?", type = text, text = comment }
  block.params[#block.params + 1] = block.last
end

-- `TYPE [NAME] [COMMENT]`, or several of `TYPE [NAME]` with commas between them.
tags["return"] = function(block, rest)
  repeat
    local text, behind = typed(rest)
    local name, more = behind:match "^([%w_.]*)%s*,%s*(.+)$"
    if behind:sub(1, 1) == "#" then behind, more = behind:sub(2):match "^%s*(.*)$", nil end
    block.returns[#block.returns + 1] = { type = text, text = more and name or behind }
    rest = more
  until not rest
  block.last = block.returns[#block.returns]
end

function tags.type(block, rest) block.type = typed(rest) end
function tags.async(block) block.async = true end
function tags.meta(block) block.meta = true end
function tags.private(block) block.private = true end
function tags.generic(block, rest) block.generics[#block.generics + 1] = rest end

function tags.operator(block, rest)
  if not rest:find "^%l+[%(:]" then error("an operator expected", 0) end
  block.class.operators[#block.class.operators + 1] = rest
end

function tags.alias(block, rest)
  local name, text = rest:match "^([%w_.]+)%s*(.-)%s*$"
  if not name then error("name of an alias expected", 0) end
  block.aliases[#block.aliases + 1] =
    { name = name, type = text, text = block:words(), line = block.line }
end

local Block = {}
Block.__index = Block

-- Returns the text so far, and begins anew.
function Block:words()
  local text = join(self.lines)
  self.lines = {}
  return text
end

local function new_block(line)
  return setmetatable({ line = line, lines = {}, params = {}, returns = {}, generics = {},
    aliases = {} }, Block)
end

local function add_line(block, text)
  local more = text:match "^|%s*(.-)%s*$"
  if more then
    local alias = block.aliases[#block.aliases]
    if not alias then error("a line of an alias without one", 0) end
    alias.type = alias.type == "" and more or alias.type .. "|" .. more
    return
  end
  local tag, rest = text:match "^@(%w+)%s*(.-)%s*$"
  local continued = block.last and text:match "^[^%s@|].*$"
  if continued then
    block.last.text = (block.last.text .. " " .. continued):match "^%s*(.*)$"
    return
  end
  block.last = nil
  if not tag then
    block.lines[#block.lines + 1] = text:gsub("^ ", "")
  elseif tags[tag] then
    tags[tag](block, rest)
  else
    error(("unknown annotation '@%s'"):format(tag), 0)
  end
end

-- Returns true if a line has brackets that only a later one closes.
local function is_open(text)
  local depth = 0
  for bracket in text:gsub('"[^"]*"', ""):gmatch "[%(%){}]" do
    depth = depth + (bracket:find "[({]" and 1 or -1)
  end
  return text:find "^@" and depth > 0
end

-- Adds a line to a block, once the brackets of the lines before it are closed.
local function add(block, text)
  text = block.held and block.held .. " " .. text:match "^%s*(.*)$" or text
  block.held = is_open(text) and text or nil
  if not block.held then add_line(block, text) end
end

-- Ends a block. Returns what is wrong with its last line, or nil.
local function finish(block)
  local ok, why = true, nil
  if block.held then ok, why = pcall(add_line, block, block.held) end
  block.text = block:words()
  return not ok and why or nil
end

--- Calls fn(block, code) for each block, with the line of code that follows at once, or "", and
--- fn(nil, code) for every other line. Calls fault(line, text) for an annotation that is wrong.
function annotations.each(path, fn, fault)
  local block, number = nil, 0
  for line in io.lines(path) do
    number = number + 1
    local text = line:match "^%s*%-%-%-(.*)$"
    if text and not text:find "^%-" then
      block = block or new_block(number)
      block.line = number
      local ok, why = pcall(add, block, text)
      if not ok then fault(number, why) end
    else
      local why = block and finish(block)
      if why then fault(number - 1, why) end
      fn(block, line)
      block = nil
    end
  end
  if block then
    local why = finish(block)
    if why then fault(number, why) end
    fn(block, "")
  end
end

return annotations
