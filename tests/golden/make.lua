-- SPDX-License-Identifier: MIT
-- septet tests/golden/make.lua: writes tests/golden/trace.trc, the trace of which every exporter
-- has a golden file. The events are invented, so that each kind is there and nothing of it changes.
-- To renew the golden files, run this and look at what changed before you commit them:
-- SEPTET_GOLDEN=write build/debug/septet tests/support/spec.lua tests/lua/trace_golden_spec.lua
local HERE = arg[0]:match "^(.*)/[^/]*$" or "."

local UNIT = "=I8I4I4BBI2I4i8"
local TEXT_BIT = 0x80000000
local NONE = -1 & 0xffffffff -- of a phase that did not take place

-- --- numbers, in the order of the sources ---

-- Returns the words of a list of macros in a header, numbered from 0.
local function words_of(header, macro)
  local file <close> = assert(io.open(HERE .. "/../../src/" .. header))
  local list = file:read "a":match("#define " .. macro .. "%(XX%)(.-)\n\n")
  local numbers, n = {}, 0
  for word in list:gmatch 'XX%([^,]*, "([^"]*)"' do
    numbers[word], n = n, n + 1
  end
  return numbers
end

local KINDS = words_of("core/trace.h", "SPT_REC_MAP")
local STEPS = words_of("core/trace.h", "SPT_JOB_STEP_MAP")
local PHASES = words_of("http/phase.h", "SPT_PHASE_MAP")
PHASES.admitted = 0
local LEFT = { wait = 0, yield = 1, ["end"] = 2 }
local OUTCOMES = { ok = 4, error = 5, cancelled = 6 }

-- --- blocks ---

local units, strings, by_string = {}, {}, {}

