-- SPDX-License-Identifier: MIT
-- septet.net: connections and servers that work, and their arguments.
local task, net = require "septet.task", require "septet.net"
local files, sockets, ticker = require "files", require "sockets", require "ticker"

collectgarbage()
local at_first = sockets.count()

-- Returns a server, and a task that serves it with fn.
local function serving(fn, options)
  local server = net.listen(options)
  return server, task.spawn(server.serve, server, fn)
end

local function connect(server, options)
  options = options or {}
  options.host, options.port, options.path = server.host, server.port, server.path
  return net.connect(options)
end

local function echo(c)
  for line in c:lines() do c:write(line, "\n") end
end

-- Calls fn(connection, peer) with both sides of a connection.
local function pair(fn, options, server_options)
  local server <close> = net.listen(server_options)
  local accepted = task.spawn(server.accept, server)
  local c <close> = connect(server, options)
  local peer <close> = accepted:await()
  fn(c, peer)
end

describe("a connection", function()
  it("a connection carries lines both ways", function()
    local server, t = serving(echo)
    for _, host in ipairs { "127.0.0.1", "localhost", "LOCALHOST" } do
      local c <close> = net.connect { host = host, port = server.port }
      equal(c:write("one\n", 2, "\n", 3.5, "\n"), c)
      equal({ c:read_line(), c:read_line(), c:read_line() }, { "one", "2", "3.5" })
      c:shutdown()
      equal(c:read_line(), nil)
    end
    server:close()
    t:await()
  end)

  it("a connection knows both addresses", function()
    pair(function(c, peer)
      equal(c.peer:find "^127%.0%.0%.1:%d+$" ~= nil, true)
      equal(c.peer, peer.local_address)
      equal(c.local_address, peer.peer)
      equal(tostring(c), "connection " .. c.peer)
      c:close()
      equal(tostring(c), "connection " .. c.peer)
    end)
  end)

  it("a connection over IPv6 has addresses in brackets", function()
    local server, t = serving(echo, { host = "::1" })
    equal(server.host, "::1")
    for _, host in ipairs { "::1", "[::1]", "localhost" } do
      local c <close> = net.connect { host = host, port = server.port }
      equal(c.peer, ("[::1]:%d"):format(server.port))
      equal(c:write "x\n":read_line(), "x")
    end
    server:close()
    t:await()
  end)

  it("a connection to localhost takes the address that answers", function()
    pair(function(c) equal(c.peer:find "^127%.0%.0%.1:" ~= nil, true) end, nil,
      { host = "localhost" })
  end)

  it("a connection reads bytes, lines, a known length and the rest", function()
    pair(function(c, peer)
      peer:write "0123456789\nabcdef\nthe rest"
      equal(c:read(4), "0123")
      equal(c:read_line(), "456789")
      equal(c:read_exactly(3), "abc")
      equal(c:read_exactly(0), "")
      peer:close()
      equal(c:read_line(), "def")
      equal(c:read_all(), "the rest")
      equal({ c:read_all(), c:read(1), c:read_line(), c:read_exactly(1) }, { "" })
    end)
  end)

  it("a connection is closed in one direction, and goes on in the other", function()
    pair(function(c, peer)
      c:write "request"
      c:shutdown()
      equal(peer:read_all(), "request")
      peer:write "answer"
      peer:shutdown()
      equal(c:read_all(), "answer")
    end)
  end)

  it("a connection that was shut down reads on, and writes no more", function()
    pair(function(c, peer)
      equal(c:shutdown(), c)
      c:shutdown()
      raises_error({ kind = "IoError", code = "EPIPE" }, c.write, c, "x")
      peer:write("", "x", "")
      peer:write()
      peer:close()
      equal(c:read_all(), "x")
    end)
  end)

  it("a connection carries more than the kernel holds", function()
    pair(function(c, peer)
      local text = ("0123456789abcde\n"):rep(many(400000))
      local writer = task.spawn(function()
        c:write(text)
        c:shutdown()
      end)
      equal(peer:read_all() == text, true)
      writer:await()
    end)
  end)

  it("a connection carries bytes in both directions at once", function()
    pair(function(c, peer)
      local text = ("x"):rep(many(3000000))
      local function send(to)
        to:write(text)
        to:shutdown()
      end
      local writers = { task.spawn(send, c), task.spawn(send, peer) }
      local readers = { task.spawn(c.read_all, c), task.spawn(peer.read_all, peer) }
      for _, t in ipairs(readers) do equal(t:await() == text, true) end
      for _, t in ipairs(writers) do t:await() end
    end)
  end)

  it("a connection that waits leaves the loop free", function()
    pair(function(c, peer)
      local t = ticker.later(peer.write, peer, "x\n")
      equal(c:read_line(), "x")
      t:await()
    end)
  end)

  it("a connection that carries much leaves the loop free", function()
    pair(function(c, peer)
      ticker.laps(30, function()
        local writer = task.spawn(function()
          local text = ("x"):rep(1000000)
          for _ = 1, many(100) do c:write(text) end
          c:shutdown()
        end)
        repeat until not peer:read(1000000)
        writer:await()
      end)
    end)
  end)
end)

