-- SPDX-License-Identifier: MIT
-- session:save: what a file holds in the end, digests, retries, and what is left where one fails.
-- Transfers that fail are in tests/faults/save_spec.lua, disks in tests/faults/test_disk.py.
local task, http = require "septet.task", require "septet.http"
local files, origin, saves = require "files", require "origin", require "saves"

local core = debug.getregistry()["septet.core"]

local contents, write = files.contents, files.write
local serve, asked = saves.serve, saves.asked
local left, break_off = saves.left, saves.break_off
local URL = origin.url

describe("save", function()
  it("save writes a file with the body, and nothing beside it", function()
    for _, size in ipairs { 0, 1, 1000, 1000000 } do
      local f <close> = saves.temporary()
      local body = serve(f, { size = size, etag = '"a"' })
      for _, resume in ipairs { false, true } do
        local saved = http.save(f.url, f.path, { resume = resume })
        equal(contents(f.path) == body, true)
        equal({ saved.status, saved.bytes, saved.path, saved.resumed, saved.url },
          { 200, size, f.path, 0, f.url })
        equal(saved.headers.etag, '"a"')
        equal({ contents(f.part), contents(f.meta) }, {})
      end
    end
  end)

  it("save replaces an older file", function()
    local f <close> = saves.temporary()
    write(f.path, "old")
    local body = serve(f, {})
    http.save(f.url, f.path)
    equal(contents(f.path), body)
  end)

  it("save takes a request's options, and a base", function()
    local f <close> = saves.temporary()
    local session <close> = http.session { base_url = URL, headers = { ["X-Session"] = "1" } }
    session:save("/echo", f.path, { params = { a = 1 }, headers = { ["X-Own"] = "2" } })
    local said = origin.decode(contents(f.path))
    equal({ said.query, said.headers["x-session"], said.headers["x-own"] }, { "a=1", "1", "2" })
    equal(said.headers["accept-encoding"], "identity")
    session:save("/redirect/2", f.path)
    equal(contents(f.path), "01")
  end)

  it("save decodes a body that comes encoded all the same", function()
    local f <close> = saves.temporary()
    local saved = http.save(URL .. "/gzip?bytes=100000", f.path)
    equal({ saved.bytes, contents(f.path) }, { 100000, origin.pattern(100000) })
    http.save(URL .. "/echo", f.path, { headers = { ["accept-encoding"] = "gzip" } })
    equal(origin.decode(contents(f.path)).headers["accept-encoding"], "gzip")
  end)

  it("save lets other tasks run, and holds little of a large body", function()
    local f <close> = saves.temporary()
    local before
    with_ticker(function()
      collectgarbage()
      before = collectgarbage "count"
      local saved = http.save(URL .. "/bytes/30000000", f.path)
      equal(saved.bytes, 30000000)
    end)
    collectgarbage()
    equal(collectgarbage "count" - before < 4096, true)
  end)

  it("save raises HttpError for any status but 200, and leaves the file alone", function()
    for _, status in ipairs { 201, 204, 206, 302, 304, 404, 416, 500 } do
      local f <close> = saves.temporary()
      write(f.path, "old")
      local err = raises_error({ kind = "HttpError", code = "status", status = status }, http.save,
        ("%s/status/%d"):format(URL, status), f.path, { redirects = false })
      equal(err.message, ("GET %s/status/%d: status %d"):format(URL, status, status))
      equal(left(f), { "old", false, false })
    end
  end)

  it("save refuses misuse", function()
    local f <close> = saves.temporary()
    misuse("bad argument #1 to 'save' %(string expected, got nil%)", function() http.save() end)
    misuse("bad argument #2 to 'save' %(string expected, got nil%)", function()
      http.save(f.url)
    end)
    misuse("bad argument #2 to 'save' %(a file's path expected, got '/tmp/'%)", function()
      http.save(f.url, "/tmp/")
    end)
    misuse("bad argument #2 to 'save' %(a file's path expected, got ''%)", function()
      http.save(f.url, "")
    end)
    misuse("unknown option 'sha265' to 'save', did you mean 'sha256'%?", function()
      http.save(f.url, f.path, { sha265 = "" })
    end)
    misuse("unknown option 'json' to 'save'", function()
      http.save(f.url, f.path, { json = {} })
    end)
    misuse("bad option 'sha256' to 'save' %(64 hexadecimal digits expected%)", function()
      http.save(f.url, f.path, { sha256 = ("x"):rep(64) })
    end)
    misuse("bad options to 'save' %(both 'md5' and 'sha1'%)", function()
      http.save(f.url, f.path, { sha1 = ("0"):rep(40), md5 = ("0"):rep(32) })
    end)
    misuse("bad header 'range' in 'save' %('resume' sets it%)", function()
      http.save(f.url, f.path, { headers = { range = "bytes=1-" } })
    end)
    equal(left(f), { false, false, false })
  end)

  it("save raises IoError for a file that it cannot write", function()
    raises_error({ kind = "IoError", code = "ENOENT" },
      http.save, URL .. "/bytes/1", "/nowhere/at/all")
  end)
end)

