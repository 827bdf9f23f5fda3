-- SPDX-License-Identifier: MIT
-- septet.json: what is decoded is what was written, and what cannot be written is refused with its
-- place.
local http, json = require "septet.http", require "septet.json"
local origin = require "origin"
local refused = require("helpers").refused

describe("decode", function()
  it("decode keeps integers up to 64 bits integers", function()
    for text, value in pairs {
      ["0"] = 0, ["-1"] = -1, ["9007199254740993"] = 9007199254740993,
      ["9223372036854775807"] = math.maxinteger, ["-9223372036854775808"] = math.mininteger,
    } do
      equal({ json.decode(text), math.type(json.decode(text)) }, { value, "integer" })
    end
    equal(("/items/%s"):format(json.decode '{"id": 42}'.id), "/items/42")
  end)

  it("decode keeps floats floats", function()
    for text, value in pairs { ["1.0"] = 1.0, ["1e2"] = 100.0, ["-0.5"] = -0.5, ["1E-2"] = 0.01 } do
      equal({ json.decode(text), math.type(json.decode(text)) }, { value, "float" })
    end
  end)

  it("decode refuses numbers that 64 bits cannot hold", function()
    refused("JsonError", "too big integer", json.decode, "[9223372036854775808]")
    refused("JsonError", "too big negative integer", json.decode, "-9223372036854775809")
    refused("JsonError", "real number overflow", json.decode, "1e999")
  end)

  it("decode returns strings byte for byte", function()
    equal(json.decode [["a\"b\\c\/d\n\u00e9\ud83d\ude00"]], 'a"b\\c/d\né😀')
    equal(json.decode [["a\u0000b"]], "a\0b")
    equal(json.decode '""', "")
  end)

  it("decode returns booleans, null, arrays and objects", function()
    local value = json.decode [[
      {"yes": true, "no": false, "nothing": null, "list": [1, [2], {"a": 3}]}
    ]]
    equal({ value.yes, value.no, value.nothing == json.null }, { true, false, true })
    equal({ value.list[1], value.list[2][1], value.list[3].a, #value.list }, { 1, 2, 3, 3 })
    equal({ json.decode "null" == json.null, json.decode "true" }, { true, true })
  end)

  it("decode marks an empty array, which is no empty object", function()
    local value = json.decode '{"a": [], "o": {}}'
    equal({
      json.is_array(value.a), json.is_array(value.o), json.is_array(value), json.is_array(1),
    }, { true, false, false, false })
    equal(json.encode(value), '{"a":[],"o":{}}')
  end)

  it("decode takes the last of equal keys", function()
    equal(json.decode '{"a": 1, "a": 2}'.a, 2)
  end)

  it("decode says where a text is wrong", function()
    for text, place in pairs {
      ['{"a": 1,\n"b": }'] = { 2, 6, 15 }, ["[1, 2 3]"] = { 1, 7, 7 }, ["\n\n[tru]"] = { 3, 4, 6 },
      [""] = { 1, 1, 1 }, ["[1,\n"] = { 2, 1, 5 }, ["[1] 2"] = { 1, 5, 5 },
      ['["é\xff"]'] = { 1, 5, 5 }, ["\n\xff"] = { 2, 1, 2 }, ["\xef\xbb\xbf[1,]"] = { 1, 4, 7 },
    } do
      local words = ("bad JSON at line %d, column %d: "):format(place[1], place[2])
      local err = refused("JsonError", words, json.decode, text)
      equal({ err.line, err.column, err.position }, place, err.message)
    end
    for _, text in ipairs { "", " ", "{", "[1", "[1,]", '{"a"}', "{a: 1}", "nul", "1 2", "'a'",
      "[01]", '"a', '"\t"',
      "\xff", '"\xff"', '"\\ud800"', "NaN", "// a\n1", "\0", '"\0"' } do
      local wrong = refused("JsonError", "bad JSON at line 1, column", json.decode, text)
      equal({ math.type(wrong.line), math.type(wrong.column), math.type(wrong.position) },
        { "integer", "integer", "integer" })
    end
  end)

  it("decode refuses the keys that it cannot hold", function()
    refused("JsonError", "NUL byte in object key", json.decode, '{"a\\u0000b": 1}')
  end)

  it("decode skips a byte order mark", function()
    equal(json.decode("\xef\xbb\xbf[1]"), { 1 })
    refused("JsonError", "bad JSON", json.decode, "\xef\xbb\xbf")
    refused("JsonError", "bad JSON", json.decode, "[\xef\xbb\xbf]")
  end)

  it("decode limits how deep a text nests", function()
    local function nested(n) return ("["):rep(n) .. ("]"):rep(n) end
    local _ = json.decode(nested(128))
    local err = refused("JsonError", "nested too deeply", json.decode, nested(129))
    equal({ err.line, err.column, err.position }, { 1, 129, 129 })
    _ = json.decode(("["):rep(2047) .. "1" .. ("]"):rep(2047), { depth = 2047 })
    refused("JsonError", "nested too deeply", json.decode, nested(1000000), { depth = 2047 })
    equal(json.decode('"[[[["', { depth = 1 }), "[[[[")
    equal(json.decode('["\\"[[", []]', { depth = 2 })[1], '"[[')
  end)

  it("decode refuses values that are no text, and unknown options", function()
    refused("Usage", "string expected, got number", json.decode, 1)
    refused("Usage", "did you mean 'depth'?", json.decode, "1", { dept = 1 })
    refused("Usage", "bad option 'depth'", json.decode, "1", { depth = 0 })
  end)
end)

describe("encode", function()
  it("encode writes what decode returned unchanged", function()
    for _, text in ipairs { "1", "-1", "1.0", "0.1", "1e100", "9223372036854775807", "true", "null",
      '""', "[]", "{}",
      [["a\"b\\c\nd"]], '"\\u0000"', '"é😀"', '[1,[],{}]', '{"a":[null,true,1.5],"b":{"c":"d"}}' } do
      equal(json.encode(json.decode(text)), text)
    end
  end)

  it("encode keeps floats and integers apart, in the fewest digits", function()
    equal(json.encode { 1, 1.0, 0.1, 0.3, 1e15, -0.0 }, "[1,1.0,0.1,0.3,1e15,-0.0]")
    equal(json.encode { 0.25, 0.1 + 0.2 }, "[0.25,0.30000000000000004]")
    for _, n in ipairs { 1 / 3, 2 ^ 53 + 0.0, 5e-324, 1.7976931348623157e308, 0.1 + 0.2 } do
      equal(json.decode(json.encode(n)), n)
    end
  end)

  it("encode writes the same text for the same value", function()
    local value = {}
    for i = 1, 100 do value["key " .. i] = i end
    local text = json.encode(value)
    for _ = 1, 10 do
      local again = {}
      for i = 100, 1, -1 do again["key " .. i] = i end
      equal(json.encode(again), text)
    end
  end)

  it("encode makes arrays of tables with the keys 1 to n, and of marked ones", function()
    equal(json.encode { 1, "a", json.null }, '[1,"a",null]')
    equal({ json.encode {}, json.encode(json.array {}) }, { "{}", "[]" })
    equal(json.encode { json.array {}, {}, json.array { 1 } }, "[[],{},[1]]")
    equal(json.encode(nil), "null")
    equal({ json.encode "http://a/?b=c", json.encode "", json.encode("a", { indent = 2 }) },
      { '"http://a/?b=c"', '""', '"a"' })
    equal(json.encode 'a"b\\c\n\0é/', [["a\"b\\c\n\u0000é/"]])
    refused("Usage", "cannot encode the value: a string that is not UTF-8", json.encode, "a\xff")
  end)

  it("encode escapes a NUL, in keys, too", function()
    equal(json.encode { ["a\0c"] = "\0", ["a\0b"] = 1, a = 2 },
      [[{"a":2,"a\u0000b":1,"a\u0000c":"\u0000"}]])
  end)

  it("encode indents", function()
    equal(json.encode({ a = { 1 } }, { indent = 2 }), '{\n  "a": [\n    1\n  ]\n}')
    refused("Usage", "at most 31 expected, got 32", json.encode, 1, { indent = 32 })
  end)

  it("encode names the place of what it cannot write", function()
    refused("Usage", "cannot encode the value: a function", json.encode, print)
    refused("Usage", "cannot encode the value.a[2].b: a function",
      json.encode, { a = { 1, { b = print } } })
    refused("Usage", "the value[1]: a number that JSON", json.encode, { 0 / 0 })
    refused("Usage", "the value[1]: a number that JSON", json.encode, { math.huge })
    refused("Usage", "the value.s: a string that is not UTF-8", json.encode, { s = "\xff" })
    refused("Usage", "the value.s: a key that is not UTF-8", json.encode, { s = { ["\xff"] = 1 } })
    refused("Usage", "both strings and indices", json.encode, { 1, a = 2 })
    refused("Usage", "both strings and indices", json.encode, json.array { a = 2 })
    refused("Usage", "neither a string nor an index", json.encode, { [1.5] = 1 })
    refused("Usage", "without gaps", json.encode, { [3] = 1 })
    refused("Usage", "a thread", json.encode, { coroutine.create(print) })
    refused("Usage", "a userdata", json.encode, { io.stdout })
  end)

  it("encode refuses a value that contains itself", function()
    local value = { a = { 1, {} } }
    value.a[2].b = value.a
    refused("Usage", "cannot encode the value.a[2].b: a table that holds itself",
      json.encode, value)
    local shared = { 1 }
    equal(json.encode { shared, shared, { shared } }, "[[1],[1],[[1]]]")
  end)

  it("encode limits how deep a value nests", function()
    local deep = {}
    for _ = 1, 127 do deep = { deep } end
    equal(#json.encode(deep), 256)
    refused("Usage", "nested too deeply", json.encode, { deep })
    for _ = 1, 2047 - 128 do deep = { deep } end
    equal(json.encode(json.decode(json.encode(deep, { depth = 2047 }), { depth = 2047 }),
      { depth = 2047 }),
      ("["):rep(2046) .. "{}" .. ("]"):rep(2046))
    refused("Usage", "nested too deeply", json.encode, { deep }, { depth = 2047 })
  end)

  it("encode names the script's line", function()
    misuse("the value%.a: a function", function()
      local _ = json.encode { a = print }
    end)
  end)

  it("encode reads raw fields: a metatable changes nothing", function()
    equal(json.encode(setmetatable({ a = 1 },
      { __index = { b = 2 }, __pairs = error, __len = error })), '{"a":1}')
  end)
end)

describe("a response", function()
  it("json() of a response decodes its body", function()
    local session <close> = http.session()
    local said = session:post(origin.url .. "/echo?a=1", { body = json.encode { n = 1 } }):json()
    equal({ said.method, said.query, json.decode(said.body).n }, { "POST", "a=1", 1 })
  end)

  it("json() of a response raises JsonError for a bad body", function()
    local session <close> = http.session()
    local response = session:get(origin.url .. "/bytes/20")
    refused("JsonError", "bad JSON at line 1, column 1", response.json, response)
  end)
end)

describe("array", function()
  it("array refuses tables with a metatable, and other values", function()
    refused("Usage", "metatable of its own", json.array, setmetatable({}, {}))
    refused("Usage", "list expected", json.array, 1)
    local list = {}
    equal(json.array(json.array(list)) == list, true)
  end)
end)

describe("a call of encode or decode", function()
  it("inside of another one, by a finalizer, has a buffer of its own", function()
    local inner, meta = 0, {}
    function meta.__gc()
      local value = json.decode(json.encode { inner = { 1, "two" } })
      if value.inner[2] == "two" then inner = inner + 1 end
    end
    local value = { list = {} }
    for i = 1, 20 do value["key" .. i], value.list[i] = i, { i } end
    local expected = json.encode(value)
    for _ = 1, many(300) do
      for _ = 1, 50 do setmetatable({}, meta) end
      equal(json.encode(json.decode(json.encode(value))), expected)
    end
    collectgarbage()
    equal(inner > 0, true)
  end)

  it("after one that an error has interrupted begins anew", function()
    local cycle = { "a" }
    cycle[2] = cycle
    for _ = 1, 3 do
      raises(nil, json.encode, { text = ("x"):rep(100), cycle = cycle })
      equal(json.encode { a = 1 }, '{"a":1}')
      raises(nil, json.decode, '{"a":[1,2,')
      equal(json.decode '{"a":1}', { a = 1 })
    end
  end)

  it("writes whole numbers to the last digit", function()
    for _, n in ipairs { 0, 7, -7, 10, -10, 99, 100, math.maxinteger, math.mininteger } do
      equal(json.encode(n), ("%d"):format(n))
    end
  end)
end)
