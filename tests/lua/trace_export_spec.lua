-- SPDX-License-Identifier: MIT
-- trace.export: recordings that are whole, damaged or none at all, and exporters of scripts.
local private = debug.getregistry()["septet.require"] -- of private modules
local export = private "septet.trace.export"
local json, perfetto = require "septet.json", require "perfetto"
local task, trace = require "septet.task", require "septet.trace"

local path = os.tmpname()

local function write_file(bytes)
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(bytes))
end

local function read_file(name)
  local file <close> = assert(io.open(name, "rb"))
  return file:read "a"
end

-- Records two tasks with spans in several blocks, and returns the bytes of the file.
local function record()
  local recording = trace.record(path, { level = 2 })
  local t = task.spawn(function()
    for i = 1, 5 do
      trace.span("span " .. i, task.sleep, 0)
      trace.count("counter", i)
    end
  end)
  t.name = "worker"
  t:await()
  task.sleep(0.001)
  recording:close()
  return read_file(path)
end

local whole = record()

local function text_of(exporter, options)
  local pieces = {}
  local note = trace.export(exporter, path, function(text) pieces[#pieces + 1] = text end, options)
  return table.concat(pieces), note
end

describe("export", function()
  it("each exporter writes to a function or a file", function()
    write_file(whole)
    for _, name in ipairs { "chrome", "lines" } do
      local text, note = text_of(name)
      equal(note, nil)
      local target <close> = setmetatable({ name = os.tmpname() }, {
        __close = function(self) os.remove(self.name) end })
      trace.export(name, path, target.name)
      equal(read_file(target.name), text)
      equal(#text > 200, true)
    end
    equal(text_of("lines", { filter = { "mark" } }), "")
  end)

  it("a function of the script is an exporter", function()
    write_file(whole)
    local seen
    local text = text_of(function(m, write, options)
      seen = options
      for _, t in ipairs(m.tasks) do write(t.name .. " " .. #t.waits .. "\n") end
    end, { mine = 1 })
    equal({ text:match "worker %d" ~= nil, seen }, { true, { mine = 1 } })
    raises("^mine$", trace.export, function() error("mine", 0) end, path, print)
    raises_error({ kind = "Usage" }, trace.export, "pdf", path, print)
    raises_error({ kind = "Usage" }, trace.export, 7, path, print)
    raises_error({ kind = "Usage" }, trace.export, "lines", 7, print)
    raises_error({ kind = "Usage" }, trace.export, "lines", path, 7)
  end)

  it("what cannot be read or written is an IoError", function()
    write_file "nothing of ours"
    raises_error({ kind = "IoError", message = ("cannot read '%s': it is no recording of a trace")
      :format(path) }, trace.export, "chrome", path, print)
    raises_error({ kind = "IoError" }, trace.export, "lines", path .. "/none", print)
    write_file(whole)
    raises_error({ kind = "IoError" }, trace.export, "lines", path, path .. "/none")
    raises_error({ kind = "IoError" }, trace.export, "chrome", path, "/dev/full")
  end)

  it("a target is left alone if the source cannot be read, and may be the source", function()
    write_file "nothing of ours"
    for _, name in ipairs { "chrome", "lines" } do
      raises_error({ kind = "IoError" }, trace.export, name, path, path)
      equal(read_file(path), "nothing of ours")
    end
    for _, name in ipairs { "chrome", "lines" } do
      write_file(whole)
      local text = text_of(name)
      equal(trace.export(name, path, path), nil)
      equal(read_file(path), text)
    end
  end)

  it("what is damaged or cut off is left out, and said", function()
    local magic, blocks = {}, 0
    for at in whole:gmatch "()SPTB" do magic[#magic + 1], blocks = at, blocks + 1 end
    equal(blocks >= 2, true)
    write_file(whole:sub(1, -2))
    local text, note = text_of "lines"
    equal({ note:match "is cut off: %d+ bytes at its end$" ~= nil, text:find "spawn" ~= nil },
      { true, true })
    write_file(whole:sub(1, magic[1] - 1) .. "XXXX" .. whole:sub(magic[1] + 4))
    text, note = text_of "lines"
    equal({ note:match "is damaged: %d+ bytes were skipped$" ~= nil, text:find "end" ~= nil },
      { true, true })
    write_file(whole:sub(1, magic[1] - 1))
    equal(text_of "lines", "")
  end)

  it("no bytes make it raise or hang", function()
    local seed = 16
    local function draw(n)
      seed = (seed * 6364136223846793005 + 1442695040888963407) & math.maxinteger
      return (seed >> 33) % n + 1
    end
    local change = {
      function(s) -- flips a bit
        local at = draw(#s)
        return s:sub(1, at - 1) .. string.char(s:byte(at) ~ 1 << draw(8) - 1) .. s:sub(at + 1)
      end,
      function(s) return s:sub(1, draw(#s)) end,
      function(s) -- cuts something out
        local at = draw(#s)
        return s:sub(1, at - 1) .. s:sub(at + draw(64))
      end,
      function(s) -- repeats something
        local at = draw(#s)
        return s:sub(1, at) .. s:sub(math.max(1, at - draw(400)))
      end,
      function(s) -- a number becomes the greatest
        local at = draw(#s)
        return s:sub(1, at - 1) .. "\xFF\xFF\xFF\xFF" .. s:sub(at + 4)
      end,
    }
    local read = 0
    for _ = 1, 150 do
      local bytes = whole
      for _ = 1, draw(6) do
        if bytes ~= "" then bytes = change[draw(#change)](bytes) end
      end
      write_file(bytes)
      local m = export.load(path)
      if m then
        read = read + 1
        perfetto.check(json.decode((text_of "chrome")))
        for _, name in ipairs(export.names) do
          if pcall(export.find, name) then text_of(name) end
        end
      end
    end
    equal(read > 50, true)
  end)

  it("a file of false beginnings ends", function()
    write_file(whole .. ("SPTB\255\255\0\0"):rep(50000))
    local _, note = text_of "lines"
    equal(note:find "bytes" ~= nil, true)
  end)
end)

after_all(function() os.remove(path) end)