describe("digests", function()
  it("a right digest is in the result", function()
    local f <close> = saves.temporary()
    local body = serve(f, { size = 100000 })
    for _, digest in ipairs { "md5", "sha1", "sha256", "sha512" } do
      local right = core.digest(digest, body)
      local saved = http.save(f.url, f.path, { [digest] = right:upper() })
      equal(saved[digest], right)
      equal(contents(f.path), body)
    end
  end)

  it("a wrong digest is an error, leaves the file alone and drops the part", function()
    local f <close> = saves.temporary()
    write(f.path, "old")
    local body = serve(f, { etag = '"a"' })
    local wrong, right = ("0"):rep(64), core.digest("sha256", body)
    for _, resume in ipairs { false, true } do
      local err = raises_error({ kind = "HttpError", code = "digest",
        reason = "sha256", expected = wrong, got = right,
        url = f.url, method = "GET" }, http.save, f.url, f.path,
        { sha256 = wrong, resume = resume })
      equal(err.message, ("GET %s: its sha256 is %s, not %s"):format(f.url, right, wrong))
      equal(left(f), { "old", false, false })
    end
  end)

  it("a digest of a resumed file is of the whole file", function()
    local f <close> = saves.temporary()
    local body = break_off(f, { size = 100000, etag = '"a"' }, 70001)
    local sha256 = core.digest("sha256", body)
    local saved = http.save(f.url, f.path, { resume = true, sha256 = sha256 })
    equal({ saved.status, saved.bytes, saved.resumed, saved.sha256 },
      { 206, 100000, 70001, sha256 })
    equal(contents(f.path) == body, true)
  end)

  it("a digest finds a part that was tampered with", function()
    local f <close> = saves.temporary()
    local body = break_off(f, { etag = '"a"' }, 300)
    write(f.part, ("x"):rep(300))
    raises_error({ code = "digest" }, http.save, f.url, f.path,
      { resume = true, md5 = core.digest("md5", body) })
    equal(left(f), { false, false, false })
  end)
end)

