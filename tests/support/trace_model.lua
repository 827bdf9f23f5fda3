-- SPDX-License-Identifier: MIT
-- Makes models of events that a test lists: model_of { { kind, time, task, field = value }, ... }.
local model = debug.getregistry()["septet.require"] "septet.trace.model"

return function(events, meta)
  local m = model.new(meta)
  for _, e in ipairs(events) do
    e.kind, e.time, e.task = e.kind or e[1], e.time or e[2], e.task or e[3]
    m:add(e)
  end
  return m:finish()
end
