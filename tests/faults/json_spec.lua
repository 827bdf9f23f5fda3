-- SPDX-License-Identifier: MIT
-- JSON: floats round-trip, the grammar has no NUL, and the size of a value is checked before it
-- takes memory.
local json, task = require "septet.json", require "septet.task"
local refused = require("helpers").refused

-- Checks that each float of the list round-trips, and the whole list.
local function round_trip(list)
  local again = json.decode(json.encode(list))
  equal(#again, #list)
  for i, n in ipairs(list) do
    local alone = json.decode(json.encode(n))
    if again[i] ~= n or alone ~= n or math.type(again[i]) ~= "float" then
      error(("%a came back as %a among others, and as %a alone"):format(n, again[i], alone))
    end
  end
end

local function neighbours(n)
  local bits = string.unpack("<i8", string.pack("<d", n))
  local below = string.unpack("<d", string.pack("<i8", bits - 1))
  local above = string.unpack("<d", string.pack("<i8", bits + 1))
  return below, above
end

describe("X-2: encode", function()
  it("encode writes every power of two and its neighbours so that they round-trip", function()
    local list = { 0.8691252555243004 }
    for exponent = -1074, 1023 do
      local n = 2.0 ^ exponent
      local below, above = neighbours(n)
      for _, each in ipairs { n, -n, above, below } do list[#list + 1] = each end
    end
    round_trip(list)
  end)

  it("encode writes random floats so that they round-trip", function()
    math.randomseed(13)
    for _ = 1, 20 do
      local list = {}
      while #list < 5000 do
        local n = string.unpack("<d", string.pack("<i8", math.random(0)))
        if n == n and math.abs(n) ~= math.huge then list[#list + 1] = n end
        list[#list + 1] = math.random()
        list[#list + 1] = math.random(1, 100000) / 100
      end
      round_trip(list)
    end
  end)

  it("encode writes the shortest text of each float", function()
    local list = {
      0.1, 0.1 + 0.2, 1e23, 5e-324, 1.5, -0.0, 100.0, 1e15, 1e16, 123456789012345680.0, 2.0 ^ -1022,
      1e-7, 1e300,
    }
    equal(json.encode(list),
      "[0.1,0.30000000000000004,1e23,5e-324,1.5,-0.0,100.0,1e15,1e16,1.2345678901234568e17,"
      .. "2.2250738585072014e-308,1e-7,1e300]")
  end)
end)

describe("X-3: decode", function()
  it("decode refuses a NUL anywhere", function()
    for _, text in ipairs {
      "[1\0]", "123\0", "null\0", '{"a":1\0,"b":2}', "[true\0]", "[false\0,1]", "\0", "[\0]",
      '{"a"\0:1}', '"a\0b"', "1.5\0", "[1e3\0]", "[]\0", "{}\0\0", "[-1\0\0]", '"x"\0',
    } do
      raises_error({ kind = "JsonError" }, json.decode, text)
    end
    equal(json.decode '"\\u0000"', "\0")
    equal(refused("JsonError", "NUL", json.decode, "[1,\n2\0]").line, 2)
  end)

  it("encode and decode refuse an invalid depth", function()
    for _, depth in ipairs { 2048, 1000000 } do
      refused("Usage", "at most 2047", json.decode, "1", { depth = depth })
      refused("Usage", "at most 2047", json.encode, 1, { depth = depth })
    end
  end)

  it("decode refuses a text whose value takes more memory than it may", function()
    for _, item in ipairs { "[]", "{}", "[[1]]", '{"a":1}', "1", '"x"' } do
      local text = "[" .. item .. ("," .. item):rep(200000) .. "]"
      refused("JsonError", "max_memory", json.decode, text, { max_memory = 8 * 1024 * 1024 })
      equal(#json.decode(text), 200001)
    end
    refused("JsonError", "max_memory", json.decode,
      "[[]" .. (",[]"):rep(8 * 1024 * 1024 // 3) .. "]")
    equal(json.decode(("[%q]"):format(("[,{:"):rep(1000)), { max_memory = 100000 })[1],
      ("[,{:"):rep(1000))
    refused("Usage", "max_memory", json.decode, "1", { max_memory = 0 })
  end)

  it("decode names a deep place in a few words", function()
    local deep = print
    for _ = 1, 1000 do deep = { deep } end
    local err = refused("Usage", "a function", json.encode, deep, { depth = 2000 })
    equal(#err.message < 200, true, err.message)
    local key = { [("k"):rep(100000)] = print }
    equal(#refused("Usage", "a function", json.encode, key).message < 200, true)
    equal(task.is(err, "Usage"), true)
  end)
end)
