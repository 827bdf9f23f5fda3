-- SPDX-License-Identifier: MIT
-- A save that is cut short: a typed error, the received bytes stay as a part, and the target does
-- not change.
local task, http = require "septet.task", require "septet.http"
local files, origin = require "files", require "origin"

local URL, contents = origin.url, files.contents

-- Saves a body that is cut short after `sent` bytes, with and without resume.
local function breaks_off(target, sent, expected, options)
  for _, resume in ipairs { false, true } do
    local f <close> = files.with ""
    do
      local old <close> = assert(io.open(f.path, "wb"))
      old:write "old"
    end
    local session <close> = http.session(options)
    expected.kind = "HttpError"
    raises_error(expected, session.save, session, URL .. target, f.path, { resume = resume })
    equal(contents(f.path), "old")
    equal(contents(f.part), sent > 0 and origin.pattern(sent) or nil)
    equal(session:get(URL .. "/bytes/3").body, "012")
  end
end

describe("a save that breaks off keeps its part:", function()
  it("fault.16 a body shorter than its Content-Length is partial", function()
    breaks_off("/truncate?length=100000&sent=70000", 70000,
      { code = "partial", reason = "truncated" })
    breaks_off("/truncate?length=1000&sent=1", 1, { code = "partial", reason = "truncated" })
  end)

  it("fault.16 the part begins what the next save brings, whose size is checked as well", function()
    local f <close> = files.with ""
    local target = URL .. "/file/breaks"
    http.post(target, { params = { size = 1000, etag = '"a"', cut = 300 } })
    raises_error({ code = "partial", reason = "truncated" }, http.save, target, f.path,
      { resume = true })
    http.post(target, { params = { size = 1000, etag = '"a"', total = 1001 } })
    local err = raises_error({ kind = "HttpError", code = "partial", reason = "truncated",
      phase = "receive" }, http.save, target, f.path, { resume = true })
    equal(err.message, ("GET %s: 1000 of 1001 bytes"):format(target))
    equal({ contents(f.path), #contents(f.part) }, { "", 1000 })
  end)

  it("fault.16 a save without a byte of the body leaves no part", function()
    breaks_off("/truncate?length=1000&sent=0", 0, { code = "partial", reason = "truncated" })
  end)

  it("fault.16 a reset, a timeout and too many bytes keep the part", function()
    origin.with_limit(0.2, function(idle)
      breaks_off("/stall?after=5000&length=10000", 5000,
        { code = "timeout", reason = "idle", phase = "receive" }, { timeout = { idle = idle } })
    end)
    origin.with_limit(0.6, function(total)
      breaks_off("/stall?after=500&length=10000", 500, { code = "timeout", reason = "total" },
        { timeout = total })
    end)
    breaks_off("/reset", 0, { code = "reset" })
  end)

  it("fault.16 a closed session keeps the part", function()
    local f <close> = files.with ""
    local session = http.session()
    local t = task.spawn(session.save, session, URL .. "/stall?after=5000&length=10000", f.path)
    while #(contents(f.part) or "") < 5000 do task.sleep(0.001) end
    session:close()
    raises_error({ kind = "HttpError", code = "closed" }, t.await, t)
    equal({ contents(f.path), #contents(f.part) }, { "", 5000 })
  end)
end)
