-- SPDX-License-Identifier: MIT
-- What stops the other tasks: runs calls of Lua's own libraries and of those that Debian packages
-- beside a task that ticks every millisecond, and prints the longest time between two ticks. A
-- library that is not installed is left out. docs/blocking.md has the results.
local task = require "septet.task"

local TICK, WAIT = 0.001, 0.3 -- seconds

local longest, last = 0, 0
task.background(function()
  while true do
    task.sleep(TICK)
    local now = task.now()
    longest, last = math.max(longest, now - last), now
  end
end)

local function show(name, fn)
  task.sleep(5 * TICK)
  longest, last = 0, task.now()
  local began = last
  local ok, err = task.pcall(fn)
  local took = task.now() - began
  task.sleep(2 * TICK)
  print(("%-44s %8.1f ms, others stood still for %7.1f ms%s"):format(name, took * 1e3,
    longest * 1e3, ok and "" or "  " .. tostring(err):match "[^\n]*"))
end

local function with(name, fn)
  local ok, module = pcall(require, name)
  if ok then fn(module) end
end

-- A server that answers each connection after WAIT, in a process of its own, as it must go on while
-- this one stands still.
local SERVER = [[
import socket, threading, time, sys
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
def answer(c):
    c.recv(65536); time.sleep(%g)
    c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"); c.close()
while True:
    threading.Thread(target=answer, args=(s.accept()[0],), daemon=True).start()
]]

local server <close> = require "septet.process".spawn { "python3", "-c", SERVER:format(WAIT) }
local port = server.stdout:read_line()
local big = {}
for i = 1, 200000 do big[i] = { id = i, name = "name " .. i, tags = { "a", "b" } } end
local json = require "septet.json"
local text = json.encode(big)

show("task.sleep", function() task.sleep(WAIT) end)
show("os.execute 'sleep 0.3'", function() os.execute("sleep " .. WAIT) end)
show("io.popen 'sleep 0.3'", function() io.popen("sleep " .. WAIT):read "a" end)
show("table.sort of 200 000 tables", function()
  table.sort(big, function(a, b) return a.name < b.name end)
end)
show("string.gsub over " .. #text // 1000000 .. " MB", function() text:gsub("%d+", "#") end)
show("septet.json decode of the same", function() json.decode(text) end)
show("septet.json encode of it", function() json.encode(big) end)
show("collectgarbage()", function() collectgarbage() end)
show("process.run { 'sleep', '0.3' }", function()
  require "septet.process".run { "sleep", tostring(WAIT) }
end)
show("http.get", function() require "septet.http".get("http://127.0.0.1:" .. port) end)
with("socket.http", function(http)
  show("luasocket's http.request", function() assert(http.request("http://127.0.0.1:" .. port)) end)
end)
with("cqueues", function(cqueues)
  show("cqueues.sleep in its loop", function()
    assert(cqueues.new():wrap(function() cqueues.sleep(WAIT) end):loop())
  end)
end)
with("luv", function(uv)
  show("luv's timer, with task.future", function()
    local future, timer = task.future(), uv.new_timer()
    timer:start(math.floor(WAIT * 1000), 0, function() future:set() end)
    future:await()
    timer:close()
  end)
  show("luv's sleep", function() uv.sleep(math.floor(WAIT * 1000)) end)
  show("luv's fs_scandir without a callback", function() uv.fs_scandir "/usr/bin" end)
end)
with("system", function(system) show("lua-system's sleep", function() system.sleep(WAIT) end) end)
with("lfs", function(lfs)
  show("lfs.dir and attributes of /usr/bin", function()
    for name in lfs.dir "/usr/bin" do lfs.symlinkattributes("/usr/bin/" .. name) end
  end)
end)
with("luasql.sqlite3", function(sqlite)
  show("luasql.sqlite3, a query of 2 million rows", function()
    local environment = sqlite.sqlite3()
    local db = environment:connect ":memory:"
    db:execute [[with recursive n(i) as (select 1 union all select i + 1 from n where i < 2000000)
      select sum(i) from n]]:close()
    db:close()
    environment:close()
  end)
end)
with("cjson", function(cjson) show("cjson.decode", function() cjson.decode(text) end) end)
with("dkjson", function(dkjson) show("dkjson.decode", function() dkjson.decode(text) end) end)
with("lpeg", function(lpeg)
  local pattern = ((lpeg.R "09" ^ 1) / "#" + 1) ^ 0
  show("lpeg, a substitution", function() lpeg.Cs(pattern):match(text) end)
end)
with("rex_pcre2", function(rex)
  show("rex_pcre2.gsub", function() rex.gsub(text, "[0-9]+", "#") end)
end)
with("lxp", function(lxp)
  local xml = "<a>" .. ("<b c='d'>text</b>"):rep(300000) .. "</a>"
  show("lxp (Expat) of 5 MB", function()
    local parser = lxp.new { StartElement = function() end }
    parser:parse(xml)
    parser:close()
  end)
end)
with("lyaml", function(yaml)
  show("lyaml.load of 1 MB", function() yaml.load(("- {a: 1, b: two}\n"):rep(60000)) end)
end)
with("zlib", function(zlib) show("zlib.deflate", function() zlib.deflate()(text, "finish") end) end)
with("ssl", function()
  with("socket", function(socket)
    show("luasec's handshake with a silent peer", function()
      local connection = assert(socket.connect("127.0.0.1", port))
      connection:settimeout(WAIT)
      local tls = assert(require "ssl".wrap(connection, { mode = "client", protocol = "any" }))
      tls:settimeout(WAIT)
      tls:dohandshake()
    end)
  end)
end)
