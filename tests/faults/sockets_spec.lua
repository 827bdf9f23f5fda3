-- SPDX-License-Identifier: MIT
-- septet.net against peers that refuse, reset, stall and vanish, names that lead nowhere, and files
-- in the way. What each fault leaves usable, and that it is told.
-- peers: dns blackhole
local task, net = require "septet.task", require "septet.net"
local sync, testing = require "septet.sync", require "septet.testing"
local command, files, ticker = require "command", require "files", require "ticker"
local origin, sockets = require "origin", require "sockets"

local DNS, BLACKHOLE = assert(os.getenv "SEPTET_DNS"), assert(os.getenv "SEPTET_BLACKHOLE")

collectgarbage()
local at_first = sockets.count()

local function pair(fn, options, server_options)
  local server <close> = net.listen(server_options)
  local accepted = task.spawn(server.accept, server)
  options = options or {}
  options.host, options.port, options.path = server.host, server.port, server.path
  local c <close> = net.connect(options)
  local peer <close> = accepted:await()
  fn(c, peer, server)
end

-- Returns a port on which nothing listens.
local function free_port()
  local server <close> = net.listen()
  return server.port
end

local function waiting(fn, ...)
  local t = task.spawn(fn, ...)
  testing.wait_all_blocked()
  equal(t:status(), "suspended")
  return t
end

-- Cancels a task that waits, and awaits its end.
local function cancel(t)
  t:cancel()
  task.wait { t }
  equal(t:status(), "cancelled")
end

local function io_error(code, fn, ...)
  return raises_error({ kind = "IoError", code = code }, fn, ...)
end

-- Closes a connection in such a way that the kernel resets it: with bytes that were not read.
local function reset(c, peer)
  peer:write "unread"
  c:read(1)
  peer:write "x"
  c:read_exactly(5)
  peer:write "more, which stays in the kernel"
  c:close()
end

