-- SPDX-License-Identifier: MIT
-- session:save with resume: which part of an earlier save it goes on with, and which it drops.
local http = require "septet.http"
local files, origin, saves = require "files", require "origin", require "saves"

local core = debug.getregistry()["septet.core"]

local contents, write = files.contents, files.write
local serve, asked = saves.serve, saves.asked
local left, break_off = saves.left, saves.break_off
local OLD_DATE, DATE = "Mon, 01 Jan 2024 00:00:00 GMT", "Tue, 02 Jan 2024 00:00:00 GMT"

describe("parts", function()
  -- Breaks off a save of `before`, serves `after`, and saves again; what was asked for then must be
  -- `requests`.
  local function case(before, after, requests, status, cut)
    local f <close> = saves.temporary()
    break_off(f, before, cut or 300)
    local body, mark = serve(f, after), origin.mark()
    local saved = http.save(f.url, f.path, { resume = true })
    equal(contents(f.path) == body, true)
    equal({ saved.status, saved.bytes }, { status, #body })
    equal({ saved.resumed, saved.attempts }, { status == 200 and 0 or cut or 300, #requests })
    equal(asked(mark), requests)
    equal(left(f), { body, false, false })
  end
  local REST = "bytes=300-"

  it("a part is resumed if the ETag is the same, or the date", function()
    case({ etag = '"a"' }, { etag = '"a"' }, { REST }, 206)
    case({ modified = OLD_DATE, date = DATE }, { modified = OLD_DATE, date = DATE }, { REST }, 206)
    case({ etag = '"a"', size = 1000000 },
      { etag = '"a"', size = 1000000 }, { "bytes=999999-" }, 206, 999999)
  end)

  it("a part is dropped if the body has changed", function()
    case({ etag = '"a"' }, { etag = '"b"', version = 1 }, { REST }, 200)
    case({ etag = '"a"' }, { etag = '"b"', version = 1, size = 200 }, { REST }, 200)
    case({ modified = OLD_DATE, date = DATE }, { modified = DATE, version = 1 }, { REST }, 200)
    case({ etag = '"a"' }, { version = 1 }, { REST }, 200)
  end)

  it("a part is dropped if the server has no ranges", function()
    case({ etag = '"a"' }, { etag = '"a"', ranges = "no" }, { REST }, 200)
  end)

  it("a part is not mixed with another body if the server ignores If-Range", function()
    case({ etag = '"a"' }, { etag = '"b"', version = 1, ranges = "blind" }, { REST, "all" }, 200)
    case({ modified = OLD_DATE, date = DATE },
      { modified = DATE, version = 1, ranges = "blind" }, { REST, "all" }, 200)
    case({ etag = '"a"' }, { etag = '"b"', version = 1, ranges = "blind", size = 300 },
      { REST, "all" }, 200)
    case({ etag = '"a"' }, { etag = '"b"', version = 1, ranges = "blind", size = 200 },
      { REST, "all" }, 200)
  end)

  it("a part is dropped if another range comes than the one requested", function()
    case({ etag = '"a"' }, { etag = '"a"', skip = 1 }, { REST, "all" }, 200)
  end)

  it("a part that is whole already is not requested again", function()
    for _, cut in ipairs { 1000, 999 } do
      local f <close> = saves.temporary()
      local body = serve(f, { etag = '"a"', cut = cut, size = 1001 })
      pcall(http.save, f.url, f.path, { resume = true })
      serve(f, { etag = '"a"', size = 1000 })
      -- as if the server had said so
      write(f.path .. ".part.meta", (contents(f.path .. ".part.meta"):gsub("1001", "1000")))
      local saved = http.save(f.url, f.path, { resume = true })
      equal({ saved.status, saved.bytes, saved.resumed }, { cut == 1000 and 416 or 206, 1000, cut })
      equal(left(f), { body:sub(1, 1000), false, false })
    end
  end)

  it("a part that is longer than the whole is dropped", function()
    case({ etag = '"a"' }, { etag = '"a"', size = 200 }, { REST, "all" }, 200)
    case({ etag = '"a"' }, { etag = '"a"', size = 300, ranges = "bare" }, { REST, "all" }, 200)
  end)

  it("a part is not resumed by a weak validator", function()
    for _, options in ipairs { {}, { etag = 'W/"a"' }, { modified = OLD_DATE },
      { modified = DATE, date = DATE },
      { modified = "yesterday", date = DATE }, { etag = "a" } } do
      case(options, options, { "all" }, 200)
    end
  end)

  it("a part is not resumed if its bytes are not those that were sent", function()
    local f <close> = saves.temporary()
    serve(f, { size = 3000000, etag = '"a"', gzip = 1 })
    raises_error({ code = "body_too_large" }, http.save,
      f.url, f.path, { resume = true, max_body = 2000000 })
    equal(#contents(f.part) > 0, true)
    local mark = origin.mark()
    local body = serve(f, { size = 1000, etag = '"a"' })
    http.save(f.url, f.path, { resume = true })
    equal(asked(mark), { [2] = "all" })
    equal(left(f), { body, false, false })
  end)

  it("a part of another URL is dropped", function()
    local f <close> = saves.temporary()
    local g <close> = saves.temporary()
    break_off(f, { etag = '"a"' }, 300)
    local body, mark = serve(g, { etag = '"a"', version = 1 }), origin.mark()
    equal(http.save(g.url, f.path, { resume = true }).resumed, 0)
    equal({ asked(mark), contents(f.path) }, { { "all" }, body })
    break_off(f, { etag = '"a"' }, 300)
    equal(http.save(f.url, f.path, { resume = true, params = { other = 1 } }).resumed, 0)
  end)

  it("a part without a description, or with a bad one, is dropped", function()
    for _, text in ipairs { false, "", "{", "[]", "null", "7", '{"address":1,"validator":2}',
      ("x"):rep(100000) } do
      local f <close> = saves.temporary()
      local body = break_off(f, { etag = '"a"' }, 300)
      os.remove(f.meta)
      if text then write(f.meta, text) end
      local mark = origin.mark()
      equal(http.save(f.url, f.path, { resume = true }).resumed, 0)
      equal(asked(mark), { "all" })
      equal(left(f), { body, false, false })
    end
  end)

  it("a part whose description has no validator is dropped", function()
    for _, validator in ipairs { "", "x", '"a', '"a\\r\\nEvil: 1"', '"a"b"', "yesterday" } do
      local f <close> = saves.temporary()
      local body = break_off(f, { etag = '"a"' }, 300)
      write(f.meta, ('{"address":"%s","validator":"%s"}'):format(core.digest("sha256", f.url),
        (validator:gsub('"', '\\"'))))
      local mark = origin.mark()
      equal(http.save(f.url, f.path, { resume = true }).resumed, 0)
      equal(asked(mark), { "all" })
      equal(left(f), { body, false, false })
    end
  end)

  it("a save without resume does not use a part", function()
    local f <close> = saves.temporary()
    break_off(f, { etag = '"a"' }, 300)
    serve(f, { etag = '"b"', version = 1, cut = 400 })
    raises_error({ code = "partial" }, http.save, f.url, f.path)
    equal(#contents(f.part), 400)
    local body = serve(f, { etag = '"a"' })
    -- they are another one's bytes by now
    equal(http.save(f.url, f.path, { resume = true }).resumed, 0)
    equal(left(f), { body, false, false })
  end)

  it("a part that breaks off again and again grows", function()
    local f <close> = saves.temporary()
    serve(f, { etag = '"a"', size = 1000, cut = 300 })
    for i = 1, 3 do
      raises_error({ code = "partial" }, http.save, f.url, f.path, { resume = true })
      equal(#contents(f.part), 300 * i)
    end
    equal(http.save(f.url, f.path, { resume = true }).bytes, 1000)
    equal(contents(f.path), origin.pattern(1000))
  end)

  it("the description of a part has no secrets", function()
    local f <close> = saves.temporary()
    f.url = f.url .. "?token=hidden"
    serve(f, { etag = '"a"', cut = 300 })
    pcall(http.save, f.url, f.path, { resume = true })
    equal(contents(f.meta):find("hidden", 1, true), nil)
  end)
end)