describe("retries", function()
  local quick = { attempts = 5, backoff = 0 }

  it("retries resume a body that breaks off, with resume and without", function()
    for _, resume in ipairs { false, true } do
      local f <close> = saves.temporary()
      local body, mark = serve(f, { etag = '"a"', cut = 300 }), origin.mark()
      local saved = http.save(f.url, f.path,
        { retries = quick, resume = resume, sha256 = core.digest("sha256", body) })
      equal({ saved.status, saved.bytes, saved.resumed, saved.attempts }, { 206, 1000, 0, 4 })
      equal(asked(mark), { "all", "bytes=300-", "bytes=600-", "bytes=900-" })
      equal(left(f), { body, false, false })
    end
  end)

  it("the session's retries resume a save, too", function()
    local f <close> = saves.temporary()
    local session <close> = http.session { retries = quick }
    local body = serve(f, { etag = '"a"', cut = 300 })
    session:save(f.url, f.path)
    equal(contents(f.path), body)
    raises_error({ code = "partial" }, session.save, session, f.url, f.path, { retries = false })
  end)

  it("retries have an end", function()
    local f <close> = saves.temporary()
    serve(f, { etag = '"a"', cut = 300 })
    local mark = origin.mark()
    raises_error({ kind = "HttpError", code = "partial", attempts = 3 }, http.save, f.url, f.path,
      { retries = { attempts = 3, backoff = 0 } })
    equal(#asked(mark), 3)
    equal(#contents(f.part), 900)
  end)

  it("retries whose methods lack GET do not resume a save", function()
    local f <close> = saves.temporary()
    serve(f, { etag = '"a"', cut = 300 })
    raises_error({ code = "partial", attempts = 1 }, http.save,
      f.url, f.path, { retries = { methods = { "PUT" } } })
  end)

  it("retries do not resume a part without a validator", function()
    local f <close> = saves.temporary()
    serve(f, { cut = 300 })
    local mark = origin.mark()
    raises_error({ code = "partial" }, http.save, f.url, f.path, { retries = quick })
    equal(asked(mark), { "all" })
  end)

  it("no retry follows a cancellation", function()
    local f <close> = saves.temporary()
    serve(f, { etag = '"a"', stall = 500 })
    local mark = origin.mark()
    local t = task.spawn(http.save, f.url, f.path, { retries = quick })
    while not contents(f.part) or #contents(f.part) < 500 do task.sleep(0.001) end
    t:cancel()
    task.wait { t }
    equal({ t:status(), #asked(mark) }, { "cancelled", 1 })
  end)
end)

describe("paths", function()
  it("a path has one save at a time", function()
    local f <close> = saves.temporary()
    serve(f, { stall = 500 })
    local t = task.spawn(http.save, f.url, f.path)
    while not contents(f.part) or #contents(f.part) < 500 do task.sleep(0.001) end
    raises_error({ kind = "IoError", code = "EBUSY", path = f.part }, http.save, f.url, f.path)
    t:cancel()
    task.wait { t }
    local body = serve(f, { version = 1 })
    http.save(f.url, f.path)
    equal(contents(f.path), body)
  end)

  it("a path is free at once after its save is cancelled, at any point", function()
    local f <close> = saves.temporary()
    write(f.path, "old")
    local bodies = { [0] = serve(f, { size = 300000, etag = '"a"' }) }
    local versions = 0
    for turn = 1, many(150) do
      local t = task.spawn(http.save, f.url, f.path, { resume = turn % 2 == 0 })
      for _ = 1, turn do task.checkpoint() end
      task.sleep(turn % 5 / 2000)
      t:cancel()
      task.wait { t }
      local now = contents(f.path)
      local known = now == "old"
      for _, body in pairs(bodies) do known = known or now == body end
      equal(known, true)
      if t:status() == "done" then
        os.remove(f.path)
        write(f.path, "old")
      end
      if turn % 10 == 0 then
        versions = versions + 1
        bodies[versions] = serve(f,
          { size = 300000, version = versions, etag = ('"%d"'):format(versions) })
      end
    end
    http.save(f.url, f.path, { resume = true })
    equal(contents(f.path) == bodies[versions], true)
    equal({ contents(f.part), contents(f.meta) }, {})
  end)

  it("a path is free at once after its save is cancelled before it began", function()
    local f <close> = saves.temporary()
    local body = serve(f, { etag = '"a"' })
    for turn = 1, many(100) do
      local t = task.spawn(http.save, f.url, f.path, { resume = true })
      for _ = 1, turn % 4 do task.checkpoint() end
      t:cancel()
      task.wait { t }
      equal({ t:status(), contents(f.part) }, { "cancelled" })
      http.save(f.url, f.path, { resume = true })
      equal(left(f), { body, false, false })
    end
  end)

  it("a save that is cancelled while it waits for bytes keeps its part", function()
    local f <close> = saves.temporary()
    write(f.path, "old")
    local body = serve(f, { etag = '"a"', stall = 500 })
    local t = task.spawn(http.save, f.url, f.path, { resume = true })
    while not contents(f.part) or #contents(f.part) < 500 do task.sleep(0.001) end
    t:cancel()
    task.wait { t }
    equal(t:status(), "cancelled")
    equal(left(f), { "old", 500, true })
    serve(f, { etag = '"a"' })
    equal(http.save(f.url, f.path, { resume = true }).resumed, 500)
    equal(contents(f.path), body)
  end)
end)
