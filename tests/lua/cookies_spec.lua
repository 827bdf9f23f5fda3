-- SPDX-License-Identifier: MIT
-- septet.http: the cookies of a session as scripts list, set, remove, save and load them.
-- check: allow blocks
local task, http = require "septet.task", require "septet.http"
local files, origin, ticker = require "files", require "origin", require "ticker"

local URL = origin.url
local FAR = 4102444800 -- 2100-01-01

local function sent(session)
  return origin.echo(session, "GET").headers.cookie
end

-- Returns the cookies as "name=value", in order.
local function names(session, url)
  local list = {}
  for i, cookie in ipairs(session:cookies(url)) do list[i] = cookie.name .. "=" .. cookie.value end
  return list
end

local function jar()
  return http.session { cookies = true }
end

describe("M3: cookies of a session", function()
  it("those of responses and those of scripts are listed and sent alike", function()
    local session <close> = jar()
    equal(session:cookies(), {})
    local url = origin.raw { "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
      .. "Set-Cookie: a=1; Path=/; HttpOnly\r\n\r\n", "keep" }
    session:get(url)
    session:set_cookie { name = "b", value = "2", url = URL }
    equal(session:cookies(), {
      { name = "a", value = "1", domain = "127.0.0.1", path = "/", host_only = true,
        secure = false, http_only = true },
      { name = "b", value = "2", domain = "127.0.0.1", path = "/", host_only = true,
        secure = false, http_only = false },
    })
    equal(sent(session), "a=1; b=2")
    session:set_cookie { name = "a", value = "3", domain = "127.0.0.1" }
    equal({ sent(session), names(session) }, { "a=3; b=2", { "b=2", "a=3" } })
  end)

  it("a cookie goes where its domain, path and secure say", function()
    local session <close> = jar()
    session:set_cookie { name = "a", value = "1", domain = "example.com" }
    session:set_cookie { name = "b", value = "2", domain = ".Example.COM", path = "/p" }
    session:set_cookie { name = "c", value = "3", domain = "example.com", host_only = true }
    session:set_cookie { name = "d", value = "4", url = "https://www.example.com:444/x",
      secure = true }
    session:set_cookie { name = "e", value = "5", url = "http://[::1]:8/" }
    for url, expected in pairs {
      ["http://example.com/"] = { "a=1", "c=3" }, ["http://www.example.com/"] = { "a=1" },
      ["https://www.example.com/p/x"] = { "a=1", "b=2", "d=4" }, ["http://[::1]/"] = { "e=5" },
      ["http://other.com/"] = {}, ["http://badexample.com/"] = {},
    } do
      equal({ url, names(session, url) }, { url, expected })
    end
    equal(#session:cookies(), 5)
  end)

  it("what was listed can be set again", function()
    local session <close> = jar()
    local other <close> = jar()
    for _, cookie in ipairs {
      { name = "a", value = "", domain = "example.com" },
      { name = "b", value = "x=y z", domain = "example.com", path = "/p", host_only = true },
      { name = "__Host-c", value = "1", url = "https://example.com" , secure = true },
      { name = "__Secure-d", value = "1", domain = "example.com", secure = true, expires = FAR },
      { name = "e", value = "1", url = "http://[::1]/", http_only = true },
      { name = "f", value = "1", domain = "localhost", host_only = true },
    } do
      session:set_cookie(cookie)
    end
    for _, cookie in ipairs(session:cookies()) do other:set_cookie(cookie) end
    equal({ #session:cookies(), other:cookies() }, { 6, session:cookies() })
  end)

  it("an expired cookie removes that which it replaces", function()
    local session <close> = jar()
    session:set_cookie { name = "a", value = "1", domain = "example.com", expires = FAR }
    equal(session:cookies()[1].expires, FAR)
    session:set_cookie { name = "a", value = "", domain = "example.com", expires = 0 }
    session:set_cookie { name = "b", value = "1", domain = "example.com", expires = -5.5 }
    equal(session:cookies(), {})
    session:set_cookie { name = "c", value = "1", domain = "example.com", expires = math.huge }
    equal(session:cookies()[1].expires > FAR, true)
  end)

  it("clear_cookies removes all, or those that a filter names", function()
    local session <close> = jar()
    local function fill()
      for i = 1, 4 do
        session:set_cookie { name = "n" .. i % 2, value = "v",
          domain = i > 2 and "b.com" or "a.com", path = i == 4 and "/p" or "/" }
      end
      equal(#session:cookies(), 4)
    end
    for _, case in ipairs { { nil, 4 }, { {}, 4 }, { { domain = ".B.com" }, 2 },
      { { name = "n1" }, 2 }, { { path = "/p" }, 1 }, { { name = "n1", domain = "a.com" }, 1 },
      { { name = "n2" }, 0 }, { { name = "n" }, 0 } } do
      fill()
      equal({ session:clear_cookies(case[1]), #session:cookies() }, { case[2], 4 - case[2] })
    end
  end)

  it("what no host may set is Usage, and sets nothing", function()
    local session <close> = jar()
    for _, cookie in ipairs {
      {}, { name = "a", value = "1" }, { name = "a", domain = "example.com" },
      { name = "", value = "1", domain = "example.com" },
      { name = "a=b", value = "1", domain = "example.com" },
      { name = "a;b", value = "1", domain = "example.com" },
      { name = "a\nb", value = "1", domain = "example.com" },
      { name = "a", value = "1;2", domain = "example.com" },
      { name = "a", value = "1\0", domain = "example.com" },
      { name = "a", value = "1\r\nX: y", domain = "example.com" },
      { name = " a", value = "1", domain = "example.com" },
      { name = "a", value = "1 ", domain = "example.com" },
      { name = "a", value = ("x"):rep(4097), domain = "example.com" },
      { name = "a", value = "1", domain = "" }, { name = "a", value = "1", domain = "." },
      { name = "a", value = "1", domain = "a b" }, { name = "a", value = "1", domain = "a/b" },
      { name = "a", value = "1", domain = "a\0b" }, { name = "a", value = "1", domain = "a:80" },
      { name = "a", value = "1", domain = "com" }, { name = "a", value = "1", domain = "co.uk" },
      { name = "a", value = "1", domain = "example.com", path = "p" },
      { name = "a", value = "1", domain = "example.com", path = "" },
      { name = "a", value = "1", domain = "example.com", path = "/;a" },
      { name = "a", value = "1", domain = "example.com", path = "/" .. ("x"):rep(5000) },
      { name = "a", value = "1", domain = "example.com", url = URL },
      { name = "a", value = "1", url = "no url" }, { name = "a", value = "1", url = "ftp://h/" },
      { name = "a", value = "1", url = URL, host_only = false },
      { name = "a", value = "1", domain = "example.com", expires = "soon" },
      { name = "a", value = "1", domain = "example.com", expires = 0 / 0 },
      { name = "a", value = "1", domain = "example.com", secure = 1 },
      { name = "a", value = 1, domain = "example.com" },
      { name = "__Host-a", value = "1", url = "https://example.com" },
      { name = "__host-a", value = "1", domain = "example.com", secure = true },
      { name = "__Host-a", value = "1", url = URL, secure = true, path = "/p" },
      { name = "__Secure-a", value = "1", domain = "example.com" },
      { name = "a", value = "1", domain = "example.com", samesite = "Lax" },
    } do
      raises_error({ kind = "Usage" }, session.set_cookie, session, cookie)
    end
    raises_error({ kind = "Usage" }, session.set_cookie, session, "a=b")
    raises_error({ kind = "Usage" }, session.cookies, session, "no url")
    raises_error({ kind = "Usage" }, session.clear_cookies, session, { host = "a" })
    local err = raises_error({ kind = "Usage" }, session.set_cookie, session,
      { name = "a", value = "hunter2;", domain = "example.com" })
    equal(err.message:find("hunter2", 1, true), nil)
    equal(session:cookies(), {})
  end)

  it("a session without a jar says so, and a closed one", function()
    local plain <close> = http.session()
    local without <close> = http.session { cookies = false }
    for _, session in ipairs { plain, without } do
      for _, method in ipairs { "cookies", "clear_cookies" } do
        misuse("keeps no cookies", function() session[method](session) end)
      end
      misuse("keeps no cookies", function() session:load_cookies "/nowhere" end)
      misuse("keeps no cookies", function() session:save_cookies "/nowhere" end)
      misuse("keeps no cookies", function() session:set_cookie {} end)
    end
    local closed = jar()
    closed:close()
    misuse("closed", function() closed:cookies() end)
  end)

  it("a jar stays bounded, whoever fills it", function()
    local session <close> = jar()
    for i = 1, 200 do
      session:set_cookie { name = "n" .. i, value = "1", domain = "example.com" }
    end
    equal({ #session:cookies(), session:cookies()[1].name }, { 180, "n21" })
    for i = 1, 3100 do
      session:set_cookie { name = "n", value = "1", domain = ("h%d.com"):format(i) }
    end
    equal(#session:cookies(), 3000)
  end)
end)

describe("M3: files of cookies", function()
  it("what is saved can be loaded, by this and by other programs", function()
    local f <close> = files.temporary()
    local session <close> = jar()
    local other <close> = jar()
    session:set_cookie { name = "a", value = "1", domain = "example.com", expires = FAR }
    session:set_cookie { name = "b", value = "x\ty=z", url = "http://127.0.0.1/", secure = true }
    session:set_cookie { name = "c", value = "", domain = "example.com", path = "/p",
      http_only = true }
    session:set_cookie { name = "d\te", value = "1", domain = "example.com" }
    session:set_cookie { name = "e", value = "1", url = "http://[::1]/" }
    equal(session:save_cookies(f.path), 4) -- a name with a tab cannot be in it
    equal(files.contents(f.path):match "^[^\n]*", "# Netscape HTTP Cookie File")
    for _, line in ipairs { ".example.com\tTRUE\t/\tFALSE\t4102444800\ta\t1",
      "#HttpOnly_.example.com\tTRUE\t/p\tFALSE\t0\tc\t" } do
      equal(files.contents(f.path):find("\n" .. line .. "\n", 1, true) ~= nil, true)
    end
    local loaded, refused = other:load_cookies(f.path)
    equal({ loaded, refused }, { 4, {} })
    session:clear_cookies { name = "d\te" }
    equal(other:cookies(), session:cookies())
    equal(other:save_cookies(f.path), 4)
    local pipe <close> = assert(io.popen(([[curl -s --cookie '%s' -H 'Host: example.com' \
      --resolve example.com:%d:127.0.0.1 http://example.com:%d/echo]]):format(f.path, origin.port,
      origin.port)))
    equal(origin.decode(pipe:read "a").headers.cookie, "a=1")
  end)

  it("a file is readable by its owner only, and replaced at once", function()
    local f <close> = files.with "old"
    assert(os.execute(("chmod 644 '%s'"):format(f.path)))
    local session <close> = jar()
    session:set_cookie { name = "a", value = "1", domain = "example.com" }
    equal(session:save_cookies(f.path), 1)
    local mode <close> = assert(io.popen(("stat -c %%a '%s'"):format(f.path)))
    equal(mode:read "l", "600")
    raises_error({ kind = "IoError", code = "ENOENT" }, session.save_cookies, session,
      f.path .. ".d/x")
    raises_error({ kind = "IoError" }, session.save_cookies, session, "/proc/self/cmdline")
    raises_error({ kind = "IoError", code = "ENOENT" }, session.load_cookies, session,
      f.path .. ".none")
    raises_error({ kind = "IoError" }, session.load_cookies, session, "/")
    raises_error({ kind = "Usage" }, session.load_cookies, session, "a\0b")
    raises_error({ kind = "Usage" }, session.save_cookies, session)
    equal(names(session), { "a=1" })
  end)

  it("bad lines are refused and reported, and the others are loaded", function()
    local f <close> = files.temporary()
    local T = "\t"
    local function line(...) return table.concat({ ... }, T) end
    local lines = {
      "# Netscape HTTP Cookie File", "", "   ", "# a comment", "\r",
      line(".example.com", "TRUE", "/", "FALSE", "0", "good", "1") .. "\r",
      "no tabs", line("example.com", "TRUE", "/", "FALSE", "0"),
      line(".example.com", "true", "/", "FALSE", "0", "a", "1"),
      line(".example.com", "TRUE", "/", "yes", "0", "a", "1"),
      line(".example.com", "TRUE", "/", "FALSE", "soon", "a", "1"),
      line(".example.com", "TRUE", "/", "FALSE", "-1", "a", "1"),
      line(".example.com", "TRUE", "/", "FALSE", "0", "", "1"),
      line(".example.com", "TRUE", "p", "FALSE", "0", "a", "1"),
      line("com", "TRUE", "/", "FALSE", "0", "a", "1"),
      line(".co.uk", "TRUE", "/", "FALSE", "0", "a", "1"),
      line("", "TRUE", "/", "FALSE", "0", "a", "1"),
      line("example.com", "FALSE", "/", "FALSE", "0", "__Host-a", "1"),
      line("example.com", "FALSE", "/", "FALSE", "0", "nul", "1\0002"),
      line("example.com", "FALSE", "/", "FALSE", "0", "semicolon", "1;2"),
      line("example.com", "FALSE", "/", "FALSE", "0", "long", ("x"):rep(20000)),
      line("example.com", "FALSE", "/", "FALSE", "0", "large", ("x"):rep(5000)),
      line("example.com", "FALSE", "/", "FALSE", "1", "expired", "1"),
      line("example.com", "FALSE", "/", "FALSE", ("9"):rep(40), "far", "1"),
      line("#HttpOnly_example.com", "FALSE", "/", "FALSE", "0", "hidden", "1"),
      line("example.com", "FALSE", "/", "TRUE", "0", "empty"),
    }
    files.write(f.path, table.concat(lines, "\n"))
    local session <close> = jar()
    local loaded, refused = session:load_cookies(f.path)
    local numbers = {}
    for i, item in ipairs(refused) do
      numbers[i] = item.line
      equal(type(item.reason), "string")
    end
    equal({ loaded, numbers },
      { 4, { 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22 } })
    equal(names(session), { "good=1", "far=1", "hidden=1", "empty=" })
  end)

  it("bytes of any kind are reported, never raised", function()
    local f <close> = files.temporary()
    local session <close> = jar()
    math.randomseed(7)
    for _ = 1, 200 do
      local bytes = {}
      for i = 1, math.random(1, 300) do
        bytes[i] = ("\t\t\t\n\0 .#;=aTRUEFALSE/0\255"):sub(math.random(1, 23))
          :sub(1, math.random(1, 4))
      end
      files.write(f.path, table.concat(bytes))
      local loaded, refused = session:load_cookies(f.path)
      equal({ math.type(loaded), type(refused) }, { "integer", "table" })
    end
  end)

  it("a huge file is refused or read in slices, between which other tasks run", function()
    local f <close> = files.temporary()
    local session <close> = jar()
    assert(os.execute(("truncate -s 17M '%s'"):format(f.path)))
    raises_error({ kind = "IoError", code = "too_big" }, session.load_cookies, session, f.path)
    equal(session:cookies(), {})
    assert(os.execute(([[awk 'BEGIN {
      for (i = 1; i <= 20000; i++) printf "h%%d.com\tFALSE\t/\tFALSE\t0\tn\tv\n", i
      for (i = 1; i <= 200; i++) print "bad", i
    }' > '%s']]):format(f.path)))
    assert(os.execute(("head -c 4000000 /dev/zero | tr '\\0' x >> '%s'"):format(f.path)))
    collectgarbage()
    ticker.pieces(100, function()
      local loaded, refused = session:load_cookies(f.path)
      equal({ loaded, #refused, #session:cookies() }, { 20000, 100, 3000 })
    end)
    equal(session:save_cookies(f.path), 3000)
  end)

  it("two saves at once leave one whole file, and a cancelled one the old file", function()
    local f <close> = files.temporary()
    local session <close> = jar()
    for i = 1, 180 do
      session:set_cookie { name = "n" .. i, value = ("v"):rep(3000), domain = "example.com" }
    end
    local results = task.gather(task.map(function()
      return (pcall(session.save_cookies, session, f.path))
    end, { 1, 2, 3 }), { settled = true })
    equal(#results, 3)
    equal((session:load_cookies(f.path)), 180)
    session:clear_cookies()
    task.move_on_after(0, session.save_cookies, session, f.path)
    local _, refused = session:load_cookies(f.path)
    equal(refused, {})
  end)
end)
