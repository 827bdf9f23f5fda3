-- SPDX-License-Identifier: MIT
-- Checks patterns of Lua before there is a text to match. Lua itself finds a mistake only if the
-- match comes to it.
local pattern = {}

local MOST_CAPTURES <const> = 32

-- Returns the position behind a set that begins at `at`, behind its "["; or nil.
local function after_set(text, at)
  if text:sub(at, at) == "^" then at = at + 1 end
  repeat -- the first character is none that ends it
    if at > #text then return nil end
    at = at + (text:sub(at, at) == "%" and 2 or 1)
  until text:sub(at, at) == "]"
  return at + 1
end

-- Returns the position behind "%" and what belongs to it; or nil and what is wrong.
local function after_escape(text, at, captures)
  local char = text:sub(at + 1, at + 1)
  if char == "" then return nil, "it ends with '%'" end
  if char == "b" then
    if at + 3 > #text then return nil, "'%b' needs two characters" end
    return at + 4
  elseif char == "f" then
    if text:sub(at + 2, at + 2) ~= "[" then return nil, "'%f' needs a set in '[...]'" end
    return after_set(text, at + 3), "a '[' has no ']'"
  elseif char:find "%d" and captures[tonumber(char)] ~= "closed" then
    return nil, "there is no capture '%" .. char .. "'"
  end
  return at + 2
end

-- Closes the last capture that is open. Returns false if there is none.
local function close(captures)
  for i = #captures, 1, -1 do
    if captures[i] == "open" then
      captures[i] = "closed"
      return true
    end
  end
  return false
end

--- Returns nil for a pattern that Lua can match, or else what is wrong with it.
---@param text string
---@return string|nil
function pattern.problem(text)
  local captures, at = {}, text:sub(1, 1) == "^" and 2 or 1
  while at <= #text do
    local char, next_at, problem = text:sub(at, at), at + 1, nil
    if char == "(" then
      local is_position = text:sub(at + 1, at + 1) == ")"
      captures[#captures + 1] = is_position and "closed" or "open"
      next_at = at + (is_position and 2 or 1)
      if #captures > MOST_CAPTURES then return "it has too many captures" end
    elseif char == ")" and not close(captures) then
      return "a ')' has no '('"
    elseif char == "[" then
      next_at, problem = after_set(text, at + 1), "a '[' has no ']'"
    elseif char == "%" then
      next_at, problem = after_escape(text, at, captures)
    end
    if not next_at then return problem end
    at = next_at
  end
  return close(captures) and "a '(' has no ')'" or nil
end

return pattern
