-- SPDX-License-Identifier: MIT
-- Makes the nodes (septet.pretty.layout) of a value, with keys in an order that is always the same.
-- Only __tostring, __name and __pairs of a value are called, and each may fail.
local objects = require "septet.pretty.objects"
local words = require "septet.pretty.words"
local core = require "septet.core"

local tree = {}

local metatable_of = debug.getmetatable -- ignores __metatable

local NODES_MAX = 20000 -- of a value: what is beyond is left out
local PAIRS_MAX = 20000 -- steps of a __pairs, which may have no end
local ERRORS_MAX = 20 -- nested errors of groups
local KEY_BYTES = 60
local ORDER = { number = 1, string = 2, boolean = 3 }

local function leaf(text, style)
  return { text = text, style = style }
end

local function key_leaf(self, key)
  if type(key) == "string" then
    return leaf(words.is_name(key) and key or "[" .. words.quote(key, KEY_BYTES) .. "]")
  elseif type(key) == "table" then
    return leaf "[{…}]"
  end
  local node = self.build.value(key)
  return leaf("[" .. (node.text or "…"):gsub("\n.*", "…") .. "]", node.style)
end

-- Returns a function that orders keys: numbers, strings, booleans, then the others by their text.
local function before(a, b)
  local type_a, type_b = type(a.key), type(b.key)
  local order_a, order_b = ORDER[type_a] or 4, ORDER[type_b] or 4
  if order_a ~= order_b then return order_a < order_b end
  if order_a <= 2 then return a.key < b.key end
  if order_a == 3 then return a.key and not b.key end
  return a.text < b.text
end

-- Appends an entry for each field outside of the list part, which ends at `length`.
local function collect_raw(value, length)
  local entries = {}
  for key, field in next, value do
    if not (math.type(key) == "integer" and key >= 1 and key <= length) then
      entries[#entries + 1] = { key = key, value = field }
    end
  end
  return entries
end

-- Returns the fields that a __pairs gives, or nil and a message.
local function collect_pairs(value, most)
  local entries, list, rest = {}, {}, 0
  local ok, err = pcall(function()
    for key, field in pairs(value) do
      if key == #list + 1 and math.type(key) == "integer" then
        list[#list + 1] = field
      else
        entries[#entries + 1] = { key = key, value = field }
      end
      rest = rest + 1
      if rest == PAIRS_MAX or #entries > 10 * most then break end
    end
  end)
  if ok then return entries, list end
  local told, message = pcall(tostring, err)
  return nil, nil, "__pairs failed: " .. words.safe(told and message or type(err))
end

local function raw_length(value)
  local n = rawlen(value)
  while n > 0 and rawget(value, n) == nil do n = n - 1 end
  return rawget(value, 1) ~= nil and n or 0
end

local function sort(self, entries)
  for _, entry in ipairs(entries) do
    if not ORDER[type(entry.key)] then entry.text = key_leaf(self, entry.key).text end
  end
  table.sort(entries, before)
end

-- Appends the items of a table to the node, at most `self.items`.
local function add_items(self, node, list, length, entries)
  local shown = math.min(length, self.items)
  for i = 1, shown do
    local field = rawget(list, i)
    node.items[i] = { value = self.build.value(field) }
  end
  local fields = math.min(#entries, self.items - shown)
  for i = 1, fields do
    local entry = entries[i]
    node.items[#node.items + 1] = { key = key_leaf(self, entry.key),
      value = self.build.value(entry.value) }
  end
  local more = length - shown + #entries - fields
  if more > 0 then node.more = ("… %d more"):format(more) end
end

local function table_node(self, value, head, style)
  local meta = metatable_of(value)
  local list, length, entries, failure = value, nil, nil, nil
  if type(meta) == "table" and rawget(meta, "__pairs") ~= nil then
    entries, list, failure = collect_pairs(value, self.items)
    length = list and #list or 0
  end
  if not entries then
    list, length = value, raw_length(value)
    entries = collect_raw(value, length)
  end
  if failure then head = (head and head .. " " or "") .. ("(%s)"):format(failure) end
  local node = { head = head, style = style, items = {}, braces = true }
  if length == 0 and #entries == 0 then return node end
  self.open[value] = node
  if self.level >= self.depth then
    return leaf((head and head .. " " or "") .. "{…}", "note")
  end
  self.level = self.level + 1
  sort(self, entries)
  add_items(self, node, list, length, entries)
  self.level = self.level - 1
  return node
end

-- Returns the node of a table that was met before: the same in words, with the number of the first.
local function ref_to(self, node)
  if not node.id then
    self.ids = self.ids + 1
    node.id = self.ids
  end
  return { ref = node }
end

local function any_table(self, value, meta)
  local text, failure = words.of_tostring(value, meta)
  if text then return leaf(text, "object") end
  local known = self.open[value]
  if known and known.items then return ref_to(self, known) end
  local head = words.type_name(meta)
  if meta and rawequal(meta, core.json_array) and next(value) == nil then head = "json.array" end
  if head == "septet.json.array" then head = nil end
  if failure then head = (head and head .. " " or "") .. ("(%s)"):format(failure) end
  return table_node(self, value, head, "object")
end

local function userdata_node(value, meta)
  local text, failure = words.of_tostring(value, meta)
  if text then return leaf(text, "object") end
  local name = words.type_name(meta) or "userdata"
  return leaf(failure and ("%s (%s)"):format(name, failure) or ("%s: %p"):format(name, value),
    "object")
end

local scalars = {
  ["nil"] = function() return leaf("nil", "constant") end,
  boolean = function(value) return leaf(value and "true" or "false", "constant") end,
  number = function(value) return leaf(words.number(value), "number") end,
  string = function(value, self) return leaf(words.quote(value, self.text), "string") end,
  ["function"] = function(value) return leaf(words.fn(value), "fn") end,
  thread = function(value)
    return leaf(("coroutine (%s)"):format(coroutine.status(value)), "object")
  end,
}

local function any_node(self, value)
  self.nodes = self.nodes + 1
  if self.nodes > NODES_MAX then return leaf("…", "note") end
  local scalar = scalars[type(value)]
  if scalar then return scalar(value, self) end
  local meta = metatable_of(value)
  if type(meta) ~= "table" then meta = nil end
  if self.objects >= ERRORS_MAX then return leaf("…", "note") end
  self.objects = self.objects + 1
  local node = objects.node(value, meta, self.build)
  self.objects = self.objects - 1
  if node then return node end
  if type(value) == "table" then return any_table(self, value, meta) end
  return userdata_node(value, meta)
end

--- Returns the node of a value.
---@param value any
---@param depth integer nested tables that are opened
---@param items integer items of a table that are shown
---@param text integer bytes of a string that are shown
---@return table
function tree.of(value, depth, items, text)
  local self = { depth = depth, items = items, text = text, level = 0, nodes = 0,
    objects = 0, ids = 0, open = {} }
  self.build = {
    value = function(v) return any_node(self, v) end,
    table = function(t, head, style) return table_node(self, t, head, style) end,
  }
  return any_node(self, value)
end

return tree
