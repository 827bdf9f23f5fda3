-- The scripts of test_op_coroutines.c, by name.
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

return scripts
