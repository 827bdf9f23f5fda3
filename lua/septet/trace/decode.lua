-- SPDX-License-Identifier: MIT
-- Decodes the trace: blocks of bytes, as the ring and the files of recordings have them, become
-- events. src/core/trace.h describes the records, src/core/trace_block.h the blocks.
local decode = {}

-- Local for speed: a recording may have millions of records.
local pack, unpack = string.pack, string.unpack

local UNIT = "=i8I4I4BBI2I4i8"
local UNIT_SIZE = 32
local XFER = "=" .. ("i8I4I4BBI2I4i8"):rep(3) -- the further units of one
local BLOCK = "=c4I4I4I4I4"
local BLOCK_SIZE = 20
local FILE = "=c4I2I2I4"
local VERSION = 1
local TEXT_BIT = 0x80000000
local NS, US = 1e9, 1e6
local UNKNOWN = "?"

-- By number, from 0 on, as in enum spt_left, enum spt_task_state and enum spt_phase.
local left = { [0] = "wait", "yield", "end" }
local outcomes = { [4] = "ok", [5] = "error", [6] = "cancelled" }
local phases = { [0] = "admitted", "dns", "connect", "tls", "send", "wait", "receive" }
local steps = { [0] = "put", "taken", "done", "dropped", "retry", "dead", "back", "lost",
  "recovered", "buried" }

-- Returns "file:line" for a packed place, or nil for none. `strings` are those of a block, by their
-- numbers; its field `places` keeps what this function has returned.
local function place(strings, packed)
  if packed == 0 then return nil end
  local known = strings.places[packed]
  if known then return known end
  local source = strings[packed >> 32]
  local line = packed & 0xffffffff
  if not source or source == "" then return nil end
  known = line > 0 and ("%s:%d"):format(source, line) or source
  strings.places[packed] = known
  return known
end

-- Returns the text at a position: nil for none.
local function text(texts, position)
  if position == 0 then return nil end
  return texts[position] or "<gone>"
end

-- Returns it, or UNKNOWN: no memory was left for it, or the block is damaged.
local function sure_text(texts, position)
  return position ~= 0 and (texts[position] or "<gone>") or UNKNOWN
end

local function double(bits)
  return (unpack("=d", pack("=i8", bits)))
end

-- Returns seconds for a number of 32 bits that was read without its sign, or nil if it is negative:
-- the phase did not take place.
local function seconds(us)
  us = us & 0xffffffff
  return us < 0x80000000 and us / US or nil
end

-- Functions by the kind of a record, each of (time, task, ref, sub, a, b, strings, texts, bytes,
-- position of the next unit, extra). Each returns an event.
local make = {}

function make.spawn(time, task, ref, _, _, b, strings, _, bytes, at, extra)
  local site
  if extra > 0 then site = place(strings, (unpack("=i8", bytes, at + 24))) end
  return { kind = "spawn", time = time, task = task, parent = ref, defined = place(strings, b),
    at = site }
end

function make.wait(time, task, ref, sub, a, b, strings, texts)
  return { kind = "wait", time = time, task = task, ref = ref, at = place(strings, b),
    what = sub == 1 and text(texts, a) or strings[a] }
end

function make.ready(time, task, ref, sub)
  return { kind = "ready", time = time, task = task, by = ref, cancelled = sub == 1 }
end

function make.run(time, task, _, sub, _, b)
  return { kind = "run", time = time, task = task, duration = b / NS, left = left[sub] or UNKNOWN }
end

function make.cancel(time, task, ref, _, a, _, strings)
  return { kind = "cancel", time = time, task = task, by = ref, source = strings[a] or UNKNOWN }
end

make["end"] = function(time, task, ref, sub, a, _, strings)
  return { kind = "end", time = time, task = task, outcome = outcomes[sub] or UNKNOWN,
    error = strings[a], code = strings[ref] }
end

