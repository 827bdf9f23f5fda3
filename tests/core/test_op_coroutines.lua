-- SPDX-License-Identifier: MIT
-- The scripts of test_op_coroutines.c, by name.
-- check: globals fake, depth
-- check: allow global-in-function
local scripts = {}

function scripts.in_a_coroutine_keeps_the_scripts_own_yields()
  local gen = coroutine.wrap(function(x)
    log(x)
    fake "a"
    log(coroutine.yield(1))
    fake "b"
    coroutine.yield(2)
    fake "c"
    return 3
  end)
  log(gen("x"))
  log(gen("y"))
  log(gen())
end

function scripts.nest()
  local function down(n)
    if n == 0 then
      return fake "a"
    elseif n % 2 == 0 then
      return coroutine.wrap(down)(n - 1)
    end
    local co = coroutine.create(down)
    local r = table.pack(coroutine.resume(co, n - 1))
    if not r[1] then
      error(r[2], 0)
    end
    return table.unpack(r, 2, r.n)
  end
  T = core.spawn(function()
    log(down(depth))
  end)
  log(try(T.await, T))
end

return scripts
