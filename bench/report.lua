-- SPDX-License-Identifier: MIT
-- Writes the report of a large trace: septet bench/report.lua SPANS SEED FILE.
local spans, seed, path = ...
local require_private = debug.getregistry()["septet.require"]
local folder = arg[0]:match "^(.*)/[^/]*$" or "."
local model = require_private "septet.trace.model"
local html = require_private "septet.trace.html"

local m = model.new { version = "bench", pid = 1, script = "crawl.lua" }
for _, event in ipairs(dofile(folder .. "/trace_events.lua")(tonumber(spans), tonumber(seed))) do
  m:add(event)
end
m:finish()
local start = os.clock()
local file <close> = assert(io.open(path, "w"))
local bytes = 0
html(m, function(text)
  bytes = bytes + #text
  file:write(text)
end)
print(("%d bytes, %.3f s of CPU"):format(bytes, os.clock() - start))
