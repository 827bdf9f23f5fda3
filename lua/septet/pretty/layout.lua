-- SPDX-License-Identifier: MIT
-- Writes what pretty.format() shows into lines of a width. A node is one of
--   leaf    `text`, which may have several lines, and its `style`
--   branch  `head` and its `style`, and `items`, in braces or not: each a `value`, a node, and
--           perhaps a `key`, a leaf, before a `separator`. `more` is what was left out. It has an
--           `id` if another node refers to it
--   ref     `ref`, the branch that it stands for
local layout = {}

local columns = require("septet.pretty.width").of

local COLOURS = { string = "32", number = "36", constant = "35", fn = "34", object = "33",
  error = "31", note = "2" }

local function paint(self, text, style)
  local code = self.colour and COLOURS[style]
  return code and text ~= "" and ("\27[%sm%s\27[0m"):format(code, text) or text
end

local function head_of(node)
  local id = node.id and ("<%d>"):format(node.id) or ""
  local head = node.head or ""
  if id == "" or head == "" then return id .. head end
  return id .. " " .. head
end

local function ref_text(node)
  return ("<table %d>"):format(node.ref.id)
end

-- Returns the columns of a node on one line, math.huge if it has several.
local function flat_width(node)
  if node.flat then return node.flat end
  local total
  if node.ref then
    total = columns(ref_text(node))
  elseif not node.items then
    total = node.text:find("\n", 1, true) and math.huge or columns(node.text)
  else
    local head = head_of(node)
    total = columns(head) + (head ~= "" and node.braces and 1 or 0) + (node.braces and 2 or 0)
    for _, item in ipairs(node.items) do
      total = total + flat_width(item.value) + 2
      if item.key then total = total + flat_width(item.key) + 3 end
    end
    if node.more then total = total + columns(node.more) + 2 end
  end
  node.flat = total
  return total
end

local write -- below: nodes are nested

local function write_leaf(self, node, indent)
  local text = node.text
  if text:find("\n", 1, true) then text = text:gsub("\n", "\n" .. (" "):rep(indent)) end
  self[#self + 1] = paint(self, text, node.style)
end

local function write_item(self, item, indent, trailing)
  local used = 0
  if item.key then
    write_leaf(self, item.key, indent)
    self[#self + 1] = item.separator or " = "
    used = flat_width(item.key) + 3
  end
  write(self, item.value, indent, indent + used, trailing)
end

local function write_open(self, node)
  local head = head_of(node)
  if head ~= "" then
    self[#self + 1] = paint(self, head, node.style or "note")
    if node.braces then self[#self + 1] = " " end
  end
  if node.braces then self[#self + 1] = "{" end
end

local function write_flat(self, node)
  if node.ref then
    self[#self + 1] = paint(self, ref_text(node), "note")
  elseif not node.items then
    self[#self + 1] = paint(self, node.text, node.style)
  else
    write_open(self, node)
    local separator = " "
    for _, item in ipairs(node.items) do
      self[#self + 1] = separator
      if item.key then
        write_flat(self, item.key)
        self[#self + 1] = item.separator or " = "
      end
      write_flat(self, item.value)
      separator = ", "
    end
    if node.more then self[#self + 1] = separator .. paint(self, node.more, "note") end
    local is_empty = #node.items == 0 and not node.more
    if node.braces then self[#self + 1] = is_empty and "}" or " }" end
  end
end

-- Returns true if the items are short values without keys, several of which go on a line.
local function can_fill(self, node)
  if #node.items < 4 then return false end
  for _, item in ipairs(node.items) do
    if item.key or item.value.items or flat_width(item.value) > self.width // 3 then
      return false
    end
  end
  return true
end

local function new_line(self, indent)
  self[#self + 1] = "\n" .. (" "):rep(indent)
end

local function write_filled(self, node, indent)
  local at = math.huge
  for i, item in ipairs(node.items) do
    local needs = flat_width(item.value) + 1
    if at + needs + 1 > self.width then
      new_line(self, indent)
      at = indent
    else
      self[#self + 1] = " "
      at = at + 1
    end
    write_flat(self, item.value)
    if i < #node.items or node.more then self[#self + 1] = "," end
    at = at + needs
  end
end

-- Writes a node. `indent` is that of its lines, `at` the column where it begins, `trailing` the
-- number of columns that are needed behind it.
function write(self, node, indent, at, trailing)
  if not node.items then
    if node.ref then return write_flat(self, node) end
    return write_leaf(self, node, indent)
  end
  if at + flat_width(node) + trailing <= self.width then return write_flat(self, node) end
  write_open(self, node)
  local inner = indent + 2
  if can_fill(self, node) then
    write_filled(self, node, inner)
  else
    for i, item in ipairs(node.items) do
      new_line(self, inner)
      local is_last = i == #node.items and not node.more
      write_item(self, item, inner, is_last and 0 or 1)
      if not is_last and node.braces then self[#self + 1] = "," end
    end
  end
  if node.more then
    new_line(self, inner)
    self[#self + 1] = paint(self, node.more, "note")
  end
  if node.braces then
    new_line(self, indent)
    self[#self + 1] = "}"
  end
end

--- Returns the text of a node.
---@param node table
---@param width integer columns of a line, unless a single value needs more
---@param colour boolean
---@return string
function layout.text(node, width, colour)
  local self = { width = width, colour = colour }
  write(self, node, 0, 0, 0)
  return table.concat(self)
end

return layout
