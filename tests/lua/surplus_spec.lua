-- SPDX-License-Identifier: MIT
-- Arguments that a function would drop, methods called with a dot, and what a writer writes.
local task, sync, http = require "septet.task", require "septet.sync", require "septet.http"
local json, sio, trace = require "septet.json", require "septet.io", require "septet.trace"
local fs, net = require "septet.fs", require "septet.net"
local process = require "septet.process"
local testing, url = require "septet.testing", require "septet.url"
local hash, robots = require "septet.hash", require "septet.robots"
local html, csv = require "septet.html", require "septet.csv"
local files, origin = require "files", require "origin"

-- Functions that pass their surplus arguments on, or write them.
local PASS_ON = { "task.on_unhandled", "task.spawn", "task.background", "task.timeout",
  "task.move_on_after", "task.shield", "task.cleanup", "task.group", "task.pool", "task.thread",
  "task.generator", "task.pcall",
  "task.try", "trace.span", "cli.fail" }

-- The arguments with which a function is called before the surplus ones, where nil does not do for
-- them all.
local TAKES = {
  task = { sleep = 1, sleep_until = 1, checkpoint = 0, now = 0, current = 0, tree = 0, is = 2,
    is_cancelled = 1, map = 2,
    gather = 2, race = 1, wait = 2, as_completed = 2, every = 1, scope = 0, deadline = 0,
    require = 1, var = 1, future = 0 },
  sync = { event = 0, semaphore = 1, lock = 0, channel = 1 },
  http = { session = 1, default = 0, get = 2, head = 2, post = 2, put = 2, patch = 2, delete = 2,
    options = 2,
    save = 3 },
  stats = { histogram = 1, percentile = 2, summary = 1, rate = 1, ewma = 1 },
  progress = { new = 1 },
  cli = { parse = 2, run = 2 },
  json = { decode = 2, encode = 2, array = 1, is_array = 1 },
  process = { run = 1, spawn = 1 },
  jobs = { open = 2 },
  io = { open = 2, stdin = 1, create = 2 },
  fs = { stat = 2, exists = 1, list = 1, walk = 2, mkdir = 2, remove = 2, rename = 2, copy = 3,
    read = 2, write = 3, append = 3, truncate = 2, temp_file = 1, temp_dir = 1, watch = 2,
    tail = 2 },
  net = { connect = 1, listen = 1 },
  html = { parse = 2, escape = 1, unescape = 1 },
  url = { parse = 1, resolve = 2, build = 1, query = 2, encode = 2, decode = 2, normalize = 1,
    origin = 1, same_origin = 2 },
  robots = { parse = 1, fetch = 2, cache = 2 },
  csv = { reader = 2, parse = 2, writer = 2, format = 2 },
  hash = { new = 2, digest = 3, hmac = 4, file = 3, hex = 1, unhex = 1, base64 = 1, unbase64 = 1,
    base64url = 1, unbase64url = 1, random = 2, equal = 2, md5 = 2, sha1 = 2, sha224 = 2,
    sha256 = 2, sha384 = 2, sha512 = 2, sha512_256 = 2, sha3_256 = 2, sha3_384 = 2, sha3_512 = 2,
    blake2b = 2, blake2s = 2 },
  trace = { hooks = 1, subscribe = 2, record = 2, mark = 2, count = 2, lines = 2, export = 4,
    otlp = 1, ps = 1, histogram = 1 },
  testing = { serve = 2, advance = 1, wait_all_blocked = 0, busy = 1, autojump = 1, sequencer = 0,
    step_wall_clock = 1 },
}
local MODULES = {}
for name in pairs(TAKES) do MODULES[name] = require("septet." .. name) end

