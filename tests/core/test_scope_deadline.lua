-- SPDX-License-Identifier: MIT
-- The scripts of test_scope_deadline.c, by name.
-- check: globals fake
-- check: allow global-in-function
local scripts = {}

function scripts.deadlines_that_fall_together_are_the_outers()
  local _, _, outer = block(false, false, 1, function()
    local _, e, inner = block(false, false, 1, function()
      fake "a"
    end)
    log("inner", inner)
    error(e, 0)
  end)
  log("outer", outer)
end

function scripts.deadline_in_force_is_the_earliest_up_to_a_shield()
  local function left()
    return core.deadline() - core.now()
  end
  log(left())
  block(false, false, 3, function()
    log(left())
    block(false, false, 5, function()
      log(left())
    end)
    block(false, false, 2, function()
      log(left())
    end)
    block(false, true, nil, function()
      log(left())
    end)
    block(true, false, nil, function(g)
      g:spawn(function()
        log(left())
      end)
    end)
    core.background(function()
      log(left())
    end)
    fake "a"
  end)
  log(core.deadline())
end

function scripts.extend_moves_the_deadline_of_all_below()
  T0 = core.now()
  block(true, false, 1, function(g)
    G = g
    g:spawn(function()
      block(false, false, nil, function()
        log(core.deadline() - T0)
        fake "a"
        log(core.deadline() - T0)
        pcall(fake, "b")
      end)
    end)
  end)
  log("ended", core.now() - T0)
end

return scripts