local function number_of(s, bit)
  if not s then return 0 end
  local key = bit .. s
  if not by_string[key] then
    by_string[key] = #strings + 1
    strings[#strings + 1] = string.pack("=I4I4", #strings + 1, #s | bit) .. s
  end
  return by_string[key]
end

local function string_of(s) return number_of(s, 0) end
local function text_of(s) return number_of(s, TEXT_BIT) end

local function place_of(at)
  if not at then return 0 end
  local source, line = at:match "^(.*):(%d+)$"
  return string_of(source) << 32 | tonumber(line)
end

local function ns(seconds) return math.floor((seconds or 0) * 1e9 + 0.5) end

local function double(x) return (string.unpack("=i8", string.pack("=d", x))) end

local function put(e, kind, fields)
  units[#units + 1] = string.pack(UNIT, ns(e.time), fields.task or e.task or 0, fields.ref or 0,
    KINDS[kind], fields.sub or 0, fields.extra or 0, fields.a or 0, fields.b or 0)
end

local function us(seconds)
  return seconds and math.floor(seconds * 1e6 + 0.5) or NONE
end

local function halves(high, low) return us(high) << 32 | us(low) end

local function bit(flag) return flag and 1 or 0 end

-- By kind: writes the units of an event.
local encode = {}

function encode.spawn(e)
  put(e, "spawn", { ref = e.parent, b = place_of(e.defined), extra = bit(e.at) })
  if e.at then put(e, "more", { b = place_of(e.at) }) end
end

function encode.wait(e)
  put(e, "wait", { ref = e.ref, sub = 1, a = text_of(e.what), b = place_of(e.at) })
end

function encode.ready(e) put(e, "ready", { ref = e.by, sub = bit(e.cancelled) }) end
function encode.run(e) put(e, "run", { sub = LEFT[e.left], b = ns(e.duration) }) end
function encode.cancel(e) put(e, "cancel", { ref = e.by, a = string_of(e.source) }) end
function encode.name(e) put(e, "name", { a = text_of(e.name) }) end
function encode.stuck(e) put(e, "stuck", {}) end
function encode.unhandled(e) put(e, "unhandled", { sub = bit(e.main) }) end
function encode.clock(e) put(e, "clock", { b = e.unix_ns }) end
function encode.span_end(e) put(e, "span_end", { ref = e.ref, sub = bit(e.failed) }) end
function encode.count(e) put(e, "count", { a = string_of(e.name), b = double(e.value) }) end
function encode.phase(e) put(e, "phase", { ref = e.ref, sub = PHASES[e.phase] }) end

encode["end"] = function(e)
  put(e, "end", { sub = OUTCOMES[e.outcome], a = string_of(e.error), ref = string_of(e.code) })
end

function encode.hog(e)
  local place = place_of(e.at)
  put(e, "hog", { b = ns(e.duration), ref = place >> 32, a = place & 0xffffffff })
end

function encode.span_begin(e)
  put(e, "span_begin", { ref = e.ref, a = text_of(e.name), b = place_of(e.at) })
end

function encode.mark(e)
  put(e, "mark", { a = text_of(e.name), sub = bit(e.value), b = e.value and double(e.value) })
end

function encode.job(e)
  local number, rest = e.attempt, us(e.seconds)
  if e.step == "put" then number, rest = e.new, e.count end
  put(e, "job", { ref = string_of(e.queue), sub = STEPS[e.step], a = e.key and text_of(e.key),
    b = number << 40 | rest })
end

function encode.sample(e)
  put(e, "sample", { task = e.live, ref = e.in_flight, a = e.queued, b = e.memory,
    extra = bit(e.idle) })
  if e.idle then put(e, "more", { b = ns(e.idle) }) end
end

function encode.head(e)
  put(e, "head", { ref = e.ref, sub = bit(e.which == "response"), a = text_of(e.text) })
end

function encode.body(e)
  put(e, "body", { ref = e.ref, sub = bit(e.which == "response"), a = text_of(e.text),
    b = bit(e.cut) })
end

function encode.xfer(e)
  put(e, "xfer", { ref = e.ref, sub = bit(e.reused), a = text_of(e.url), b = e.bytes, extra = 3 })
  units[#units + 1] = string.pack(UNIT, place_of(e.at), string_of(e.method), string_of(e.code),
    KINDS.more, e.protocol or 0, e.status or 0, string_of(e.phase), halves(e.queue, e.total))
  units[#units + 1] = string.pack(UNIT, halves(e.dns, e.tcp), us(e.tls), us(e.send), KINDS.more,
    bit(e.insecure), 0, e.resend or 0, halves(e.wait, e.receive))
  units[#units + 1] = string.pack(UNIT, e.sent or 0, e.request or 0, e.connection or 0, KINDS.more,
    0, 0, text_of(e.peer), 0)
end

-- Returns the block of the units since the last one, and begins another.
local function take_block(lost)
  local body = table.concat(units) .. table.concat(strings)
  local block = string.pack("=c4I4I4I4I4", "SPTB", 12 + #body, #units, #strings, lost) .. body
  units, strings, by_string = {}, {}, {}
  return block
end

-- --- the trace ---

local T = 100 -- the clock of the host when it begins
local events = {}

local function add(time, kind, task, e)
  e = e or {}
  e.time, e.kind, e.task = T + time, kind, task
  events[#events + 1] = e
end

add(0, "clock", 0, { unix_ns = 1766426787123456789 })
add(0, "spawn", 1, { parent = 0, defined = "work/crawl.lua:0" })
add(0, "name", 1, { name = "main" })
add(0, "sample", 0, { live = 1, in_flight = 0, queued = 0, memory = 204800, idle = 0.5 })
for i = 2, 5 do
  add(0.0004 + i / 1e6, "spawn", i, { parent = 1, defined = "work/crawl.lua:14",
    at = "work/crawl.lua:30" })
end
add(0.00041, "name", 3, { name = 'hostile "<b>\27[31m\u{9b}\u{202e}\xFF\nname' })
add(0.00045, "wait", 1, { ref = 2, what = "join #2 crawl.lua:14#2", at = "work/crawl.lua:31" })
add(0, "run", 1, { duration = 0.00046, left = "wait" })

-- 2: a redirect on a new connection, then the page on it, with headers and a body, and a span.
add(0.00052, "wait", 2, { ref = 2, what = "http GET https://example.com/1",
  at = "work/crawl.lua:9" })
add(0.00046, "run", 2, { duration = 0.000062001, left = "wait" })
add(0.00060, "wait", 3, { ref = 3, what = "http GET http://a.test/slow?q=<script>",
  at = "work/crawl.lua:9" })
add(0.000522001, "run", 3, { duration = 0.00008, left = "wait" })
add(0.00065, "wait", 4, { ref = 4, what = "http GET http://nowhere.invalid/",
  at = "work/crawl.lua:9" })
add(0.000602001, "run", 4, { duration = 0.00005, left = "wait" })
add(0.00070, "wait", 5, { ref = 5, what = "sleep inf s", at = "work/crawl.lua:20" })
add(0.000652001, "run", 5, { duration = 0.00005, left = "wait" })
for i, phase in ipairs { "dns", "connect", "tls", "send", "wait" } do
  add(0.0005 + i * 0.008, "phase", 2, { ref = 2, phase = phase })
end
add(0.0006, "phase", 2, { ref = 2, phase = "admitted" })
add(0.03, "phase", 3, { ref = 3, phase = "connect" })
add(0.0405, "head", 2, { ref = 2, which = "request",
  text = "GET /1 HTTP/2\r\nhost: example.com\r\naccept: */*\r\ncookie: <redacted>\r\n\r\n" })
add(0.0499, "head", 2, { ref = 2, which = "response",
  text = "HTTP/2 301\r\nlocation: https://example.com/2\r\ncontent-length: 0\r\n\r\n" })
add(0.05, "ready", 2, { by = 0, cancelled = false })
add(0.00051, "xfer", 2, { ref = 2, method = "GET", url = "https://example.com/1", status = 301,
  protocol = 20, bytes = 0, reused = false, total = 0.0495, queue = 0.000015, dns = 0.0021,
  tcp = 0.011, tls = 0.0234, send = 0.0001, wait = 0.0115, receive = 0.0002,
  at = "work/crawl.lua:9", request = 1, resend = 0, connection = 1,
  peer = "93.184.216.34:443", sent = 0 })
add(0.0502, "wait", 2, { ref = 6, what = "http GET https://example.com/2",
  at = "work/crawl.lua:9" })
add(0.0501, "run", 2, { duration = 0.0002, left = "wait" })
add(0.0505, "head", 2, { ref = 6, which = "request",
  text = "GET /2 HTTP/2\r\nhost: example.com\r\n\r\n" })
add(0.11, "head", 2, { ref = 6, which = "response",
  text = "HTTP/2 200\r\ncontent-type: text/html; charset=utf-8\r\nset-cookie: <redacted>\r\n\r\n" })
add(0.11, "body", 2, { ref = 6, which = "response", text = "<html>\u{20ac}", cut = false })
add(0.115, "body", 2, { ref = 6, which = "response", text = "</html>", cut = true })
add(0.118, "ready", 2, { by = 0, cancelled = false })
add(0.05021, "xfer", 2, { ref = 6, method = "GET", url = "https://example.com/2", status = 200,
  protocol = 20, bytes = 14213, reused = true, total = 0.0678, queue = 0, send = 0.00005,
  wait = 0.0579, receive = 0.0098, at = "work/crawl.lua:9", request = 1, resend = 1, connection = 1,
  peer = "93.184.216.34:443", sent = 0 })
add(0.1183, "span_begin", 2, { ref = 1, name = "parse", at = "work/crawl.lua:11" })
add(0.1184, "span_begin", 2, { ref = 2, name = "links", at = "work/crawl.lua:12" })
add(0.1186, "mark", 2, { name = "found", value = 12 })
add(0.1186, "count", 2, { name = "pages", value = 1 })
add(0.1187, "job", 2, { queue = "crawl.db", step = "taken", key = "http://a.test/jobs?q=<b>",
  attempt = 2, seconds = 3.5 })
add(0.1188, "job", 2, { queue = "crawl.db", step = "put", count = 30, new = 7 })
add(0.1189, "job", 2, { queue = "crawl.db", step = "done", key = "http://a.test/jobs?q=<b>",
  attempt = 2, seconds = 0.0125 })
add(0.1189, "job", 2, { queue = "crawl.db", step = "dead", attempt = 5, seconds = 0.25 })
add(0.1190, "span_end", 2, { ref = 2, failed = false })
add(0.2690, "span_end", 2, { ref = 1, failed = true })
add(0.1182, "run", 2, { duration = 0.1509, left = "end" })
add(0.2691, "hog", 2, { duration = 0.1509, at = "work/crawl.lua:14" })
add(0.2691, "end", 2, { outcome = "ok" })
add(0.2691, "ready", 1, { by = 2, cancelled = false })
add(0.2691, "sample", 0, { live = 4, in_flight = 1, queued = 2, memory = 409600, idle = 0.55 })

-- 4: a name that does not exist; nothing awaited that.
add(0.27, "ready", 4, { by = 0, cancelled = false })
add(0.00064, "xfer", 4, { ref = 4, method = "GET", url = "http://nowhere.invalid/", status = 0,
  protocol = 0, bytes = 0, reused = false, total = 0.2695, queue = 0.00001, dns = 0.26949,
  code = "dns", phase = "dns", at = "work/crawl.lua:9", request = 3, resend = 0, sent = 0 })
add(0.2692, "wait", 1, { ref = 7, what = "scope", at = "work/crawl.lua:33" })
add(0.2691, "run", 1, { duration = 0.0002, left = "wait" })
add(0.2702, "run", 4, { duration = 0.0001, left = "end" })
add(0.2703, "end", 4, { outcome = "error", error = "HttpError", code = "dns" })
add(0.2703, "unhandled", 4, { main = false })

-- 1 cancels 3 and 5, of which 5 ignores it for a while.
local first = #events
add(0.3, "ready", 1, { by = 0, cancelled = false })
add(0.3001, "cancel", 3, { by = 1, source = "deadline" })
add(0.3001, "cancel", 5, { by = 1, source = "deadline" })
add(0.3001, "ready", 3, { by = 1, cancelled = true })
add(0.3001, "ready", 5, { by = 1, cancelled = true })
add(0.00058, "xfer", 3, { ref = 3, method = "GET", url = "http://a.test/slow?q=<script>",
  status = 0, protocol = 0, bytes = 0, reused = false, total = 0.29952, queue = 0.2, tcp = 0.09,
  code = "cancelled", phase = "connect", at = "work/crawl.lua:9", request = 2, resend = 0,
  sent = 0 })
add(0.3002, "wait", 1, { ref = 5, what = "join #5 crawl.lua:14#5", at = "work/crawl.lua:34" })
add(0.3, "run", 1, { duration = 0.0002, left = "wait" })
add(0.3002, "run", 3, { duration = 0.0001, left = "end" })
add(0.3003, "end", 3, { outcome = "cancelled" })
add(0.3003, "run", 5, { duration = 0.0001, left = "yield" })
add(0.3005, "stuck", 5)
add(0.3004, "run", 5, { duration = 0.0002, left = "end" })
add(0.3006, "end", 5, { outcome = "cancelled" })
add(0.3006, "ready", 1, { by = 5, cancelled = false })

-- 1 posts, without TLS's checks, while it reads a stream in parallel; the post is not answered.
add(0.31, "wait", 1, { ref = 10, what = "http POST https://u.test:8443/up",
  at = "work/crawl.lua:36" })
add(0.3007, "run", 1, { duration = 0.0094, left = "wait" })
add(0.4, "ready", 1, { by = 0, cancelled = false })
add(0.31, "xfer", 1, { ref = 10, method = "POST", url = "https://u.test:8443/up", status = 503,
  protocol = 11, bytes = 20, reused = false, insecure = true, total = 0.089, queue = 0, dns = 0.001,
  tcp = 0.002, tls = 0.003, send = 0.05, wait = 0.03, receive = 0.002, at = "work/crawl.lua:36",
  request = 5, resend = 0, connection = 2, peer = "[::1]:8443", sent = 70000 })
add(0.4002, "wait", 1, { ref = 11, what = "read GET http://a.test/stream",
  at = "work/crawl.lua:38" })
add(0.4001, "run", 1, { duration = 0.0002, left = "wait" })
add(0.42, "ready", 1, { by = 0, cancelled = false })
add(0.305, "xfer", 1, { ref = 9, method = "GET", url = "http://a.test/stream", status = 200,
  protocol = 11, bytes = 1500000, reused = false, total = 0.115, queue = 0, tcp = 0.01,
  send = 0.001, wait = 0.004, receive = 0.1, at = "work/crawl.lua:35", request = 4, resend = 0,
  connection = 3, peer = "127.0.0.1:80", sent = 0 })
add(0.4201, "mark", 1, { name = "done" })
add(0.4201, "count", 1, { name = "pages", value = 2.5 })
add(0.42, "run", 1, { duration = 0.001, left = "end" })
add(0.421, "end", 1, { outcome = "ok" })
add(0.421, "sample", 0, { live = 0, in_flight = 0, queued = 0, memory = 307200 })
-- A task of which the end is not recorded, and a request that is going on.
add(0.4211, "spawn", 6, { parent = 0, defined = "work/late.lua:2" })
add(0.4212, "wait", 6, { ref = 12, what = "http HEAD http://[::1]:8080/h", at = "work/late.lua:3" })
add(0.4211, "run", 6, { duration = 0.0001, left = "wait" })
add(0.43, "phase", 6, { ref = 12, phase = "connect" })
add(0.5, "mark", 0, { name = "last" })

local meta = "pid=4242\nscript=work/crawl.lua\nversion=0.1.0\n"
local blocks = { string.pack("=c4I2I2I4", "SPTR", 1, string.packsize(UNIT), #meta) .. meta }
for i, e in ipairs(events) do
  encode[e.kind](e)
  if i == first then blocks[#blocks + 1] = take_block(0) end
end
blocks[#blocks + 1] = take_block(3)

local file <close> = assert(io.open(HERE .. "/trace.trc", "wb"))
assert(file:write(table.concat(blocks)))