-- What methods are called on, how it is made, and how many arguments each takes besides.
local OBJECTS = {
  { function()
      local t = task.spawn(function() end)
      t:await()
      return t
    end,
    { await = 0, cancel = 1, status = 0, result = 0, traceback = 0, waits_for = 0 } },
  { function() return sync.event() end, { set = 0, is_set = 0, wait = 0 } },
  { function()
      local f = task.future()
      f:set(1)
      return f
    end, { fail = 1, await = 0, is_done = 0 } },
  { function() return sync.semaphore(1) end,
    { acquire = 0, try_acquire = 0, release = 0, value = 0 } },
  { function() return sync.lock() end, { acquire = 0, try_acquire = 0, release = 0, locked = 0 } },
  { function() return sync.channel(1) end,
    { send = 1, try_send = 1, recv = 1, try_recv = 0, iter = 0, close = 0, sender = 0 } },
  { function() return sync.channel(1):sender() end, { send = 1, try_send = 1, close = 0 } },
  { function() return task.var() end, { get = 0, set = 1 } },
  { function() return task.generator(function() end) end, { close = 0 } },
  { function() return require "septet.stats".rate() end, { add = 1, per_second = 0, total = 0 } },
  { function() return require "septet.stats".ewma() end, { add = 1, value = 0 } },
  { function()
      local bar = require "septet.progress".new { out = function() end }
      bar:finish() -- it draws nothing any more
      return bar
    end,
    { add = 1, fail = 1, set_total = 1, clear = 0, line = 0, finish = 0 } },
  { function() return trace.histogram() end,
    { record = 2, record_corrected = 2, merge = 1, count = 0, min = 0, max = 0, mean = 0,
      percentile = 1, buckets = 0, encode = 0 } },
  { function() return sio.stdin() end, {
    read_line = 0, read = 1, read_exactly = 1, read_all = 1, lines = 0, close = 0 } },
  { function() return csv.reader "a" end, { read_row = 0, rows = 0 } },
  { function() return csv.writer(print) end, { row = 1, rows = 1 } },
  { function() return robots.parse "" end, { allows = 2, crawl_delay = 1 } },
  { function() return robots.cache(http.session {}, "a") end,
    { rules = 1, allows = 1, wait = 1, postpone = 2 } },
  { function() return hash.new "md5" end,
    { update = 1, hex = 0, raw = 0, base64 = 0, base64url = 0 } },
  { function() return require "septet.jobs".open "memory:" end,
    { put = 1, put_many = 1, run = 2, results = 0, dead = 0, stats = 0, retry = 1, remove = 1,
      clear = 0, forget = 1, check = 0, close = 0 } },
  { function() return fs.temp_file() end, { close = 0 } },
  { function() return (fs.watch "/") end, { close = 0 } },
  { function() return (fs.tail "/nothing") end, { close = 0 } },
  { function() return (fs.walk("/", { filter = print })) end, { close = 0 } },
  { function() return process.spawn { "true" } end, { wait = 0, kill = 1, close = 0 } },
  { function() return process.spawn({ "cat" }).stdin end, { shutdown = 0, close = 0 } },
  { function() return html.parse "<p>" end, {
    select = 1, first = 1, text = 0, raw_text = 0, html = 0, links = 1, resolve = 1 } },
  { function() return html.parse "<p>":first "p" end, {
    select = 1, first = 1, matches = 1, closest = 1, text = 0, raw_text = 0, html = 0,
    inner_html = 0, attr = 1 } },
  { function() return url.parse "http://a/?b=1" end, { params = 0 } },
  { function() return url.query "a=1" end, { get = 1, all = 1, set = 2 } },
  { function() return net.listen {} end, { accept = 0, connections = 0, close = 0, serve = 1 } },
  { function() return net.connect { host = "127.0.0.1", port = net.listen({}).port } end, {
    read_line = 0, read = 1, read_exactly = 1, read_all = 1, lines = 0, shutdown = 0,
    set_timeout = 1, reset = 0, close = 0 } },
  { function() return http.session() end,
    { close = 0, stats = 0, request = 3, stream = 3, save = 3, events = 2, get = 2, head = 2,
    post = 2, put = 2, patch = 2, delete = 2, options = 2 } },
  { function() return testing.serve(print) end, { wait = 1, close = 0 } },
  { function() return http.session():events(origin.url) end, { close = 0 } },
  { function() return http.get(origin.url .. "/bytes/1") end,
    { raise_for_status = 0, json = 0, text = 2, html = 1 } },
  { function() return http.get(origin.url .. "/bytes/1").headers end, { all = 1, each = 0 } },
}