describe("a unix socket", function()
  it("a unix socket carries lines, and its file goes with the server", function()
    local f <close> = files.temporary()
    os.remove(f.path)
    local server, t = serving(echo, { path = f.path })
    equal({ server.path, server.port, server.host }, { f.path })
    local c <close> = connect(server)
    equal({ c.peer, c.local_address }, { f.path })
    equal(tostring(server), ("server '%s'"):format(f.path))
    equal(tostring(c), ("connection '%s'"):format(f.path))
    equal(c:write "x\n":read_line(), "x")
    c:close()
    server:close()
    t:await()
    equal(io.open(f.path), nil)
  end)
end)

describe("a server", function()
  it("a server accepts, and its connections outlive it", function()
    local server = net.listen()
    local t = task.spawn(server.accept, server)
    local c <close> = connect(server)
    local peer <close> = t:await()
    server:close()
    c:write "x\n"
    equal(peer:read_line(), "x")
  end)

  it("a server that waits leaves the loop free", function()
    local server <close> = net.listen()
    local t = ticker.later(function()
      net.connect { host = server.host, port = server.port }:close()
    end)
    server:accept():close()
    t:await()
  end)

  it("a server iterates over connections until it is closed", function()
    local server <close> = net.listen()
    local n = 0
    local t = task.spawn(function()
      local connections = server:connections() -- one value, without a state beside it
      for peer in connections do
        n = n + 1
        peer:close()
        if n == 3 then server:close() end
      end
    end)
    for _ = 1, 3 do
      local c <close> = connect(server)
      equal(c:read(1), nil)
    end
    t:await()
    equal(n, 3)
  end)

  it("a server that is closed ends a loop that waits, and an accept with an error", function()
    local server = net.listen()
    local t = task.spawn(function() for _ in server:connections() do error "no" end end)
    turns(2)
    server:close()
    t:await()
    server = net.listen()
    t = task.spawn(server.accept, server)
    turns(2)
    server:close()
    local err = raises_error({ kind = "IoError", code = "closed", operation = "accept",
      address = "127.0.0.1:" .. server.port }, t.await, t)
    equal(err.message, ("the server on '127.0.0.1:%d' was closed"):format(server.port))
    misuse("the server is closed", function() server:accept() end)
    for _ in server:connections() do error "no" end
  end)

  it("a server serves many connections at once", function()
    local server, t = serving(echo)
    local clients = task.map(function(i)
      local c <close> = connect(server)
      for n = 1, 10 do
        c:write(i, " ", n, "\n")
        equal(c:read_line(), ("%d %d"):format(i, n))
      end
    end, { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 })
    task.gather(clients)
    server:close()
    t:await()
  end)

  it("a server takes no more connections at once than it may", function()
    local server <close> = net.listen { max_connections = 1 }
    local first <close> = connect(server)
    local second <close> = connect(server)
    local a <close> = server:accept()
    local t = task.spawn(server.accept, server)
    turns(10)
    equal(t:status(), "suspended")
    a:close()
    local b <close> = t:await()
    second:write "x"
    equal(b:read(1), "x")
    first:close()
  end)

  it("a server whose task is cancelled cancels its connections", function()
    local ended = {}
    local server <close>, t = serving(function(c)
      local ok, err = pcall(c.read, c, 1)
      ended = { ok, task.is_cancelled(err) }
      error(err, 0)
    end)
    local c <close> = connect(server)
    turns(10)
    t:cancel()
    task.wait { t }
    equal(t:status(), "cancelled")
    equal(ended, { false, true })
    equal(c:read(1), nil)
  end)
end)