function make.xfer(time, task, ref, sub, a, b, strings, texts, bytes, at, extra)
  if extra < 3 then return nil end -- damaged
  local site, method, code, _, version, status, phase, queue_total, dns_tcp, tls, send, _, insecure,
    _, resend, wait_receive, sent, request, connection, _, _, _, peer = unpack(XFER, bytes, at)
  return { kind = "xfer", time = time, task = task, ref = ref, url = sure_text(texts, a), bytes = b,
    reused = sub == 1, at = place(strings, site), method = strings[method] or UNKNOWN,
    code = strings[code], phase = strings[phase], protocol = version, status = status,
    insecure = insecure == 1 or nil,
    queue = seconds(queue_total >> 32), dns = seconds(dns_tcp >> 32), tcp = seconds(dns_tcp),
    tls = seconds(tls), send = seconds(send), wait = seconds(wait_receive >> 32),
    receive = seconds(wait_receive), total = seconds(queue_total), sent = sent, request = request,
    resend = resend, connection = connection > 0 and connection or nil, peer = text(texts, peer) }
end

function make.name(time, task, _, _, a, _, _, texts)
  return { kind = "name", time = time, task = task, name = sure_text(texts, a) }
end

function make.hog(time, task, ref, _, a, b, strings)
  return { kind = "hog", time = time, task = task, duration = b / NS,
    at = place(strings, ref << 32 | a) }
end

function make.stuck(time, task)
  return { kind = "stuck", time = time, task = task }
end

function make.span_begin(time, task, ref, _, a, b, strings, texts)
  return { kind = "span_begin", time = time, task = task, ref = ref, name = sure_text(texts, a),
    at = place(strings, b) }
end

function make.span_end(time, task, ref, sub)
  return { kind = "span_end", time = time, task = task, ref = ref, failed = sub == 1 }
end

function make.mark(time, task, _, sub, a, b, _, texts)
  return { kind = "mark", time = time, task = task, name = sure_text(texts, a),
    value = sub == 1 and double(b) or nil }
end

function make.count(time, task, _, _, a, b, strings)
  return { kind = "count", time = time, task = task, name = strings[a] or UNKNOWN,
    value = double(b) }
end

function make.sample(time, task, ref, _, a, b, _, _, bytes, at, extra)
  local idle
  if extra > 0 then idle = unpack("=i8", bytes, at + 24) / NS end
  return { kind = "sample", time = time, task = 0, live = task, in_flight = ref, queued = a,
    memory = b > 0 and b or nil, idle = idle }
end

function make.clock(time, task, _, _, _, b)
  return { kind = "clock", time = time, task = task, unix_ns = b, unix = b / NS }
end

function make.phase(time, task, ref, sub)
  return { kind = "phase", time = time, task = task, ref = ref, phase = phases[sub] or UNKNOWN }
end

function make.head(time, task, ref, sub, a, _, _, texts)
  return { kind = "head", time = time, task = task, ref = ref,
    which = sub == 1 and "response" or "request", text = sure_text(texts, a) }
end

function make.body(time, task, ref, sub, a, b, strings, texts)
  local event = make.head(time, task, ref, sub, a, b, strings, texts)
  event.kind, event.cut = "body", b == 1
  return event
end

function make.unhandled(time, task, _, sub)
  return { kind = "unhandled", time = time, task = task, main = sub == 1 }
end

function make.deadlock(time, task, ref, sub, a)
  return { kind = "deadlock", time = time, task = task, ref = ref, first = sub == 1, live = a }
end

function make.job(time, task, ref, sub, a, b, strings, texts)
  local event = { kind = "job", time = time, task = task, step = steps[sub] or UNKNOWN,
    queue = strings[ref] or UNKNOWN, key = text(texts, a) }
  local number, rest = b >> 40, b & 0xffffffffff
  if sub == 0 then
    event.new, event.count = number, rest
  else
    event.attempt, event.seconds = number, rest / US
  end
  return event
end

