-- SPDX-License-Identifier: MIT
-- tests/support/compare.lua: what a spec that fails says.

-- The words of the error of equal(...), without its place.
local function words(...)
  local _, err = pcall(equal, ...)
  return err and err:gsub("^[^:]*:%d+: ", "") or nil
end

describe("equal", function()
  it("equal takes equal values, tables field by field, and two NaN", function()
    equal({ 1, { a = "x", b = {} }, 0 / 0 }, { 1, { a = "x", b = {} }, 0 / 0 })
    equal(nil, nil)
    equal(1, 1.0)
  end)

  it("equal shows both of two plain values, behind what the spec says of them", function()
    equal(words(1, "1"), 'expected "1", got 1')
    equal(words(false, nil, "the reader"), "the reader: expected nil, got false")
    equal(words({}, 1):gsub("0x%x+", "0x"), "expected 1, got {}")
  end)

  it("equal names each field that differs, the missing and the surplus ones too", function()
    equal(words({ 1, 3, 3 }, { 1, 2, 3 }),
      "[2]: expected 2, got 3\nexpected {1, 2, 3}\ngot      {1, 3, 3}")
    equal(words({ 1 }, { 1, 2 }), "[2]: expected 2, got nil\nexpected {1, 2}\ngot      {1}")
    equal(words({ 1, 2 }, { 1 }), "[2]: expected nil, got 2\nexpected {1}\ngot      {1, 2}")
    equal(words({ { kind = "a" } }, { { kind = "b" } }),
      '[1].kind: expected "b", got "a"\nexpected {{kind="b"}}\ngot      {{kind="a"}}')
    equal(words({ ["a-b"] = 1 }, { ["a-b"] = 2 }):match "^[^\n]*", '["a-b"]: expected 2, got 1')
    equal(words({ 1, 2, { 3 } }, { 1, 3, { 4 } }):match "^[^\n]*\n[^\n]*",
      "[2]: expected 3, got 2\n[3][1]: expected 4, got 3")
  end)

  it("equal names five differences of many", function()
    local got, expected = {}, {}
    for i = 1, 100 do got[i], expected[i] = i, -i end
    local lines = words(got, expected)
    equal(lines:match "%[5%]: expected %-5, got 5\n(.-)\n", "...")
    equal(lines:find "%[6%]", nil)
  end)
end)
