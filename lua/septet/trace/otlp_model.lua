-- SPDX-License-Identifier: MIT
-- The spans of a finished trace for OpenTelemetry: which is part of which.
local otlp_model = {}

--- Returns the JSON of the spans of a trace: tasks, then scripts' spans, then requests.
---@param otlp table the module `septet.trace.otlp`
---@param context septet.OtlpContext
---@param model table
---@return string[]
function otlp_model.spans(otlp, context, model)
  local marks = {} -- lists by the task or the span
  for _, mark in ipairs(model.marks) do
    local owner = mark.span or mark.task
    if owner then
      marks[owner] = marks[owner] or {}
      table.insert(marks[owner], mark)
    end
  end

  -- Returns the id of a span, or else of a task, or nil.
  local function id_of(span, task)
    if span then return otlp.id(context, "span", span.ref) end
    return task and otlp.id(context, "task", task.id)
  end

  local list = {}
  for _, task in ipairs(model.tasks) do
    list[#list + 1] = otlp.task(context, task, id_of(task.span, task.parent), marks[task])
  end
  for _, span in ipairs(model.spans) do
    list[#list + 1] = otlp.span(context, span, id_of(span.outer, span.task), marks[span])
  end
  for _, request in ipairs(model.requests) do
    list[#list + 1] = otlp.request(context, request, id_of(request.span, request.task))
  end
  return list
end

return otlp_model
