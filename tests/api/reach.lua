-- SPDX-License-Identifier: MIT
-- A script with globals of its own that visits every table that it reaches, for test_profile.c. It
-- returns the paths of those that another script reaches as well and that it could change.
-- luacheck: globals is_anothers origin
-- check: globals is_anothers, origin
local task, http, sync = require "septet.task", require "septet.http", require "septet.sync"
local json, sio, trace = require "septet.json", require "septet.io", require "septet.trace"
local csv = require "septet.csv"
local url, hash = require "septet.url", require "septet.hash"
local html = require "septet.html"
require "septet.testing"
local pretty = require "septet.pretty"

local found, visited = {}, {}

local function is_writable(t)
  return pcall(rawset, t, "mark", nil)
end

local function visit(value, path)
  local kind = type(value)
  if kind ~= "table" and kind ~= "userdata" or visited[value] then return end
  visited[value] = true
  visit(getmetatable(value), path .. "<meta>")
  for _, name in ipairs { "__index", "__newindex", "__name", "close", "after", "session" } do
    local ok, field = pcall(function() return value[name] end)
    if ok then visit(field, path .. "." .. name) end
  end
  if kind ~= "table" then return end
  if is_anothers(value) and is_writable(value) then found[#found + 1] = path end
  local fields = {}
  for key, field in next, value do fields[key] = field end
  for key, field in pairs(value) do fields[key] = field end
  for key, field in pairs(fields) do
    visit(key, path .. ".<key>")
    visit(field, path .. "." .. tostring(key))
  end
end

local function error_of(fn, ...) return select(2, pcall(fn, ...)) end

visited[found], visited[visited] = true, true
visit(_G, "_G")
visit({ task = task, http = http, sync = sync, json = json, io = sio, trace = trace, url = url,
  hash = hash, csv = csv, html = html, pretty = pretty,
  septet = require "septet", loaded = package.loaded }, "modules")
task.group(function(g)
  visit({ group = g, scope = task.scope(), current = task.current(), tree = task.tree(),
    handle = g:spawn(function() end), var = task.var(1), timeout = task.timeout,
    generator = task.generator(function() end), event = sync.event(), lock = sync.lock(),
    semaphore = sync.semaphore(1), channel = sync.channel(1), default = http.default(),
    session = http.session { headers = { a = "b" }, retries = { attempts = 2 } },
    usage = error_of(task.sleep, "x"), denied = error_of(sio.open, "/etc/passwd"),
    refused = error_of(http.get, "http://127.0.0.1:1/"), json = error_of(json.decode, "{"),
    parsed = url.parse "http://a/?b=1", query = url.query "a=1",
    digest = hash.new "sha256", undigested = error_of(hash.unhex, "x"),
    document = html.parse "<p>", element = html.parse "<p>":first "p",
    links = html.parse "<a href>":links(),
    selector = error_of(html.parse "".select, html.parse "", "<"),
    rows = csv.reader "a,b", writer = csv.writer(function() end), torn = error_of(csv.parse, '"'),
    unparsed = error_of(url.parse, "http://"),
    array = json.decode "[1, [2], {}]", marked = json.array {}, null = json.null,
    response = error_of(http.get, origin .. "/status/200") }, "objects")
end)
local function hook(...) visit({ ... }, "hook") end
http.get(origin .. "/status/200", { trace = { request_start = hook, request_end = hook } })
do
  local stream <close> = http.default():stream("GET", origin .. "/bytes/10")
  visit({ stream, stream:lines(), stream.headers }, "stream")
end
local _, group_error = pcall(task.gather, { function() error "a" end, function() error "b" end })
visit(group_error, "error")
trace.subscribe(function(event) visit(event, "event") end)
task.sleep(0.001)
for _, name in ipairs { "string", "septet", "septet.task", "_G", "package" } do
  visit(require(name), "require " .. name)
  visit(package.loaded[name], "loaded " .. name)
end
return table.concat(found, "\n")