describe("connecting", function()
  it("to a port on which nothing listens is refused", function()
    local port = free_port()
    local err = raises_error({ kind = "IoError", code = "ECONNREFUSED", operation = "connect",
      address = "127.0.0.1:" .. port }, net.connect, { host = "127.0.0.1", port = port })
    equal(err.message, ("cannot connect to '127.0.0.1:%d': connection refused"):format(port))
    io_error("ECONNREFUSED", net.connect, { host = "localhost", port = port })
    io_error("ENOENT", net.connect, { path = "/tmp/septet-nothing-here" })
  end)

  it("to an invalid host raises, and asks no server", function()
    for _, host in ipairs { "", "a b", "[::1", "1.2.3.4.5", "a..b", ("x"):rep(300), "::g" } do
      io_error("host", net.connect, { host = host, port = 1, resolver = DNS })
    end
  end)

  it("to a name that does not exist raises", function()
    local err = raises_error({ kind = "IoError", code = "dns", reason = "not_found" }, net.connect,
      { host = "nx.test", port = 1, resolver = DNS })
    equal(err.message:find("cannot connect to 'nx.test:1': ", 1, true), 1)
    raises_error({ code = "dns", reason = "not_found" }, net.connect,
      { host = "empty.test", port = 1, resolver = DNS })
    raises_error({ code = "dns", reason = "server" }, net.connect,
      { host = "servfail.test", port = 1, resolver = DNS })
  end)

  it("to a name that never answers ends by its timeout, or by a cancellation", function()
    local options = { host = "silent.test", port = 1, resolver = DNS, timeout = 0.3 }
    ticker.waits(function()
      local err = io_error("timeout", net.connect, options)
      equal(err.message, "cannot connect to 'silent.test:1': timed out after 0.3 s")
    end)
    options.timeout = nil
    raises_error({ kind = "Timeout" }, task.timeout, 0.05, net.connect, options)
    local t = waiting(net.connect, options)
    cancel(t)
  end)

  it("to an address that is silent ends by its timeout, or by a cancellation", function()
    local options = { host = BLACKHOLE, port = tonumber(origin.url:match "%d+$"), timeout = 0.3 }
    ticker.waits(function() io_error("timeout", net.connect, options) end)
    options.timeout = nil
    local t = waiting(net.connect, options)
    cancel(t)
  end)

  it("to a name with several addresses goes on when the first one refuses", function()
    local server <close> = net.listen { host = "127.0.0.3" }
    for _, name in ipairs { "a-127-0-0-1.a-127-0-0-3", "a-127-0-0-3.a-127-0-0-1", "a-127-0-0-3",
      "aaaa---1.a-127-0-0-3" } do
      local c <close> = net.connect { host = name .. ".test", port = server.port, resolver = DNS }
      equal(c.peer, "127.0.0.3:" .. server.port)
      server:accept():close()
    end
    server:close()
    io_error("ECONNREFUSED", net.connect,
      { host = "a-127-0-0-1.a-127-0-0-3.test", port = server.port, resolver = DNS })
  end)

  it("to a name with several addresses goes on beside one that is silent", function()
    local silent <close> = net.listen { backlog = 1 }
    local queued = {}
    local function fill() -- the kernel drops what does not fit in the queue
      queued[#queued + 1] = net.connect { host = "127.0.0.1", port = silent.port, timeout = 0.2 }
    end
    -- One alone may fail because the machine stood still.
    repeat until not task.pcall(fill) and not task.pcall(fill)
    local server <close> = net.listen { host = "127.0.0.3", port = silent.port }
    local options = { host = "a-127-0-0-1.a-127-0-0-3.test", port = silent.port, resolver = DNS }
    local c <close> = net.connect(options)
    equal(c.peer, "127.0.0.3:" .. server.port)
    for _, other in ipairs(queued) do other:close() end
  end)

  it("to a unix socket with a full queue waits until it has room", function()
    local f <close> = files.temporary()
    os.remove(f.path)
    local server <close> = net.listen { path = f.path, backlog = 1 }
    local queued = {}
    local function fill()
      queued[#queued + 1] = net.connect { path = f.path, timeout = 0.1 }
    end
    local ok, err
    -- One alone may fail because the machine stood still.
    repeat ok, err = task.pcall(fill) until not ok and not task.pcall(fill)
    equal(err.code, "timeout")
    local t = waiting(net.connect, { path = f.path })
    cancel(t)
    t = waiting(net.connect, { path = f.path })
    server:accept():close()
    t:await():close()
    for _, c in ipairs(queued) do c:close() end
  end)

  it("is cancelled at each of its waits, and leaves nothing behind", function()
    local server <close> = net.listen()
    for n = 1, 6 do
      local t = task.spawn(net.connect,
        { host = "a-127-0-0-1.late-20.test", port = server.port, resolver = DNS })
      if n % 2 == 0 then task.sleep(n * 0.004) else turns(n) end
      t:cancel()
      task.wait { t }
      if t:status() == "done" then t:await():close() end
    end
  end)
end)

describe("rules", function()
  it("rules deny a name, a port, an address, and what a name leads to", function()
    local server <close> = net.listen()
    local port = server.port
    local function denied(reason, options)
      options.host, options.port, options.resolver = options.host or "127.0.0.1", port, DNS
      return raises_error({ kind = "IoError", code = "denied", reason = reason }, net.connect,
        options)
    end
    local err = denied("address", { deny = "private" })
    equal(err.message,
      ("cannot connect to '127.0.0.1:%d': denied by the rule 'private'"):format(port))
    denied("host", { host = "inner.test", deny = "*.test" })
    denied("port", { host = "localhost", deny = ":" .. port })
    err = denied("address", { allow = "example.com" })
    equal(err.message, ("cannot connect to '127.0.0.1:%d': no rule allows it"):format(port))
    for _, name in ipairs { "a-127-0-0-1", "aaaa---1", "a-10-0-0-1.a-127-0-0-1", "rebind" } do
      denied("address", { host = name .. ".test", deny = "private" })
      denied("address", { host = name .. ".test", deny = { "127.0.0.0/8", "::1", "10.0.0.1" } })
    end
    denied("address", { host = "aaaa---ffff-7f00-1.test", deny = "private" })
    local c <close> = net.connect { host = "a-10-0-0-1.a-127-0-0-1.test", port = port,
      resolver = DNS, deny = "10.0.0.0/8" }
    equal(c.peer, "127.0.0.1:" .. port)
  end)
end)

describe("a peer", function()
  it("that resets the connection at any byte does so after what it has sent", function()
    local text = "first line\nsecond line\n"
    for n = 0, #text do
      pair(function(c, peer)
        c:write "unread"
        peer:write(text:sub(1, n))
        peer:close()
        local got = {}
        local err = io_error("ECONNRESET", function()
          for line in c:lines() do got[#got + 1] = line end
        end)
        equal(err.operation, "read")
        local complete = select(2, text:sub(1, n):gsub("\n", ""))
        equal(#got, complete)
        local rest = text:sub(1, n):match "[^\n]*$"
        if #rest > 0 then equal(c:read(100), rest) end
        for _ = 1, 2 do -- and never says that this was the end
          io_error("ECONNRESET", c.read, c, 1)
          io_error("ECONNRESET", c.read_line, c)
          io_error("ECONNRESET", c.read_all, c)
          io_error("ECONNRESET", c.read_exactly, c, 1)
        end
      end)
    end
  end)

  it("that resets while a read waits ends that", function()
    pair(function(c, peer)
      local t = waiting(c.read, c, 1)
      reset(peer, c)
      io_error("ECONNRESET", t.await, t)
    end)
  end)

  it("that is gone fails each later write, without a signal", function()
    pair(function(c, peer)
      peer:close()
      equal(c:read(1), nil)
      local codes = {}
      for _ = 1, 5 do
        local ok, err = task.pcall(c.write, c, "x")
        if not ok then codes[err.code] = true end
        task.sleep(0.002)
      end
      codes.ECONNRESET = nil -- the first of them may meet the reset itself
      equal(codes, { EPIPE = true })
    end)
  end)

  it("that sends bytes slowly is met by the timeout of each call, and nothing is lost", function()
    pair(function(c, peer)
      local all_timed_out = sync.event()
      local drip = task.spawn(function()
        for _ = 1, 20 do
          peer:write "x"
          task.sleep(0.02)
        end
        all_timed_out:wait()
        peer:write "\n"
      end)
      for _, read in ipairs { c.read_line, c.read_all } do
        local err = raises_error({ kind = "IoError", code = "timeout", operation = "read",
          address = c.peer }, read, c)
        equal(err.message, ("cannot read '%s': timed out after 0.05 s"):format(c.peer))
      end
      io_error("timeout", c.read_exactly, c, 100)
      equal(c:read(1), "x")
      c:set_timeout(nil)
      all_timed_out:set()
      equal(c:read_line(), ("x"):rep(19))
      drip:await()
    end, { timeout = 0.05 })
  end)

  it("that sends a line over the limit is refused, and its bytes stay", function()
    pair(function(c, peer)
      local writer = task.spawn(peer.write, peer, ("x"):rep(1000000))
      local err = io_error("line_too_long", c.read_line, c)
      equal(err.message, ("a line of '%s' is longer than 10 bytes"):format(c.peer))
      io_error("line_too_long", c.read_line, c)
      io_error("too_big", c.read_all, c, 1000)
      equal(c:read_exactly(1000000), ("x"):rep(1000000))
      writer:await()
    end, { max_line = 10 })
  end)

  it("that never reads holds up the writer, which its timeout ends", function()
    pair(function(c, peer)
      local chunk, n = ("x"):rep(1000000), 0
      local err = ticker.laps(5, function()
        return io_error("timeout", function()
          for i = 1, 100 do
            c:write(chunk)
            n = i
          end
        end)
      end)
      equal({ err.operation, err.address }, { "write", c.peer })
      equal(n < 50, true)
      local got = 0 -- the rest of a piece is still written
      local reader = task.spawn(function()
        for bytes in function() return peer:read(1000000) end do got = got + #bytes end
      end)
      c:set_timeout(nil)
      c:write "end"
      c:shutdown()
      reader:await()
      equal(got >= n * 1000000 + 3 and got <= (n + 1) * 1000000 + 3, true)
    end, { timeout = 0.3 })
  end)

  it("that does not read while a writer is cancelled reads whole pieces in order", function()
    pair(function(c, peer)
      local text = {}
      for i = 1, 500000 do text[i] = ("%07d\n"):format(i) end
      text = table.concat(text)
      local t = waiting(c.write, c, text)
      cancel(t)
      local second = task.spawn(function()
        c:write "the second"
        c:shutdown()
      end)
      local got = peer:read_all()
      second:await()
      local n = #got - #"the second"
      equal(got:sub(n + 1), "the second")
      equal(got:sub(1, n) == text:sub(1, n), true)
      equal(n < #text, true)
    end)
  end)
end)

describe("another task", function()
  it("another task that reads or writes is refused", function()
    pair(function(c, peer)
      local reader = waiting(c.read, c, 1)
      local writer = waiting(c.write, c, ("x"):rep(20000000))
      misuse("another task reads from '127.0.0.1:%d+'", function() c:read_line() end)
      misuse("another task writes to '127.0.0.1:%d+'", function() c:write "x" end)
      misuse("another task writes to '127.0.0.1:%d+'", function() c:shutdown() end)
      peer:write "y"
      equal(reader:await(), "y")
      equal(#peer:read_exactly(20000000), 20000000)
      writer:await()
    end)
    local server <close> = net.listen()
    local t = waiting(server.accept, server)
    misuse("another task accepts on '127.0.0.1:%d+'$", function() server:accept() end)
    cancel(t)
  end)

  it("another task that closes ends a read and a write that wait", function()
    pair(function(c)
      local address = c.peer
      local reader = waiting(c.read, c, 1)
      local writer = waiting(c.write, c, ("x"):rep(20000000))
      c:close()
      for operation, t in pairs { read = reader, write = writer } do
        local err = raises_error({ kind = "IoError", code = "closed", operation = operation,
          address = address }, t.await, t)
        equal(err.message, ("the connection of '%s' was closed"):format(address))
      end
    end)
  end)

  it("another task that closes before a read has taken its bytes does not lose them", function()
    pair(function(c, peer)
      local t = waiting(c.read, c, 10)
      peer:write "bytes"
      local closer = task.spawn(function()
        repeat task.checkpoint() until t:status() ~= "suspended"
        c:close()
      end)
      equal(t:await(), "bytes")
      closer:await()
    end)
  end)
end)

describe("a cancelled read", function()
  it("a cancelled read loses no bytes, wherever it is cancelled", function()
    pair(function(c, peer)
      local got = {}
      for i = 1, 50 do
        local t = task.spawn(c.read_exactly, c, 4)
        turns(i % 5)
        peer:write(("%04d"):format(i):sub(1, 2))
        turns(i % 3)
        t:cancel()
        peer:write(("%04d"):format(i):sub(3))
        task.wait { t }
        local ok, bytes = t:result()
        if ok then got[#got + 1] = bytes else got[#got + 1] = c:read_exactly(4) end
      end
      for i = 1, 50 do equal(got[i], ("%04d"):format(i)) end
    end)
  end)
end)

describe("the file of a unix socket", function()
  it("that a server listens on is in use", function()
    local f <close> = files.temporary()
    os.remove(f.path)
    local server <close> = net.listen { path = f.path }
    local err = raises_error({ kind = "IoError", code = "EADDRINUSE", path = f.path,
      operation = "listen on" }, net.listen, { path = f.path })
    equal(err.message, ("cannot listen on '%s': address already in use"):format(f.path))
    local _ <close> = net.connect { path = f.path } -- the first one still has it
    server:accept():close()
  end)

  it("that a server has left is replaced, and no other file is", function()
    local f <close> = files.with ""
    io_error("EADDRINUSE", net.listen, { path = f.path })
    os.remove(f.path)
    command.shell(("python3 -c \"import socket; socket.socket(socket.AF_UNIX).bind('%s')\"")
      :format(f.path))
    io_error("ECONNREFUSED", net.connect, { path = f.path })
    local server <close> = net.listen { path = f.path }
    local _ <close> = net.connect { path = f.path }
    server:accept():close()
  end)

  it("that another server has taken over stays", function()
    local f <close> = files.temporary()
    os.remove(f.path)
    local old = net.listen { path = f.path }
    os.rename(f.path, f.path .. ".old")
    local new <close> = net.listen { path = f.path }
    old:close()
    os.remove(f.path .. ".old")
    local _ <close> = net.connect { path = f.path }
    new:accept():close()
  end)

  it("that has too long a path, or a folder that is missing, raises", function()
    local long = "/tmp/" .. ("x"):rep(200)
    local err = io_error("ENAMETOOLONG", net.listen, { path = long })
    equal(err.path, long)
    io_error("ENAMETOOLONG", net.connect, { path = long })
    io_error("ENAMETOOLONG", net.listen, { path = "" })
    local folder = "/tmp/septet-no-such-folder/x"
    io_error("ENOENT", net.listen, { path = folder })
  end)
end)

describe("listening", function()
  it("on a port in use, or a foreign address, raises", function()
    local server <close> = net.listen()
    local err = raises_error({ kind = "IoError", code = "EADDRINUSE", operation = "listen on",
      address = "127.0.0.1:" .. server.port }, net.listen, { port = server.port })
    equal(err.message,
      ("cannot listen on '127.0.0.1:%d': address already in use"):format(server.port))
    io_error("EADDRNOTAVAIL", net.listen, { host = "192.0.2.1" })
    io_error("EADDRNOTAVAIL", net.listen, { host = "example.com" })
    io_error("EADDRNOTAVAIL", net.listen, { host = "" })
  end)
end)

local STARVED = [[
local net = require "septet.net"
local server = net.listen()
local clients, held, accepted = {}, {}, {}
for i = 1, 6 do clients[i] = net.connect { host = "127.0.0.1", port = server.port } end
repeat
  local file = io.open "/dev/null"
  held[#held + 1] = file
until not file
local t = task.spawn(function()
  for c in server:connections() do accepted[#accepted + 1] = c end
end)
local before, n = os.clock(), 0
for _ = 1, 20 do
  task.sleep(0.02)
  n = n + 1
end
print("ticks", n, "accepted", #accepted, "busy", os.clock() - before > 0.3)
for i = 1, 3 do held[i]:close() end
while #accepted < 3 do task.sleep(0.01) end
accepted[1]:close() -- without a wait for the pause to end
while #accepted < 4 do task.sleep(0.01) end
for i = 4, #held do held[i]:close() end
while #accepted < 6 do task.sleep(0.01) end
print "all"
server:close()
t:await()
]]

describe("a process", function()
  it("without a descriptor left accepts no more, says so, and goes on with the next", function()
    local file <close> = files.with('local task = require "septet.task"\n' .. STARVED)
    local printed, status = command.shell(
      ("ulimit -n 48; exec '%s' '%s'"):format(command.path, file.path))
    equal(status, 0, printed)
    local words = "septet: warning: cannot accept a connection on '127.0.0.1:[1-9]%d+': "
      .. "no file descriptor is left; it waits for one\n"
    local _, warnings = printed:gsub("no file descriptor is left", "")
    equal(printed:find(words) ~= nil, true, printed)
    equal(printed:find("ticks\t20\taccepted\t0\tbusy\tfalse\n", 1, true) ~= nil, true, printed)
    equal(printed:find("all\n", 1, true) ~= nil, true, printed)
    equal(warnings >= 1 and warnings <= 3, true, printed)
  end)

  it("without a descriptor left cannot connect or listen, says so, and can once there is one",
    function()
      local file <close> = files.with [[
        local net = require "septet.net"
        local server, held = net.listen {}, {}
        local to = { host = "127.0.0.1", port = server.port }
        net.connect(to):close()
        repeat
          local f = io.open "/dev/null"
          held[#held + 1] = f
        until not f
        for _ = 1, 20 do
          print(select(2, pcall(net.connect, to)).code, select(2, pcall(net.listen)).code)
        end
        for _, f in ipairs(held) do f:close() end
        print(net.connect(to).peer == "127.0.0.1:" .. server.port, net.listen().port > 0)]]
      local printed, status = command.shell(
        ("ulimit -n 48; exec '%s' '%s'"):format(command.path, file.path))
      equal({ printed, status }, { ("EMFILE\tEMFILE\n"):rep(20) .. "true\ttrue\n", 0 })
    end)

  it("that ends with open connections and servers closes them", function()
    local script = [[
      local net = require "septet.net"
      _G.server = net.listen()
      _G.c = net.connect { host = "127.0.0.1", port = _G.server.port }
      _G.peer = _G.server:accept()
      task.background(function() _G.c:read(1) end)
      task.background(function() _G.c:write(("x"):rep(20000000)) end)
      task.background(_G.server.serve, _G.server, print)
      task.background(net.connect, { host = "silent.test", port = 1, resolver = "]] .. DNS .. [[" })
      task.sleep(0.02)
      %s
    ]]
    local function run(ending)
      local printed, status = command.run(script:format(ending))
      return { printed, status }
    end
    equal(run "print 'end'", { "end\n", 0 })
    local failed = run "error 'failed'"
    equal(failed[2], 1)
    equal(failed[1]:find("failed", 1, true) ~= nil, true)
    equal(run "os.exit(3)", { "", 3 })
    equal(run "os.exit(0, true)", { "", 0 })
  end)

  it("that writes to a peer that is gone is not ended by a signal", function()
    local printed, status = command.run [[
      local net = require "septet.net"
      local server = net.listen()
      local c = net.connect { host = "127.0.0.1", port = server.port }
      server:accept():close()
      local err
      repeat
        local ok
        ok, err = pcall(c.write, c, ("x"):rep(1000000))
      until not ok
      print(err.kind)
    ]]
    equal({ printed, status }, { "IoError\n", 0 })
  end)
end)

describe("a handler", function()
  it("that fails is told, its connection is closed, and the server goes on", function()
    local printed, status = command.run [[
      local net = require "septet.net"
      local server = net.listen()
      local t = task.spawn(server.serve, server, function(c)
        local line = c:read_line()
        if line == "fail" then error "on purpose" end
        c:write(line)
      end)
      for _, line in ipairs { "fail", "well" } do
        local c <close> = net.connect { host = "127.0.0.1", port = server.port }
        c:write(line, "\n")
        print(c:read_all())
      end
      server:close()
      t:await()
    ]]
    equal(status, 0, printed)
    equal(printed:match "warning: a connection of '127.0.0.1:%d+' failed: (.-)\n",
      "s.lua:5: on purpose")
    equal(printed:match "\n(\n.*)", "\nwell\n")
  end)
end)

describe("the end", function()
  it("leaves no socket open", function()
    collectgarbage()
    collectgarbage()
    for _ = 1, 500 do -- those of lookups stay open for a moment
      if sockets.count() == at_first then return end
      task.sleep(0.01)
    end
    equal(sockets.count(), at_first)
  end)
end)
