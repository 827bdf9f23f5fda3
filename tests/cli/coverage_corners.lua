-- SPDX-License-Identifier: MIT
-- Statements of which the lines are hard to tell. Runs them all, and returns every function in it.
-- luacheck: ignore
local all = {}
local function keep(fn)
  all[#all + 1] = fn
  return fn
end
keep(keep)

local K <const>, LONG <const> = 3, [[
text
of lines]]
local FLAG <const> = false
local SUM <const> = K + 1
local up, other = 0, { n = { 1 } }

local strings = keep(function(...)
  local s = [[
a
]]
  local t = "a\
b\z
     c"
  s = s ..
    t ..
    LONG
  return s, #
    t, ...
end)
strings(1)

local calls = keep(function(f, ...)
  f(
    1,
    up,
    K
  )
  f { 1,
    a = up,
    [up] =
      2,
    f,
    ...
  }
  return f(
    ...
  )
end)
calls(keep(function() end))
calls(print and keep(function(...) return ... end), 1, 2)

local object = {}
object.add = keep(function(self, n)
  self.n = (self.n or 0) +
    n
  return self
end)
function object:chain(...)
  return self
    :add(1)
    :add(
      2
    )
    .add(
      self, ...
    )
end
keep(object.chain)
object:chain(4)

local loops = keep(function(n)
  for i = 1,
    n
  do
    up = up +
      i
  end
  for _, v in
    ipairs {
      n }
  do
    other[#other + 1] = v
  end
  while up
    > 100
  do
    up = up - 1
  end
  repeat
    local last = up
    up = up + 1
  until
    last >
    n
  repeat
    local closes <close> = setmetatable({}, { __close = keep(function() up = 0 end) })
    if closes and n > 0 then break end
  until n
end)
loops(2)

local jumps = keep(function(n)
  ::again::
  n = n - 1
  if n > 0 then
    goto again
  end
  do goto over end
  n = 5
  ::over::
  for i = 1, 2 do
    if i == 1
    then
      goto continue
    elseif FLAG then
      n = 1
    else
      n = 0
    end
    ::continue::
  end
  return n
end)
jumps(2)

local folded = keep(function(a)
  local x = a +
    SUM
  local y = -
    K ^
    2
  if FLAG then
    return "never"
  end
  while true do
    if x then break end
  end
  return x <
    K and y
    or not
    FLAG, a and
    x
    or
    y
end)
folded(1)

local logic = keep(function(a, b, c)
  local v = a and
    b or
    c
  if a
    and not b
    or c
  then
    v = a == b
      and c
  end
  up, other.n[1],
    other.m = v,
    a,
    b
  return v
    and a.b
    or (
      b)
end)
logic(nil, false, 1)

local nested = keep(function(...)
  local a <const>, b <const> = 1, 2
  local c
  local inner = keep(function(x)
    local deepest = keep(function()
      c = x +
        a +
        b
      return up, c
    end)
    return deepest(
      x)
  end)
  inner(
    ...)
  local _ENV = { keep = keep }
  local own = keep(function()
    global =
      1
    return global
  end)
  return own()
end)
nested(1)

local attribs = keep(function()
  local one <const>,
    two <close> = 1,
    nil
  local three <close> =
    setmetatable({},
      { __close = keep(function(_)
        up = 1 end) })
  return one,
    two, three
end)
attribs()

local empty = keep(function() end)
empty()
local one_line = keep(function(x) if x then return x end return not x end)
one_line(1)
local yields = coroutine.wrap(keep(function(n)
  while
    n do
    n = coroutine.yield(
      n)
  end
end))
yields(1)
yields(2)
yields(nil)

return all
