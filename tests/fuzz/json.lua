-- SPDX-License-Identifier: MIT
-- The script of fuzz_json. Returns the function that is called with each text. The argument says
-- whether a bug is planted.
local json, task = require "septet.json", require "septet.task"
local planted = ...

local function same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then
    return math.type(a) == math.type(b) and a == b
  end
  for k, v in pairs(a) do
    if not same(v, b[k]) then return false end
  end
  for k in pairs(b) do
    if a[k] == nil then return false end
  end
  return true
end

local function encode(value)
  local text = json.encode(value)
  return planted and text:gsub("%-1", "1") or text
end

return function(text)
  local ok, value = pcall(json.decode, text)
  if not ok then
    assert(task.is(value, "JsonError"), value)
    assert(value.position >= 1 and value.position <= #text + 1, "a place outside of the text")
    return
  end
  assert(not text:find("\0", 1, true), "a NUL passes")
  local again = encode(value)
  assert(same(value, json.decode(again)), again)
end
