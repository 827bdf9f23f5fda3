-- SPDX-License-Identifier: MIT
-- A source text: where its lines are, and what its comments say to the checker.
local source = {}

---@class septet.check.Source
---@field name string
---@field text string with an empty line in the place of the one for the shell
---@field starts integer[] of the lines
---@field ignored table<integer, table<string, boolean>> names of rules by line; "*" is every rule
---@field allowed table<string, boolean> names of rules that a comment silences in the whole file
---@field globals table<string, boolean> those that a comment declares
local Source = {}
Source.__index = Source

-- Lines end as for Lua: also with "\r", "\r\n" and "\n\r".
local function line_starts(text)
  local starts, at = { 1 }, text:find "[\r\n]"
  while at do
    local pair = text:sub(at, at + 1)
    at = at + ((pair == "\r\n" or pair == "\n\r") and 2 or 1)
    starts[#starts + 1] = at
    at = text:find("[\r\n]", at)
  end
  return starts
end

-- Returns the number of the line in which a byte stands.
function Source:line_of(at)
  local low, high = 1, #self.starts
  while low < high do
    local middle = (low + high + 1) // 2
    if self.starts[middle] <= at then low = middle else high = middle - 1 end
  end
  return low
end

--- Returns the line and the column, in characters, of a byte.
---@param at integer
---@return integer line
---@return integer column
function Source:place(at)
  local line = self:line_of(at)
  local before = self.text:sub(self.starts[line], at - 1)
  return line, 1 + (utf8.len(before) or #before)
end

-- Notes that a comment silences rules in its line, or in the next if it stands alone.
function Source:ignore(at, names)
  local line = self:line_of(at)
  if not self.text:sub(self.starts[line], at - 1):find "%S" then line = line + 1 end
  local rules = self.ignored[line] or {}
  self.ignored[line] = rules
  -- The names come first, separated by commas; what follows them is a reason.
  local from, any = 1, false
  repeat
    local name, comma, after = names:match("^%s*([%a-]+)(,?)()", from)
    if name then rules[name], any = true, true end
    from = after
  until comma ~= ","
  if not any then rules["*"] = true end
end

--- Reads the comments to the checker: `check: ignore RULE, … reason` for a line, and for the file
--- `check: allow RULE, …` and `check: globals NAME, …`.
---@param comments { at: integer, text: string }[]
function Source:read_comments(comments)
  for _, comment in ipairs(comments) do
    local word, rest = comment.text:match "^%s*check:%s*(%a+)(.*)"
    if word == "ignore" then
      self:ignore(comment.at, rest)
    elseif word == "allow" then
      for name in rest:gmatch "[%a-]+" do self.allowed[name] = true end
    elseif word == "globals" then
      for name in rest:gmatch "[%a_][%w_]*" do self.globals[name] = true end
    end
  end
end

--- Returns true if a comment silences a rule in a line.
function Source:is_ignored(line, rule)
  if self.allowed[rule] then return true end
  local rules = self.ignored[line]
  return rules ~= nil and (rules[rule] or rules["*"] or false)
end

--- Returns the source of a text. Its first line may be one for the shell, as in a file.
---@param name string
---@param text string
---@return septet.check.Source
function source.new(name, text)
  text = text:gsub("^\xEF\xBB\xBF", ""):gsub("^#[^\n]*", "")
  return setmetatable({ name = name, text = text, starts = line_starts(text), ignored = {},
    allowed = {}, globals = {} }, Source)
end

return source
