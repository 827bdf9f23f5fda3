-- SPDX-License-Identifier: MIT
-- The steps of jobs in the trace: records, lines, totals and what exporters make of them.
local private = debug.getregistry()["septet.require"] -- of private modules
local lines, seen = private "septet.trace.lines", private "septet.jobs.seen"
local job_steps, summary = private "septet.trace.job_steps", private "septet.trace.summary"
local model = private "septet.trace.model"
local json, task, trace = require "septet.json", require "septet.task", require "septet.trace"

-- Returns the events of jobs that fn() records, at a level.
local function events_of(fn, level)
  local events = {}
  local stop = trace.subscribe(function(e)
    if e.kind == "job" then events[#events + 1] = e end
  end, { level = level })
  task.sleep(0)
  fn()
  task.sleep(0.001)
  stop()
  return events
end

local function steps()
  seen.put("crawl.db", 30, 7)
  seen.put("crawl.db", 1, 1, "https://a.test/")
  seen.taken("crawl.db", "https://a.test/", 2, 3.5)
  for _, how in ipairs { "done", "dropped", "retry", "dead", "back", "lost" } do
    seen.ended("crawl.db", how, "https://a.test/", 2, 0.25)
  end
  seen.lost("crawl.db", { { key = "https://a.test/", attempt = 2, died = false },
    { key = "https://b.test/", attempt = 5, died = true } })
end

describe("jobs in the trace", function()
  it("law_12: each put, take, end, retry, death and lost lease is a record", function()
    local events = events_of(steps)
    local words = {}
    for i, e in ipairs(events) do
      words[i] = e.step
      equal(e.queue, "crawl.db")
    end
    equal(table.concat(words, " "),
      "put put taken done dropped retry dead back lost recovered buried")
    equal({ events[1].new, events[1].count, events[1].key }, { 7, 30, nil })
    equal({ events[2].new, events[2].count, events[2].key }, { 1, 1, "https://a.test/" })
    equal({ events[3].attempt, events[3].seconds }, { 2, 3.5 })
    equal({ events[4].attempt, events[4].seconds, events[4].key }, { 2, 0.25, "https://a.test/" })
    equal({ events[11].attempt, events[11].seconds, events[11].key }, { 5, 0.0, "https://b.test/" })
  end)

  it("the lowest level has no keys", function()
    for _, e in ipairs(events_of(steps, 1)) do equal(e.key, nil) end
  end)

  it("a key keeps no secret of a URL, and may be any bytes", function()
    local events = events_of(function()
      seen.taken("q", "https://u:hush@a.test/?token=hush&x=1", 1, 0)
      seen.taken("q", ("\0\xFF"):rep(4000), 1, 0)
      seen.taken("q", ("k"):rep(8192), 1, 0)
    end)
    equal(events[1].key:find("hush", 1, true), nil)
    equal(events[1].key:match "^https://a%.test/%?token=", "https://a.test/?token=")
    equal(#events, 3)
    equal(#events[3].key <= 1024, true)
  end)

  it("numbers that do not fit are cut, and nonsense is nothing", function()
    local events = events_of(function()
      seen.put("q", 1 << 50, 1 << 40)
      seen.taken("q", "k", -1, -5)
      seen.taken("q", "k", 1, 0 / 0)
      seen.taken("q", "k", 1, math.huge)
    end)
    equal({ events[1].new, events[1].count }, { 0xffffff, 0xffffffffff })
    equal({ events[2].attempt, events[2].seconds }, { 0, 0.0 })
    equal(events[3].seconds, 0.0)
    equal(events[4].seconds, 0.0)
  end)

  it("each step has a line, and a filter finds them", function()
    local function text_of(filter)
      local out = {}
      local add = lines.new(function(text) out[#out + 1] = text:sub(35) end, { filter = filter })
      for _, e in ipairs(events_of(steps)) do add(e) end
      return table.concat(out)
    end
    local all = text_of {}
    equal(all, [[
put    crawl.db  7 new of 30
put    crawl.db  https://a.test/  1 new of 1
taken  crawl.db  https://a.test/  attempt 2, queued for 3500.0 ms
done   crawl.db  https://a.test/  attempt 2, ran for 250.0 ms
dropped crawl.db  https://a.test/  attempt 2, ran for 250.0 ms
retry  crawl.db  https://a.test/  attempt 2, ran for 250.0 ms
dead   crawl.db  https://a.test/  attempt 2, ran for 250.0 ms
back   crawl.db  https://a.test/  attempt 2, ran for 250.0 ms
lost   crawl.db  https://a.test/  attempt 2, ran for 250.0 ms
recovered crawl.db  https://a.test/  attempt 2, its worker was lost
buried crawl.db  https://b.test/  attempt 5, its worker was lost
]])
    equal(text_of { "job" }, all)
    equal(text_of { "mark" }, "")
    equal(select(2, text_of { "a.test" }:gsub("\n", "")), 9)
  end)

  it("law_12: the summary counts them by queue", function()
    local collector = summary.collector()
    for _, e in ipairs(events_of(steps)) do collector:add(e) end
    local text, line = {}, {}
    collector:print(function(piece) text[#text + 1] = piece end, {})
    collector:print(function(piece) line[#line + 1] = piece end, { json = true })
    local shown = table.concat(text)
    equal(shown:match "  queue  [^\n]*\n[^\n]*\n", [[
  queue     put  new  taken  done  dropped  failed  dead  lost  back  ran p50
  crawl.db   31    8      1     1        1       2     2     1     1   250 ms
]])
    equal(shown:find("warning: 2 jobs are dead, the lease of 1 job was lost, of the queue crawl.db",
      1, true) ~= nil, true, shown)
    local jobs = json.decode(table.concat(line)).jobs
    equal(#jobs, 1)
    local row = jobs[1]
    equal({ row.queue, row.put, row.new, row.taken, row.done, row.dropped, row.failed, row.retried,
      row.dead, row.back, row.lost, row.recovered },
      { "crawl.db", 31, 8, 1, 1, 1, 2, 1, 2, 1, 1, 1 })
    equal({ row.waited.count, row.ran.count }, { 1, 4 })
  end)

  it("the rows of queues are bounded", function()
    local rows = {}
    for i = 1, 3000 do
      job_steps.add(rows, { step = "put", queue = "q" .. i, count = 1, new = 1 })
    end
    equal(#rows, 1001)
    equal(job_steps.by_steps(rows)[1].name, "(others)")
    equal(rows["(others)"].put, 2000)
  end)

  it("in a model they are marks of their task", function()
    local m = model.new()
    for _, e in ipairs(events_of(steps)) do m:add(e) end
    m:finish()
    equal(#m.jobs, 11)
    equal(#m.marks, 11)
    equal({ m.marks[1].name, m.marks[1].value }, { "job put", 7 })
    equal({ m.marks[4].name, m.marks[4].value }, { "job done", "https://a.test/" })
  end)

  it("an unknown step of a later version, or of a damaged file, does no harm", function()
    local m = model.new()
    m:add { kind = "job", time = 1, task = 0, step = "?", queue = "q" }
    m:add { kind = "job", time = 1, task = 0 }
    equal(#m:finish().jobs, 2)
    local collector = summary.collector()
    for _, e in ipairs(m.jobs) do collector:add(e) end
    collector:print(function() end, {})
  end)
end)