-- The same by number, from 0 on, as in SPT_REC_MAP.
local by_number = { [0] = make.spawn, make.wait, make.ready, make.run, make.cancel, make["end"],
  make.xfer, make.name, make.hog, make.stuck, make.span_begin, make.span_end, make.mark, make.count,
  make.sample, make.clock, make.phase, make.head, make.body,
  make.unhandled, nil, make.deadlock, make.job }

-- Returns the strings and the texts of a block, by their numbers; nil if they are damaged.
local function read_strings(bytes, at, stop, count)
  local strings, texts = {}, {}
  for _ = 1, count do
    if at + 8 > stop then return nil end
    local id, size = unpack("=I4I4", bytes, at)
    local into = size & TEXT_BIT == 0 and strings or texts
    local from = at + 8
    at = from + (size & ~TEXT_BIT)
    if at > stop then return nil end
    into[id] = bytes:sub(from, at - 1)
  end
  return strings, texts
end

local function read_units(bytes, at, count, strings, texts, fn)
  local stop = at + count * UNIT_SIZE
  strings.places = {}
  while at < stop do
    local t, task, ref, kind, sub, extra, a, b = unpack(UNIT, bytes, at)
    at = at + UNIT_SIZE
    local next_at = at + extra * UNIT_SIZE
    if next_at > stop then return end -- damaged
    local make_event = by_number[kind] -- nil for a kind yet to come
    if make_event then
      local event = make_event(t / NS, task, ref, sub, a, b, strings, texts, bytes, at, extra)
      if event then fn(event) end
    end
    at = next_at
  end
end

--- Calls fn(event) for each event of the block at a position of `bytes`. Returns the position
--- behind it; or nil and what is wrong, before any call: the block is cut off or damaged.
---@param bytes string
---@param at integer
---@param fn fun(event: table)
---@return integer|nil next
---@return string|nil problem
function decode.block(bytes, at, fn)
  if at + BLOCK_SIZE > #bytes + 1 then return nil, "cut off" end
  local magic, size, units, strings, lost = unpack(BLOCK, bytes, at)
  if magic ~= "SPTB" then return nil, "damaged" end
  local from, stop = at + BLOCK_SIZE, at + 8 + size
  if stop > #bytes + 1 then return nil, "cut off" end
  local strings_at = from + units * UNIT_SIZE
  if strings_at > stop then return nil, "damaged" end
  local known, texts = read_strings(bytes, strings_at, stop, strings)
  if not known then return nil, "damaged" end
  if lost > 0 then
    local time = units > 0 and unpack(UNIT, bytes, from) / NS or 0
    fn { kind = "lost", time = time, task = 0, count = lost }
  end
  read_units(bytes, from, units, known, texts, fn)
  return stop
end

--- Returns the meta data at the head of a recording, as a table of texts, and the position of its
--- first block; or nil and what is wrong.
---@param bytes string
---@return table<string, string>|nil meta
---@return integer|string next
function decode.head(bytes)
  local size = string.packsize(FILE)
  if #bytes < size or bytes:sub(1, 4) ~= "SPTR" then return nil, "it is no recording of a trace" end
  local _, version, unit, length = unpack(FILE, bytes)
  if version ~= VERSION or unit ~= UNIT_SIZE then
    return nil, ("its format has version %d, not %d"):format(version, VERSION)
  end
  if size + length > #bytes then return nil, "it is cut off" end
  local meta = {}
  for key, value in bytes:sub(size + 1, size + length):gmatch "([^=\n]+)=([^\n]*)\n" do
    meta[key] = value
  end
  return meta, size + length + 1
end

--- Returns the text of meta data at the head of a recording.
---@param meta table<string, string>
---@return string
function decode.meta_text(meta)
  local keys, lines = {}, {}
  for key in pairs(meta) do keys[#keys + 1] = key end
  table.sort(keys)
  for i, key in ipairs(keys) do
    lines[i] = ("%s=%s\n"):format(key, (tostring(meta[key]):gsub("%c", " ")))
  end
  return table.concat(lines)
end

return decode
