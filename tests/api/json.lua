-- SPDX-License-Identifier: MIT
-- A round trip and an error. In the middle of a string, jansson takes the want of memory for a
-- mistake in the text.
local json = require "septet.json"
local list = { 1, 2.5, "three", true, json.null, json.array {} }
text = text or json.encode { a = list, b = {}, c = ("x"):rep(99) }
result = 0
local ok, err = pcall(function()
  assert(json.encode(json.decode(text)) == text)
end)
if not ok then
  assert(err == "not enough memory" or err.kind == "JsonError", err)
end
local refused = pcall(json.encode, { a = { 1, 2, print } })
assert(not refused)
collectgarbage()
result = ok and 2 or 1
