-- SPDX-License-Identifier: MIT
-- pages.lua FOLDER: writes the reports that test_report.py looks at, and numbers.json, what they
-- should show. It counts for itself, and not with the report's own functions.
local folder = ...
local private = debug.getregistry()["septet.require"] -- of private modules
local model = private "septet.trace.model"
local html = private "septet.trace.html"
local json = require "septet.json"
local here = arg[0]:match "^(.*)/[^/]*$"
local plain_model = dofile(here .. "/../support/trace_model.lua")
local make_events = dofile(here .. "/../../bench/trace_events.lua")

local function model_of(events, meta)
  return plain_model(events, meta or { version = "0.1.0", pid = 42, script = "scripts/crawl.lua" })
end

local function write_page(name, m, options)
  local file <close> = assert(io.open(("%s/%s.html"):format(folder, name), "w"))
  html(m, function(text) assert(file:write(text)) end, options)
end

-- --- a large one ---

local function us(seconds)
  return math.floor(seconds * 1e6 + 0.5)
end

local function numbers_of(events)
  local times, hosts, numbers = {}, {}, { requests = 0, failed = 0, refused = 0, tasks = 0 }
  for _, e in ipairs(events) do
    if e.kind == "spawn" then numbers.tasks = numbers.tasks + 1 end
    if e.kind == "xfer" then
      numbers.requests = numbers.requests + 1
      local host = e.url:match "//([^/]*)" .. ":443"
      hosts[host] = (hosts[host] or 0) + 1
      times[#times + 1] = us(e.total)
      if e.code then
        numbers.failed = numbers.failed + 1
      elseif e.status >= 400 then
        numbers.refused = numbers.refused + 1
      end
    end
  end
  table.sort(times)
  numbers.hosts, numbers.times = hosts, times
  return numbers
end

local events = make_events(20000, 7)
local numbers = numbers_of(events)
local large = model_of(events)
write_page("large", large)
write_page("sampled", large, { spans = 3000 })

-- --- three models as spans of the script ---

local function get(list, task, start, total, ref)
  list[#list + 1] = { "wait", start, task, what = "http GET http://a.example/" .. ref, ref = ref,
    at = "m.lua:5" }
  list[#list + 1] = { "xfer", start, task, ref = ref, request = ref, method = "GET", total = total,
    url = "http://a.example/" .. ref, status = 200, bytes = 5, protocol = 11, wait = total,
    reused = false }
  list[#list + 1] = { "ready", start + total, task, by = 0, cancelled = false }
end

local list = { { "spawn", 0, 1, parent = 0, defined = "m.lua:1" }, { "name", 0, 1, name = "main" } }
local function span(name, from, till, fill)
  list[#list + 1] = { "span_begin", from, 1, ref = #list, name = name }
  local ref = #list - 1
  fill()
  list[#list + 1] = { "span_end", till, 1, ref = ref }
end
span("one by one", 1, 4, function()
  for i = 1, 3 do get(list, 1, i, 1, i) end
end)
span("together", 4, 5, function()
  for i = 2, 4 do
    list[#list + 1] = { "spawn", 4, i, parent = 1, defined = "m.lua:9" }
    get(list, i, 4, i / 4, 10 + i)
    list[#list + 1] = { "mark", 4 + i / 8, i, name = "half of it", value = i / 2 }
    list[#list + 1] = { "end", 4 + i / 4, i, outcome = "ok" }
  end
  list[#list + 1] = { "wait", 4, 1, what = "scope of 3 tasks" }
  list[#list + 1] = { "ready", 5, 1, by = 0 }
end)
for i = 1, 3 do
  list[#list + 1] = { "job", 5, 1, queue = "crawl.db", step = "taken", key = "k" .. i, attempt = 1,
    seconds = 2 }
  list[#list + 1] = { "job", 5.25, 1, queue = "crawl.db", step = i == 3 and "dead" or "done",
    key = "k" .. i, attempt = 1, seconds = 0.25 }
end
list[#list + 1] = { "job", 5.25, 1, queue = "other", step = "put", count = 2, new = 1 }
span("after", 5, 5.5, function() get(list, 1, 5, 0.5, 20) end)
list[#list + 1] = { "end", 6, 1, outcome = "ok" }
for i, e in ipairs(list) do e.order = i end
table.sort(list, function(a, b)
  if a[2] ~= b[2] then return a[2] < b[2] end
  return a.order < b.order
end)
write_page("panels", model_of(list))

-- --- small and bad ones ---

write_page("empty", model.new():finish())
write_page("one", model_of {
  { "spawn", 0, 1, parent = 0, defined = "one.lua:1" },
  { "end", 1, 1, outcome = "ok" },
})
write_page("open", model_of {
  { "spawn", 0, 1, parent = 0, defined = "cut.lua:1" },
  { "wait", 0.5, 1, what = "http GET http://a.example/never", ref = 1 },
  { "sample", 2, 0, live = 1, ready = 0, in_flight = 1, queued = 0, memory = 1, idle = 1 },
})
local HOSTILE = '</script><script>hacked = 1</script><img src=x onerror="hacked = 2">'
  .. "\u{2028}\u{202E}\27[31m\0'\"&amp;\xff"
write_page("hostile", model_of({
  { "spawn", 0, 1, parent = 0, defined = HOSTILE },
  { "name", 0, 1, name = HOSTILE },
  { "span_begin", 0, 1, ref = 1, name = HOSTILE, at = HOSTILE },
  { "wait", 0, 1, what = "http GET " .. HOSTILE, at = HOSTILE, ref = 1 },
  { "xfer", 0, 1, ref = 1, method = HOSTILE, url = "http://a.example/" .. HOSTILE, total = 1,
    status = 0, code = HOSTILE, phase = HOSTILE, bytes = 0, at = HOSTILE, peer = HOSTILE },
  { "ready", 1, 1, by = 0 },
  { "span_end", 1, 1, ref = 1, failed = true },
  { "job", 1, 1, queue = HOSTILE, step = "lost", key = HOSTILE, attempt = 1, seconds = 1 },
  { "end", 2, 1, outcome = "error", error = HOSTILE, code = HOSTILE },
}, { script = HOSTILE, version = HOSTILE, pid = 1 }))

local file <close> = assert(io.open(folder .. "/numbers.json", "w"))
file:write(json.encode(numbers))
