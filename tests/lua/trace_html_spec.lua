-- SPDX-License-Identifier: MIT
-- septet.trace.html: the page as text. What it shows is tested in tests/browser.
local private = debug.getregistry()["septet.require"] -- of private modules
local base64 = require "septet.hash".base64
local core = private "septet.core"
local html = private "septet.trace.html"
local model = private "septet.trace.model"
local columns = private "septet.trace.report.columns"
local stats = private "septet.trace.report.stats"
local text = private "septet.trace.report.text"
local json, model_of = require "septet.json", require "trace_model"

local function page_of(m, options)
  local pieces = {}
  html(m, function(piece) pieces[#pieces + 1] = piece end, options)
  return table.concat(pieces)
end

local function data_of(page)
  return json.decode(page:match '<script id="data" type="application/json">(.-)</script>')
end

local function xfer(time, fields)
  local e = { "xfer", time, 1, method = "GET", url = "http://a.example/", status = 200, bytes = 10,
    protocol = 11, reused = false, total = 0.5, wait = 0.5, resend = 0 }
  for field, value in pairs(fields) do e[field] = value end
  return e
end

-- A task with requests of 1, 2, ... n tenths of a second.
local function requests(n)
  local events = { { "spawn", 0, 1, parent = 0, defined = "a.lua:1" } }
  for i = 1, n do
    events[i + 1] = xfer(i, { ref = i, request = i, total = i / 10, wait = i / 10 })
  end
  events[n + 2] = { "end", n + 1 + n / 10, 1, outcome = "ok" }
  return model_of(events)
end

local HOSTILE = "</script><img onerror=alert(1)> \u{2028}\u{202E} \27[2J \0 \xff \"\\&"

describe("report", function()
  it("is one page whose policy permits its own style and script, and nothing else", function()
    local page = page_of(requests(3))
    equal(page:find("@[a-z_]+@"), nil)
    local policy = page:match 'Content%-Security%-Policy" content="(.-)"'
    local start = "default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-"
    equal(policy:sub(1, #start), start)
    for source, inline in pairs {
      ["style-src"] = page:match "<style>(.-)</style>",
      ["script-src"] = page:match "<script>(.-)</script>",
    } do
      local hex = core.digest("sha256", inline)
      local bytes = hex:gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end)
      local permitted = ("%s 'sha256-%s'"):format(source, base64(bytes))
      equal(policy:find(permitted, 1, true) ~= nil, true)
    end
    local shell = page:gsub('<script id="data".-</script>', "")
    shell = shell:gsub("http://www.w3.org/2000/svg", "")
    for _, barred in ipairs { "https?://", "<link", " style=", " on%w+=", " src=", "url%(" } do
      equal(shell:find(barred), nil)
    end
  end)

  it("is the same for the same trace", function()
    equal(page_of(requests(20)) == page_of(requests(20)), true)
  end)

  it("holds what a trace says as text, whatever that is", function()
    local m = model_of({
      { "spawn", 0, 1, parent = 0, defined = HOSTILE },
      { "name", 0, 1, name = HOSTILE },
      { "wait", 0, 1, what = HOSTILE, at = HOSTILE },
      xfer(0, { url = "http://a.example/" .. HOSTILE, code = HOSTILE, method = HOSTILE }),
      { "span_begin", 0, 1, ref = 1, name = HOSTILE, at = HOSTILE },
      { "mark", 0, 1, name = HOSTILE, value = HOSTILE },
      { "end", 1, 1, outcome = "error", error = HOSTILE },
    }, { script = HOSTILE, version = HOSTILE })
    local page = page_of(m)
    local scripts, ends, images = 0, 0, page:find "<img"
    for _ in page:gmatch "<script" do scripts = scripts + 1 end
    for _ in page:gmatch "</script" do ends = ends + 1 end
    equal({ scripts, ends, images }, { 2, 2, nil })
    equal(page:find "[\0\27\xff]", nil)
    equal(page:find("\u{2028}", 1, true), nil)
    equal(utf8.len(page) ~= nil, true)
    equal(data_of(page).about.script, text.plain(HOSTILE))
  end)

  it("of an empty trace is a page", function()
    local data = data_of(page_of(model.new():finish()))
    equal({ data.spans_of_trace, data.stats.attempts, #data.stats.hosts }, { 0, 0, 0 })
  end)

  it("has percentiles that some request took", function()
    local figures = stats.of(requests(100)).latency.rows[1]
    equal({ figures.count, figures.p50, figures.p90, figures.p99, figures.max },
      { 100, 5000000, 9000000, 9900000, 10000000 })
    figures = stats.of(requests(1)).latency.rows[1]
    equal({ figures.count, figures.p50, figures.p99, figures.max }, { 1, 100000, 100000, 100000 })
  end)

  it("counts each response once in its histogram", function()
    for _, n in ipairs { 1, 2, 100 } do
      local histogram, sum = stats.of(requests(n)).latency.histogram, 0
      for _, bar in ipairs(histogram.counts) do sum = sum + bar end
      equal(sum, n)
      equal(histogram.low <= 100000 and histogram.high >= n * 100000, true)
    end
  end)

  it("counts the requests at once that had left the queue", function()
    local events = { { "spawn", 0, 1, parent = 0 } }
    for i = 1, 6 do -- of two at a time
      local queue = (i - 1) // 2 / 2
      events[#events + 1] = xfer(0, { ref = i, request = i, queue = queue, total = queue + 0.5 })
    end
    equal(stats.of(model_of(events)).peak_requests, 2)
  end)

  it("takes redirects and retries as one request, and the last attempt as its outcome", function()
    local figures = stats.of(model_of {
      { "spawn", 0, 1, parent = 0 },
      xfer(0, { ref = 1, request = 1, status = 302 }),
      xfer(1, { ref = 2, request = 1, resend = 1, url = "http://b.example/" }),
      xfer(2, { ref = 3, request = 2, status = 0, code = "timeout", phase = "connect" }),
      xfer(3, { ref = 4, request = 2, resend = 1, status = 503 }),
      xfer(4, { ref = 5, request = 3, status = 0, code = "cancelled" }),
      { "end", 5, 1, outcome = "ok" },
    })
    equal(figures.requests, { ok = 1, refused = 1, failed = 0, cancelled = 1, open = 0 })
    equal({ figures.attempts, figures.latency.rows[1].count, figures.latency.rows[1].max },
      { 5, 3, 1500000 })
    equal({ figures.hosts[1].name, figures.hosts[1].attempts, figures.hosts[2].name },
      { "a.example:80", 4, "b.example:80" })
    local classes = {}
    for i, row in ipairs(figures.errors) do classes[i] = row.class end
    equal(classes, { "status 503", "timeout, while connect" })
  end)

  it("of a long trace holds what failed, what took longest, and an even sample", function()
    local events = { { "spawn", 0, 1, parent = 0 } }
    for i = 2, 1001 do
      local start, length = i / 10, i % 100 == 7 and 5 or 0.05
      local outcome = i % 250 == 1 and "error" or "ok"
      events[#events + 1] = { "spawn", start, i, parent = 1 }
      events[#events + 1] = { "end", start + length, i, outcome = outcome, error = "error" }
    end
    table.sort(events, function(a, b) return a[2] < b[2] end)
    local data, m = {}, model_of(events)
    columns.add(data, m, 100)
    equal({ data.sampled, data.spans_of_trace }, { true, 1001 })
    local kept, id = {}, 0
    for _, step in ipairs(data.tasks.id) do
      id = id + step
      kept[id] = true
    end
    for _, failed in ipairs { 251, 501, 751, 1001 } do equal(kept[failed], true) end
    for slow = 7, 1001, 100 do equal(kept[slow], true) end
    local n, last, widest = 0, 0, 0
    for i = 1, 1001 do
      if kept[i] then
        n, widest, last = n + 1, math.max(widest, i - last), i
      end
    end
    equal({ n <= 102, n >= 90, widest < 60 }, { true, true, true })
    equal(#data.tasks.id, n)
    equal(data.tasks.parent[2], 0) -- its parent is kept, in the first row
  end)
end)

describe("text of the report", function()
  it("is JSON that other readers read", function()
    local pieces, many = {}, {}
    for i = 1, 10000 do many[i] = i end
    local nested = { { x = 1.5 }, { x = true } }
    local value = { s = "a\"\\</&\n", many = many, nested = nested, none = {} }
    text.json(value, function(piece) pieces[#pieces + 1] = piece end)
    local read = json.decode(table.concat(pieces))
    equal({ read.s, #read.many, read.many[10000], read.nested[1].x, read.nested[2].x, #read.none },
      { "a\"\\</&\u{240A}", 10000, 10000, 1.5, true, 0 })
  end)

  it("shows control characters and bytes that are no text", function()
    equal(text.plain "a\27b\127\xffc\u{202E}é", "a\u{241B}b\u{2421}\u{FFFD}c\u{FFFD}é")
    equal(text.html '<a href="x">&', "&lt;a href=&quot;x&quot;&gt;&amp;")
  end)
end)
