-- SPDX-License-Identifier: MIT
-- Finalizers that spawn and cancel, from then on, in whatever allocation runs them.
tasks = setmetatable({}, { __mode = "v" })
meddled = 0

local function meddle()
  setmetatable({}, {
    __gc = function()
      meddled = meddled + 1
      if meddled > 3000 then
        return
      end
      if core.current() then
        local bare = meddled % 4 == 0 -- without a coroutine of its own
        tasks[meddled] = core.background(bare and core.sleep or function() core.sleep(3) end, 3)
      end
      if meddled % 3 == 0 then
        for _, t in pairs(tasks) do
          t:cancel("meddled")
          break
        end
      end
      try(core.sleep, 1)
      meddle()
    end,
  })
end

meddle()
