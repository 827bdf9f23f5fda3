-- SPDX-License-Identifier: MIT
-- Measures how fast a recording of about a million events is decoded, at level 1 and at level 2.
--
--     septet bench/decode.lua
local task, trace = require "septet.task", require "septet.trace"

local decode = debug.getregistry()["septet.modules"]["septet.trace.decode"]

local EVENTS = 1000000

local items = {}
for i = 1, 100 do items[i] = i end

-- Returns the bytes of a recording.
local function record(level)
  local path = os.tmpname()
  local recording = trace.record(path, { level = level })
  for _ = 1, EVENTS // 1000 do -- a task has some ten events
    task.gather(task.map(function(i)
      trace.span("a span", task.sleep, 0)
      trace.count("items", i)
    end, items))
  end
  recording:close()
  local file <close> = assert(io.open(path, "rb"))
  os.remove(path)
  return file:read "a"
end

for level = 1, 2 do
  local bytes = record(level)
  local start, events = os.clock(), 0
  local _, at = assert(decode.head(bytes))
  while at <= #bytes do
    at = assert(decode.block(bytes, at, function() events = events + 1 end))
    task.sleep(0) -- else it would be a turn that is reported as too long
  end
  local seconds = os.clock() - start
  print(("level %d: %d events decoded in %.2f s of CPU, %.2f million/s, %.0f bytes each"):format(
    level, events, seconds, events / seconds / 1e6, #bytes / events))
end