local function call(fn, most, surplus, ...)
  local given = table.pack(...)
  for _ = 1, most do given.n = given.n + 1 end
  for i = 1, surplus.n do given[given.n + i] = surplus[i] end
  return pcall(fn, table.unpack(given, 1, given.n + surplus.n))
end

local SURPLUS = { table.pack(1), table.pack "ms", table.pack {}, table.pack(false),
  table.pack(nil, 1),
  table.pack(nil, nil, print) }

local function refuses(name, fn, most, ...)
  for _, surplus in ipairs(SURPLUS) do
    local ok, err = call(fn, most, surplus, ...)
    equal({ ok, task.is(err, "Usage") }, { false, true }, name .. ": " .. tostring(err))
    local words = "too many arguments to '[%w_.?]+' %(at most %d+ expected, got %d+%)$"
    equal(err.message:match(words) ~= nil, true, name .. ": " .. err.message)
  end
end

describe("surplus arguments", function()
  for module, names in pairs(TAKES) do
    it("X-10: surplus arguments are refused by septet." .. module, function()
      for name, most in pairs(names) do refuses(name, MODULES[module][name], most) end
    end)
  end

  it("X-10: surplus arguments are refused by the methods of each object",
    { leaks = true }, function()
    for _, object in ipairs(OBJECTS) do
      for name, most in pairs(object[2]) do
        local self = object[1]()
        refuses(name, self[name], most, self)
      end
    end
  end)

  it("X-10: surplus arguments are refused by groups, files, streams and errors", function()
    task.group(function(g)
      for name, most in pairs { cancel = 1, is_cancelled = 0, extend = 1 } do
        refuses(name, g[name], most, g)
      end
    end)
    local f <close> = files.temporary()
    local writer = sio.create(f.path)
    for name, most in pairs { truncate = 0, sync = 0, commit = 1, remove = 0, digest = 0, size = 0,
      close = 0 } do
      refuses(name, writer[name], most, writer)
    end
    writer:close()
    local stream <close> = http.default():stream("GET", origin.url .. "/bytes/1")
    for name, most in pairs { read = 1, chunks = 1, lines = 1, close = 0 } do
      refuses(name, stream[name], most, stream)
    end
    local err = raises_error({ kind = "ErrorGroup" }, task.group, function() error "x" end)
    for name, most in pairs { split = 1, leaves = 0 } do refuses(name, err[name], most, err) end
  end)

  it("X-10: no public function is left out", function()
    for module, fields in pairs(MODULES) do
      for name, value in pairs(fields) do
        local passes = false
        for _, other in ipairs(PASS_ON) do passes = passes or other == module .. "." .. name end
        if type(value) == "function" and not passes then
          equal(TAKES[module][name] ~= nil, true, module .. "." .. name)
        end
      end
    end
  end)

  it("X-10: surplus arguments are refused at the script's line, with their number", function()
    misuse("too many arguments to 'sleep' %(at most 1 expected, got 2%)$", function()
      task.sleep(100, "ms")
    end)
    misuse("too many arguments to 'gather' %(at most 2 expected, got 3%)$", function()
      task.gather({}, {}, {})
    end)
    local e, s = sync.event(), http.default()
    misuse("too many arguments to 'set' %(at most 0 expected, got 1%)$", function() e:set(true) end)
    misuse("too many arguments to 'get' %(at most 2 expected, got 3%)$", function()
      s:get("http://x/", {}, 1)
    end)
  end)

  it("X-10: surplus nils are taken, as wrappers pass them", function()
    task.sleep(0, nil, nil)
    local ch = sync.channel(1)
    ch:send(1, nil)
    equal({ ch:try_recv(nil) }, { 1 })
    equal(json.encode(1, nil, nil, nil), "1")
    equal(task.gather({}, nil, nil).n, 0)
  end)

  it("X-10: what a loop or the end of a variable passes is not surplus",
    { leaks = true }, function()
    local ch = sync.channel(3)
    for i = 1, 3 do ch:send(i) end
    local err = raises("after", function()
      local closed <close> = ch
      equal(#closed, 3)
      error("after", 0)
    end)
    equal(err, "after")
    local sum = 0
    for v in ch:iter() do sum = sum + v end
    equal(sum, 6)
    local f <close> = files.with "1\n2\n3\n"
    local lines, reader = {}, sio.open(f.path)
    for line in reader:lines() do lines[#lines + 1] = line end
    equal(table.concat(lines), "123")
  end)
end)

-- A loop passes two arguments to any iterator: its state and the last value.
describe("a generic for", function()
  local CONTROLS = { 1, "line", {}, print, true }

  local function loops(name, fn, ...)
    for _, control in ipairs(CONTROLS) do
      local ok, err = pcall(task.move_on_after, 0, function(state)
        for _ in fn, state, control do break end
      end, ...)
      equal(ok or not tostring(err):find("too many arguments", 1, true),
        true, name .. ": " .. tostring(err))
    end
  end

  it("X-10: a generic for may call the methods of objects without arguments",
    { leaks = true }, function()
    for _, object in ipairs(OBJECTS) do
      for name, most in pairs(object[2]) do
        local self = object[1]()
        if most == 0 and name ~= "sender" then loops(name, self[name], self) end
        if name == "try_acquire" then self:release() end
      end
    end
    local f <close> = files.temporary()
    local writer = sio.create(f.path)
    for _, name in ipairs { "size", "sync", "digest", "truncate", "close" } do
      loops(name, writer[name], writer)
    end
    local stream <close> = http.default():stream("GET", origin.url .. "/bytes/1")
    loops("json", stream.json, stream)
  end)

  it("X-10: a generic for may call functions of the modules with one argument or none",
    { leaks = true }, function()
    for module, names in pairs(TAKES) do
      for name, most in pairs(names) do
        if most < 2 and module ~= "trace" then loops(name, MODULES[module][name]) end
      end
    end
  end)

  it("X-10: a generic for goes over the values of a channel", function()
    for _, name in ipairs { "recv", "try_recv" } do
      local ch, got = sync.channel(4), {}
      for _, v in ipairs { 7, "a", true, 7 } do ch:send(v) end
      ch:close()
      for v in ch[name], ch do got[#got + 1] = v end
      equal(got, { 7, "a", true, 7 })
    end
  end)

  it("X-10: a generic for waits for each value", function()
    local ch, got = sync.channel(), {}
    task.spawn(function()
      for i = 1, 3 do
        task.sleep(0)
        ch:send({ i })
      end
      ch:close()
    end)
    for v in ch.recv, ch do got[#got + 1] = v[1] end
    equal(got, { 1, 2, 3 })
  end)

  it("X-10: a generic for may be in a coroutine and a generator, and close a value", function()
    local function over(ch)
      local got = {}
      for v in ch.recv, ch, nil, ch do got[#got + 1] = v end
      return got
    end
    local function filled()
      local ch = sync.channel(2)
      ch:send "a"
      ch:send "b"
      ch:close()
      return ch
    end
    equal(coroutine.wrap(over)(filled()), { "a", "b" })
    equal(task.spawn(over, filled()):await(), { "a", "b" })
    for got in task.generator(function(emit) emit(over(filled())) end) do
      equal(got, { "a", "b" })
    end
  end)

  it("X-10: a generic for goes over lines and instants", function()
    local f <close> = files.with "1\n2\n\n3"
    local got = {}
    local reader <close> = sio.open(f.path)
    for line in reader.read_line, reader do got[#got + 1] = line end
    equal(got, { "1", "2", "", "3" })
    local n = 0
    for instant in task.now do
      n = n + 1
      equal(math.type(instant), "float")
      if n == 3 then break end
    end
    equal(n, 3)
  end)

  it("X-10: the same values from the script are surplus", function()
    local ch <const> = sync.channel(1)
    misuse("too many arguments to 'recv' %(at most 1 expected, got 2%)$", function()
      ch:recv(1, 2)
    end)
    misuse("too many arguments to 'try_recv' %(at most 0 expected, got 1%)$", function()
      for _ in function(c, last) return (c:try_recv(last)) end, ch, 1 do break end
    end)
  end)

  it("X-10: an iterator without its object says so", function()
    local ch <const> = sync.channel(1)
    misuse("bad argument #1 to 'for iterator' %(channel expected, got nil%)$", function()
      for _ in ch.recv do break end
    end)
  end)
end)

describe("writer:write", function()
  it("X-10: writer:write writes what file:write writes, and returns the writer", function()
    local file <close> = files.temporary()
    local plain <close> = files.temporary()
    for _, case in ipairs {
      { "a" }, { "a", "b" }, { "a", "", "b" }, { 1 },
      { 1, 2.5, -0.0, 1e100, 2 ^ 53, math.huge, math.mininteger },
      { "" }, {}, { ("x"):rep(300000), "\0", 7, ("y"):rep(300000) },
    } do
      local w, f = sio.create(file.path), assert(io.open(plain.path, "wb"))
      equal(rawequal(w:write(table.unpack(case)), w), true)
      equal(rawequal(w:write "end":write "!", w), true)
      f:write(table.unpack(case))
      f:write("end", "!")
      w:close()
      f:close()
      equal(files.contents(file.path) == files.contents(plain.path), true)
    end
  end)

  it("X-10: writer:write checks all of its arguments before it writes", function()
    local f <close> = files.temporary()
    local w <close> = sio.create(f.path)
    misuse("bad argument #1 to 'write' %(string expected, got nil%)", function() w:write(nil) end)
    misuse("bad argument #2 to 'write' %(string expected, got nil%)", function()
      w:write("a", nil)
    end)
    misuse("bad argument #3 to 'write' %(string expected, got table%)", function()
      w:write("a", 1, {})
    end)
    misuse("bad argument #2 to 'write' %(string expected, got boolean%)", function()
      w:write("a", true)
    end)
    equal(w:size(), 0)
  end)
end)

describe("a method that is called with a dot", function()
  it("X-12: the error of a dot says to use a colon", { leaks = true }, function()
    for _, object in ipairs(OBJECTS) do
      for name in pairs(object[2]) do
        local method <const> = object[1]()[name]
        for _, value in ipairs { "x", 1, {}, print } do
          local ok, err = pcall(function()
            local o = { [name] = method }
            return o[name](value)
          end)
          equal({ ok, task.is(err, "Usage") }, { false, true }, name)
          equal(err.message:find "with a colon" ~= nil or err.message:find "expected, got" ~= nil,
            true,
            name .. ": " .. err.message)
        end
      end
    end
  end)

  it("X-12: the error of a dot names the object", function()
    task.group(function(g)
      misuse("'spawn' is a method: call it as group:spawn", function() g.spawn(print) end)
      misuse("'start' is a method: call it as group:start", function() g.start(print) end)
    end)
    local r = http.get(origin.url .. "/bytes/1")
    misuse("'json' is a method: call it as response:json", function() r.json() end)
    misuse("'all' is a method: call it as headers:all", function() r.headers.all "x" end)
    local stream <close> = http.default():stream("GET", origin.url .. "/bytes/1")
    misuse("'read' is a method: call it as response:read", function() stream.read() end)
  end)

  it("X-12: the error of a colon on a function says to use a dot", function()
    misuse("'get' is a function: call it with a dot", function() http:get("http://x/", {}) end)
    misuse("'gather' is a function: call it with a dot", function() task:gather({}, {}) end)
  end)
end)
