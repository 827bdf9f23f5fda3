-- SPDX-License-Identifier: MIT
-- The scripts of test_op.c, by name.
-- check: globals fake
-- check: allow global-in-function
local scripts = {}

function scripts.spawn_cancellable()
  T = core.spawn(function()
    local ok, e = pcall(fake, "a")
    if ok then
      log "ok"
    else
      log(kind(e), e.source, e.reason or "-")
    end
    log(try(fake, "b"))
  end)
  fake "main"
end

function scripts.awaited_in_close_during_an_error()
  local function body()
    local _ <close> = closer(function(_, e)
      log("closing", (fake "a"))
    end)
    error("the error", 0)
  end
  local ok, e = pcall(body)
  log(ok, e)
end

function scripts.task_with_children_that_absorbs_the_end_is_abandoned()
  core.spawn(function()
    local _ <close> = closer(function()
      log "child"
    end)
    fake "b"
  end)
  coroutine.wrap(function()
    while true do
      pcall(fake, "a")
    end
  end)()
end

return scripts