describe("a handle", function()
  it("a handle that a script drops is closed by the collector", function()
    local server = net.listen()
    local c <close> = net.connect { host = server.host, port = server.port }
    server:accept()
    server = nil -- luacheck: ignore
    turns(2)
    collectgarbage()
    collectgarbage()
    equal(c:read(1), nil)
  end)
end)

describe("a mistake", function()
  it("a mistake in an argument raises Usage at its line", function()
    local server <close> = net.listen()
    local port = server.port
    misuse("unknown option 'prot' to 'connect', did you mean 'port'", function()
      net.connect { host = "x", prot = 1 }
    end)
    misuse("bad options to 'connect' %('host' or 'path' expected%)", function() net.connect() end)
    misuse("bad option 'port' to 'connect' %(a whole number from 1 to 65535", function()
      net.connect { host = "x" }
    end)
    misuse("bad option 'port'", function() net.connect { host = "x", port = 0 } end)
    misuse("bad option 'port'", function() net.connect { host = "x", port = "80" } end)
    misuse("bad option 'port'", function() net.listen { port = 65536 } end)
    misuse("either 'path', or 'host'", function() net.connect { path = "x", port = 1 } end)
    misuse("either 'path', or 'host'", function() net.listen { path = "x", host = "::" } end)
    misuse("'allow', 'deny' and 'resolver'", function() net.connect { path = "x", deny = "y" } end)
    misuse("a NUL in it", function() net.connect { path = "x\0y" } end)
    misuse("a NUL in it", function() net.connect { host = "x\0y", port = 1 } end)
    misuse("a NUL in it", function() net.listen { path = "x\0y" } end)
    misuse("bad rule 'a b' to 'connect'", function()
      net.connect { host = "x", port = 1, deny = "a b" }
    end)
    misuse("bad option 'timeout'", function()
      net.connect { host = "x", port = 1, timeout = -1 }
    end)
    misuse("bad option 'max_line'", function() net.listen { max_line = 0 } end)
    misuse("'port' to 'connect' %(a whole number from 1 to 65535 expected, got string%)$",
      function() net.connect { host = "127.0.0.1", port = "80" } end)
    misuse("bad option 'backlog'", function() net.listen { backlog = 0 } end)
    misuse("bad argument #1 to 'serve' %(function expected", function() server:serve() end)
    local c <close> = net.connect { host = "127.0.0.1", port = port }
    misuse("bad argument #1 to 'write' %(string expected", function() c:write(nil) end)
    misuse("bad argument #2 to 'write' %(string expected", function() c:write("x", {}) end)
    misuse("connection has no field 'recv', did you mean 'read'", function() return c.recv end)
    misuse("server has no field 'prot', did you mean 'port'", function() return server.prot end)
    c:close()
    misuse("the connection is closed", function() c:read(1) end)
    misuse("the connection is closed", function() c:write "x" end)
    misuse("the connection is closed", function() c:shutdown() end)
    c:close()
  end)
end)

describe("the end", function()
  it("the end leaves no socket open", function()
    collectgarbage()
    collectgarbage()
    equal(sockets.count(), at_first)
  end)
end)
