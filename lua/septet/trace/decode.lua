-- SPDX-License-Identifier: MIT
-- Decodes the trace: blocks of bytes, as the ring and the files of recordings have them, become
-- events. src/core/trace.h describes the records, src/core/trace_block.h the blocks.
local decode = {}

-- Local for speed: a recording may have millions of records.
local unpack = string.unpack

local UNIT = "=I8I4I4BBI2I4i8"
local UNIT_SIZE = 32
local BLOCK = "=c4I4I4I4I4"
local BLOCK_SIZE = 20
local FILE = "=c4I2I2I4"
local VERSION = 1
local TEXT_BIT = 0x80000000
local NS, US = 1e9, 1e6

-- By number, from 0 on, as in SPT_REC_MAP, enum spt_left, enum spt_task_state and enum spt_phase.
local kinds = { [0] = "spawn", "wait", "ready", "run", "cancel", "end", "xfer", "name", "hog",
  "stuck", "span_begin", "span_end", "mark", "count", "sample", "clock", "phase", "head",
  "body", "unhandled", "more" }
local left = { [0] = "wait", "yield", "end" }
local outcomes = { [4] = "ok", [5] = "error", [6] = "cancelled" }
local phases = { [0] = "admitted", "dns", "connect", "tls", "send", "wait", "receive" }

-- Returns "file:line" for a packed place, or nil for none.
local function place(strings, packed)
  local source = strings[packed >> 32]
  local line = packed & 0xffffffff
  if not source or source == "" then return nil end
  return line > 0 and ("%s:%d"):format(source, line) or source
end

-- Returns the text at a position: nil for none.
local function text(texts, position)
  if position == 0 then return nil end
  return texts[position] or "<gone>"
end

local function double(bits)
  return (unpack("=d", string.pack("=i8", bits)))
end

-- Returns a number of 32 bits, read without a sign, with its sign.
local function signed(number)
  return (number ~ 0x80000000) - 0x80000000
end

local function halves(bits)
  return signed(bits >> 32), signed(bits & 0xffffffff)
end

-- Returns seconds, or nil if the phase did not take place.
local function seconds(us)
  return us >= 0 and us / US or nil
end

-- By kind: fill(event, ref, sub, a, b, strings, texts, bytes, position of the next unit, extra).
local fill = {}

function fill.spawn(e, ref, _, _, b, strings, _, bytes, at, extra)
  e.parent, e.defined = ref, place(strings, b)
  if extra > 0 then
    local _, _, _, _, _, _, _, site = unpack(UNIT, bytes, at)
    e.at = place(strings, site)
  end
end

function fill.wait(e, ref, sub, a, b, strings, texts)
  e.ref, e.at = ref, place(strings, b)
  if sub == 1 then e.what = text(texts, a) else e.what = strings[a] end
end

function fill.ready(e, ref, sub)
  e.by, e.cancelled = ref, sub == 1
end

function fill.run(e, _, sub, _, b)
  e.duration, e.left = b / NS, left[sub]
end

function fill.cancel(e, ref, _, a, _, strings)
  e.by, e.source = ref, strings[a]
end

fill["end"] = function(e, ref, sub, a, _, strings)
  e.outcome, e.error, e.code = outcomes[sub], strings[a], strings[ref]
end

function fill.xfer(e, ref, sub, a, b, strings, texts, bytes, at, extra)
  e.ref, e.url, e.bytes, e.reused = ref, text(texts, a), b, sub == 1
  if extra < 3 then return end
  local site, method, code, _, version, status, phase, queue_total = unpack(UNIT, bytes, at)
  local dns_tcp, tls, send, _, insecure, _, resend, wait_receive =
    unpack(UNIT, bytes, at + UNIT_SIZE)
  local sent, request, connection, _, _, _, peer = unpack(UNIT, bytes, at + 2 * UNIT_SIZE)
  local queue, total = halves(queue_total)
  local dns, tcp = halves(dns_tcp)
  local wait, receive = halves(wait_receive)
  e.at, e.method, e.code, e.phase = place(strings, site), strings[method], strings[code],
    strings[phase]
  e.protocol, e.status, e.insecure = version, status, insecure == 1 or nil
  e.queue, e.dns, e.tcp, e.tls = seconds(queue), seconds(dns), seconds(tcp), seconds(signed(tls))
  e.send, e.wait, e.receive = seconds(signed(send)), seconds(wait), seconds(receive)
  e.total = seconds(total)
  e.sent, e.request, e.resend = sent, request, resend
  e.connection = connection > 0 and connection or nil
  e.peer = text(texts, peer)
end

function fill.name(e, _, _, a, _, _, texts)
  e.name = text(texts, a)
end

function fill.hog(e, ref, _, a, b, strings)
  e.duration, e.at = b / NS, place(strings, ref << 32 | a)
end

function fill.span_begin(e, ref, _, a, b, strings, texts)
  e.ref, e.name, e.at = ref, text(texts, a), place(strings, b)
end

function fill.span_end(e, ref, sub)
  e.ref, e.failed = ref, sub == 1
end

function fill.mark(e, _, sub, a, b, _, texts)
  e.name = text(texts, a)
  if sub == 1 then e.value = double(b) end
end

function fill.count(e, _, _, a, b, strings)
  e.name, e.value = strings[a], double(b)
end

function fill.sample(e, ref, _, a, b)
  e.live, e.task, e.in_flight, e.queued, e.memory = e.task, 0, ref, a, b
end

function fill.clock(e, _, _, _, b)
  e.unix_ns, e.unix = b, b / NS
end

function fill.phase(e, ref, sub)
  e.ref, e.phase = ref, phases[sub]
end

function fill.unhandled(e, _, sub)
  e.main = sub == 1
end

function fill.head(e, ref, sub, a, _, _, texts)
  e.ref, e.which, e.text = ref, sub == 1 and "response" or "request", text(texts, a)
end

function fill.body(e, ref, sub, a, b, strings, texts)
  fill.head(e, ref, sub, a, b, strings, texts)
  e.cut = b == 1
end

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
  while at < stop do
    local t, task, ref, kind, sub, extra, a, b = unpack(UNIT, bytes, at)
    at = at + UNIT_SIZE
    local word = kinds[kind]
    if at + extra * UNIT_SIZE > stop then extra = 0 end
    if word and word ~= "more" then
      local event = { kind = word, time = t / NS, task = task }
      local fill_in = fill[word]
      if fill_in then fill_in(event, ref, sub, a, b, strings, texts, bytes, at, extra) end
      fn(event)
    end
    at = at + extra * UNIT_SIZE
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
  local by_number, texts = read_strings(bytes, strings_at, stop, strings)
  if not by_number then return nil, "damaged" end
  if lost > 0 then
    local time = units > 0 and unpack(UNIT, bytes, from) / NS or 0
    fn { kind = "lost", time = time, task = 0, count = lost }
  end
  read_units(bytes, from, units, by_number, texts, fn)
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
