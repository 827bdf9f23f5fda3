-- SPDX-License-Identifier: MIT
-- The objects of scripts: a script reaches their methods by name, and no function that trusts its
-- argument.
local http, json, sio, sync, task =
  require "septet.http", require "septet.json", require "septet.io", require "septet.sync",
  require "septet.task"
local base = os.getenv "SEPTET_ORIGIN"
local private = debug.getregistry()["septet.require"] -- of private modules

local METAFIELDS = {
  "__gc", "__close", "__index", "__newindex", "__name", "__metatable", "__mode", "__len", "__call",
  "__tostring", "__pairs", "__eq", "__concat", "__add", "__lt",
}

-- Adds the objects of the other modules to a list, and calls fn with it.
local function with_newer_objects(list, fn)
  local url, html, csv = require "septet.url", require "septet.html", require "septet.csv"
  local fs, net, process = require "septet.fs", require "septet.net", require "septet.process"
  local stats, testing = require "septet.stats", require "septet.testing"
  local folder <close> = fs.temp_dir()
  local listener <close> = net.listen { path = folder.path .. "/socket" }
  local connection <close> = net.connect { path = folder.path .. "/socket" }
  local program <close> = process.spawn { "cat" }
  local server <close> = testing.serve(function(request) return request.body end)
  local events <close> = list.session:events(server.url)
  list.session:post(server.url, { body = "x" })
  list.future, list.temporary = task.future(), folder
  list.server, list.connection = listener, connection
  list.process, list.stdin = program, program.stdin
  list.url, list.query = url.parse "http://a/?b", url.query "b"
  list.document = html.parse "<p>"
  list.element = list.document:first "p"
  list.csv_reader, list.csv_writer = csv.reader "a", csv.writer(print)
  list.hash, list.rules = require "septet.hash".new "md5", require "septet.robots".parse ""
  list.histogram, list.rate, list.ewma = stats.histogram(), stats.rate(), stats.ewma()
  list.progress = require "septet.progress".new { out = function() end }
  list.test_server, list.request, list.events = server, server.requests[1], events
  list.parser = private "septet.http.event_stream".new(100)
  list.content = rawget(list.request, "content")
  list.source = rawget(list.content, "source")
  list.link = rawget(list.source, "reader")
  local walk <close> = fs.walk(folder.path)
  local watch <close>, tail <const> = fs.watch(folder.path), fs.tail(folder.path .. "/none")
  list.walk, list.watch, list.tail = walk, watch, tail
  list.filtered = fs.walk(folder.path, { filter = print })
  fn(list)
  list.progress:finish()
  tail:close()
  list.filtered:close()
end

-- Calls fn with one object of each type that a script can hold.
local function with_objects(fn)
  local path = os.tmpname()
  task.group(function(scope)
    local session <close> = http.session()
    local stream <close> = session:stream("GET", base .. "/bytes/100")
    local reader <close> = sio.open(path)
    local writer <close> = sio.create(path .. ".new")
    local channel <close> = sync.channel(1)
    local sender <close> = channel:sender()
    local generator <close> = task.generator(function(emit) emit(1) end)
    local response = session:get(base .. "/bytes/10")
    local list = {
      task = task.spawn(function() end), scope = scope, event = sync.event(),
      semaphore = sync.semaphore(1), lock = sync.lock(), channel = channel, sender = sender,
      reader = reader, writer = writer, session = session, response = response,
      headers = response.headers, stream = stream, generator = generator, var = task.var(1),
      error = select(2, pcall(task.sleep, "x")),
    }
    with_newer_objects(list, fn)
    writer:remove()
  end)
  os.remove(path)
end

-- Returns the value of a field, or nil if reading it is refused.
local function read(object, field)
  local ok, value = pcall(function() return object[field] end)
  return ok and value or nil
end

local function selves(list)
  local result = { {}, "text", 42, true, io.stdout, print, coroutine.create(print) }
  for _, object in pairs(list) do result[#result + 1] = object end
  return result
end

describe("H-6: metamethods", function()
  it("no object gives access to its metamethods", function()
    with_objects(function(list)
      for kind, object in pairs(list) do
        for _, field in ipairs(METAFIELDS) do
          equal(read(object, field), nil, kind .. "." .. field)
        end
      end
    end)
  end)

  it("metamethods are in tables that no script can get", function()
    with_objects(function(list)
      for kind, object in pairs(list) do
        equal(type(getmetatable(object)) ~= "table", true, kind)
        equal(pcall(setmetatable, object, {}), false, kind)
        if type(object) == "userdata" then
          equal(pcall(function() object.another = 1 end), false, kind)
        end
      end
    end)
  end)

  it("the metatable of JSON's arrays is out of reach, and marks them all the same", function()
    local ways = {
      json.array {}, json.decode "[1]", json.decode '{"a": [[]]}'.a[1],
      json.array(json.array { 1 }),
    }
    for i, list in ipairs(ways) do
      equal({ i, getmetatable(list) }, { i, false })
      equal({ i, pcall(setmetatable, list, {}) == false, pcall(setmetatable, list, nil) == false },
        { i, true, true })
      equal({
        i, json.is_array(list), json.encode(list):sub(1, 1), rawequal(json.array(list), list),
      }, { i, true, "[", true })
    end
    equal({
      json.is_array {}, json.is_array(setmetatable({}, { __metatable = false })), json.encode {},
    }, { false, false, "{}" })
    equal(json.decode "[1]"[2], nil)
    misuse("metatable of its own", function()
      json.array(setmetatable({}, { __metatable = false }))
    end)
  end)

  it("metamethods are no way to change the objects of another script", function()
    local one, two = http.session(), http.session()
    one.get = function() return "changed" end
    equal(two:get(base .. "/bytes/3").status, 200)
    one:close()
    two:close()
  end)
end)

describe("H-6: methods", function()
  -- The fields of each type.
  local METHODS = {
    task = { "await", "cancel", "status", "result", "traceback", "waits_for" },
    scope = { "spawn", "start", "cancel", "is_cancelled", "extend" },
    event = { "set", "is_set", "wait" },
    semaphore = { "acquire", "try_acquire", "release", "with", "value" },
    lock = { "acquire", "try_acquire", "release", "with", "locked" },
    channel = { "send", "recv", "try_send", "try_recv", "close", "iter", "sender" },
    sender = { "send", "try_send", "close" },
    reader = { "read_line", "read", "lines", "close" },
    writer = {
      "write", "truncate", "sync", "commit", "remove", "digest", "keep_digest", "size", "close",
    },
  }

  it("methods refuse every self that is not of their type", function()
    for kind, names in pairs(METHODS) do
      with_objects(function(list)
        for _, name in ipairs(names) do
          local what, method = kind .. ":" .. name, list[kind][name]
          equal(type(method), "function", what)
          equal(pcall(method), false, what .. " of nothing")
          equal(pcall(method, nil), false, what .. " of nil")
          for _, self in ipairs(selves(list)) do
            if self ~= list[kind] then
              local ok, err = pcall(method, self)
              equal(ok, false, what .. " of " .. tostring(self))
              equal(task.is(err, "Usage") or type(err) == "string", true, what)
            end
          end
        end
      end)
    end
  end)
end)
