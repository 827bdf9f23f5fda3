-- SPDX-License-Identifier: MIT
-- The scripts of test_op_refused.c, by name.
-- check: globals fake
local scripts = {}

function scripts.refused_in_a_hook()
  local e
  debug.sethook(function()
    debug.sethook()
    local _
    _, e = pcall(fake, "a")
  end, "l")
  local _ = 1
  log(kind(e), e.message)
end

function scripts.in_a_lua_metamethod_waits()
  local t = setmetatable({}, {
    __index = function(_, k)
      return (fake(k))
    end,
    __add = function()
      return (fake "b")
    end,
  })
  log(t.a, t + t)
end

return scripts
