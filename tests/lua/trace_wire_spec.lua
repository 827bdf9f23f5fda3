-- SPDX-License-Identifier: MIT
-- septet.trace.har and .otlp with random events: lost, repeated, out of order, and hostile.
local json = require "septet.json"
local private = debug.getregistry()["septet.require"] -- of private modules
local model, har, otlp = private "septet.trace.model", private "septet.trace.har",
  private "septet.trace.otlp"

-- A generator of its own: math.random differs from run to run.
local state
local function random(n)
  state = (state * 6364136223846793005 + 1442695040888963407) & -1
  return (state >> 33) % n
end

local function one_of(...)
  return (select(random(select("#", ...)) + 1, ...))
end

local function text()
  return one_of("", "x", "\xFF\0\27[31m", "<gone>", "a=b&c", ("é"):rep(300), '"\\\n', "http://h/")
end

local function seconds()
  return one_of(nil, 0, 1e-7, 0.1, 1, 3.0000001, 1e5, -1, 0 / 0)
end

-- Functions that return the fields of an event by kind.
local fields = {
  clock = function() return { unix_ns = one_of(0, 1766426787123456789, -5) } end,
  spawn = function()
    return { parent = random(5), defined = one_of(nil, "a.lua:1", "[C]", text()) }
  end,
  name = function() return { name = text() } end,
  ready = function() return { by = random(5), cancelled = random(2) == 0 } end,
  wait = function()
    return { what = one_of("http GET http://h/", "http", text()), ref = random(9) }
  end,
  run = function() return { duration = seconds() or 0, left = one_of("wait", "yield", "end") } end,
  span_begin = function() return { ref = random(9), name = text(), at = one_of(nil, text()) } end,
  span_end = function() return { ref = random(9), failed = random(2) == 0 } end,
  mark = function() return { name = text(), value = one_of(nil, 1, 0 / 0, math.huge, 2.5) } end,
  lost = function() return { count = random(100) } end,
  head = function()
    return { ref = random(9), which = one_of("request", "response"),
      text = one_of("HTTP/1.1 200 OK\r\nCookie: a\r\n b\r\n\r\n", ": \r\n:\n\r\r", text()) }
  end,
  body = function()
    return { ref = random(9), which = one_of("request", "response"), text = text(),
      cut = random(2) == 0 }
  end,
  phase = function() return { ref = random(9), phase = one_of("dns", "tls", text()) } end,
  xfer = function()
    return { ref = random(9), method = one_of(nil, "GET", text()), url = one_of(nil, "http://h/",
      "https://u:p@[::1]:1/?sig=x&&=#", "http://h:99999999999999999999/", text()),
      status = one_of(nil, 0, 200, 404, 65535), protocol = one_of(nil, 0, 11, 20, 99),
      bytes = one_of(nil, 0, 1 << 62), sent = one_of(nil, 5),
      code = one_of(nil, "cancelled", text()), phase = one_of(nil, "connect", text()),
      resend = one_of(nil, 0, 3), request = random(4),
      connection = one_of(nil, 7), peer = one_of(nil, "1.2.3.4:5", "[::1]:9", "/run/x", text()),
      total = seconds(), dns = seconds(), tcp = seconds(), tls = seconds(), send = seconds(),
      wait = seconds(), receive = seconds(), queue = seconds() }
  end,
}
fields["end"] = function()
  return { outcome = one_of("ok", "error", "cancelled"), error = one_of(nil, text()),
    code = one_of(nil, text()) }
end

local kinds = {}
for kind in pairs(fields) do kinds[#kinds + 1] = kind end
table.sort(kinds)

local function random_model(seed)
  state = seed
  local m = model.new { version = text(), pid = random(9), script = one_of(nil, text()) }
  for _ = 1, random(60) do
    local kind = one_of("xfer", "spawn", kinds[random(#kinds) + 1])
    local event = fields[kind]()
    event.kind, event.time, event.task = kind, seconds() or 0, random(5)
    m:add(event)
  end
  return m:finish()
end

local function written(exporter, m, options)
  local pieces = {}
  exporter(m, function(piece) pieces[#pieces + 1] = piece end, options)
  return table.concat(pieces)
end

describe("random events", function()
  it("HAR is JSON, its timings add up, and none is negative", function()
    for seed = 1, 150 do
      local out = written(har, random_model(seed), { sanitize = seed % 2 == 0 })
      equal(out, written(har, random_model(seed), { sanitize = seed % 2 == 0 }))
      for _, e in ipairs(json.decode(out).log.entries) do
        local t, sum = e.timings, 0
        for name, value in pairs(t) do
          equal(value >= 0 or value == -1, true)
          if name ~= "ssl" and value > 0 then sum = sum + value end
        end
        equal(math.abs(sum - e.time) < 1e-6 * math.max(1, sum), true)
      end
      equal(out:find "[\0-\9\11-\31\127]", nil)
    end
  end)

  it("OTLP is JSON, and no span ends before it begins", function()
    for seed = 1, 150 do
      local out = written(otlp, random_model(seed), { seed = seed })
      for line in out:gmatch "[^\n]+" do
        for _, span in ipairs(json.decode(line).resourceSpans[1].scopeSpans[1].spans) do
          equal(#span.spanId == 16 and math.tointeger(span.endTimeUnixNano)
            >= math.tointeger(span.startTimeUnixNano), true)
        end
      end
      json.decode(written(otlp, random_model(seed), { signal = "metrics" }))
    end
  end)
end)
