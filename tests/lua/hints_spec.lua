-- SPDX-License-Identifier: MIT
-- Hints for users of other libraries.
-- check: allow unknown-name
local task, sync, http = require "septet.task", require "septet.sync", require "septet.http"
local json, sio = require "septet.json", require "septet.io"
local origin = require "origin"

local URL = origin.url

local function says(words, fn, ...)
  local err = raises_error({ kind = "Usage" }, fn, ...)
  for _, word in ipairs(words) do
    equal(err.message:find(word, 1, true) ~= nil, true, err.message)
  end
end

describe("options of other libraries", function()
  it("X-12: the error of an option of another library names ours", function()
    for name, hint in pairs {
      data = "'body', 'form' or 'json'", query = "'params'", method = "session:request(",
        verify = "tls = { insecure",
      ssl = "'tls'",
      insecure = "tls = { insecure", read = "one of", files = "'multipart'",
      follow_redirects = "redirects",
    } do
      says({ "unknown option '" .. name .. "' to 'get'", hint }, http.get, URL, { [name] = true })
    end
    says({ "'limit'" }, http.session, { max_connections = 1 })
    says({ "tls = { insecure" }, http.session, { insecure = true })
    says({ "'idle' or 'first_byte'" }, http.get, URL, { timeout = { read = 1 } })
    says({ "'attempts'" }, http.get, URL, { retries = { max = 1 } })
    says({ "'user' and 'password'" }, http.get, URL, { auth = { "u", "p" } })
    local fs, process, csv = require "septet.fs", require "septet.process", require "septet.csv"
    says({ "did you mean 'stdin'" }, process.run, { "true", input = "x" })
    says({ "did you mean 'env'" }, process.run, { "true", environment = {} })
    says({ "did you mean 'separator'" }, csv.reader, "a", { delimiter = ";" })
    says({ "did you mean 'parents'" }, fs.mkdir, "x", { recursive = true })
    says({ "did you mean 'links'" }, fs.walk, "x", { follow = true })
    says({ "did you mean 'charset'" }, require "septet.html".parse, "", { encoding = "x" })
    says({ "one of limit, settled expected" }, task.gather, {}, { nothing_like_it = 1 })
    says({ "did you mean 'limit'" }, task.gather, {}, { limits = 1 })
  end)
end)

describe("functions of other libraries", function()
  it("X-12: the error of a function of another library names ours", function()
    for _, case in ipairs {
      { sync, "queue", "channel" }, { sync, "mutex", "lock" }, { json, "parse", "decode" },
      { json, "dumps", "encode" },
      { http, "fetch", "get" }, { task, "create_task", "spawn" }, { sio, "lines", "open" },
      { task, "gathr", "gather" }, { sync, "chanel", "channel" }, { json, "decod", "decode" },
      { task.current(), "join", "await" }, { sync.channel(), "put", "send" },
      { sync.channel(), "receive", "recv" },
      { sync.lock(), "lock", "acquire" }, { sync.event(), "fire", "set" },
      { sync.semaphore(1), "relase", "release" }, { sync.semaphore(1), "up", "release" },
    } do
      says({ "has no field '" .. case[2] .. "'", "did you mean '" .. case[3] .. "'?" }, function()
        return case[1][case[2]]
      end)
    end
    task.group(function(g) says({ "group", "'spawn'" }, function() return g.start_soon end) end)
  end)

  it("the error of a field that an object does not have names the nearest one", function()
    local csv, hash = require "septet.csv", require "septet.hash"
    local folder <close> = require "septet.fs".temp_dir()
    local server <close> = require "septet.testing".serve(function() end)
    for _, case in ipairs {
      { csv.reader "a", "reader", "read_rows", "read_row" },
      { csv.reader "", "reader", "heder", "header" },
      { csv.writer(print), "writer", "rowz", "row" }, { hash.new "md5", "hash", "hexx", "hex" },
      { require "septet.url".query "a=1", "query", "gett", "get" },
      { require "septet.robots".parse "", "rules", "allow", "allows" },
      { folder, "temporary", "pth", "path" }, { server, "server", "request", "requests" },
    } do
      says({ ("%s has no field '%s', did you mean '%s'?"):format(case[2], case[3], case[4]) },
        function() return case[1][case[3]] end)
      equal(case[1].xyzzyx, nil)
    end
    equal(tostring(folder), ("temporary '%s'"):format(folder.path))
  end)

  it("X-12: a name without a near one gets no hint, and Lua's own reads no error", function()
    misuse("^.*septet.sync has no field 'xyzzyx'$", function() return sync.xyzzyx end)
    equal({ sync.__call, sync._VERSION, task.on_unhandled ~= nil, sync[1] }, { nil, nil, true })
    equal({ task.current().__name, sync.event()[1], sync.lock().__index }, {})
  end)
end)

describe("a response", function()
  it("X-12: a response is ok below 400", function()
    for status, ok in pairs { [200] = true, [204] = true, [304] = true, [399] = true, [400] = false,
      [503] = false } do
      equal(http.get(URL .. "/status/" .. status).ok, ok)
    end
    local stream <close> = http.default():stream("GET", URL .. "/status/404")
    equal(stream.ok, false)
  end)

  it("X-12: a response says what its fields are called", function()
    local r = http.get(URL .. "/bytes/1")
    local stream <close> = http.default():stream("GET", URL .. "/bytes/1")
    for _, it in ipairs { r, stream } do
      for name, hint in pairs { status_code = "status", code = "status", content = "body",
        statsu = "status",
        is_success = "ok", heders = "headers" } do
        local words = { "response has no field '" .. name .. "'", "did you mean '" .. hint .. "'?" }
        says(words, function() return it[name] end)
      end
      says({ "did you mean ['content-length']?" }, function() return it.headers.content_length end)
      equal({ it.headers.no_such, it.headers["no-such"], it.__name, it[1] }, {})
    end
  end)

  it("X-12: an error of a response says its reason and its first bytes", function()
    local r = http.post(URL .. "/mirror?status=401", { body = ("x"):rep(300) })
    local err = raises_error({ kind = "HttpError", code = "status" },
      http.get(URL .. "/status/404").raise_for_status,
      http.get(URL .. "/status/404"))
    equal(err.message:find "status 404 %S" ~= nil, true, err.message)
    equal(err.response.status, 404)
    equal(r.status, 200)
    local failing = setmetatable({
      status = 500, url = URL, body = ("y"):rep(300), reason = "Oops\27", method = "GET",
    },
      debug.getmetatable(r))
    err = raises_error({ kind = "HttpError", code = "status" }, failing.raise_for_status, failing)
    equal(err.message, ("GET %s: status 500 Oops\\x1b: %s"):format(URL, ("y"):rep(200)))
  end)
end)

it("X-12: the error for the result of a function asks for the function", function()
  misuse("was the function called instead of passed%?", function() task.spawn(task.sleep(0)) end)
  misuse("was the function called instead of passed%?", function()
    task.background(task.sleep(0))
  end)
  misuse("function expected, got nil", function() task.spawn(nil) end)
end)

it("X-12: a list that is empty as its function was called is an empty list", function()
  local function nothing() end
  equal(task.gather { task.sleep(0) }, { n = 0 })
  equal(task.gather({ nothing() }, { settled = true }), { n = 0 })
  equal(task.map(task.sleep, { nothing() }), {})
  local done, pending = task.wait { nothing() }
  equal({ done, pending }, { {}, {} })
  for _ in task.as_completed { nothing() } do error "of nothing" end
  misuse("a list of functions expected, got an empty one", function()
    task.race { task.sleep(0) }
  end)
end)
