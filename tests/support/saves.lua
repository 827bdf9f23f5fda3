-- SPDX-License-Identifier: MIT
-- Files of the origin that specs save, and what a save leaves of them.
local http = require "septet.http"
local files, origin = require "files", require "origin"

local saves = {}
local serial = 0

--- Returns a temporary file that does not exist, with the URL of a file of the origin's.
function saves.temporary()
  local f = files.temporary()
  serial = serial + 1
  f.url = ("%s/file/s%d"):format(origin.url, serial)
  return f
end

--- Gives the origin's file these options, and returns its bytes.
function saves.serve(f, options)
  local session <close> = http.session() -- its connection is not one that the origin has closed
  session:post(f.url, { headers = {}, params = options })
  local version = options.version or 0
  return origin.pattern((options.size or 1000) + version):sub(version + 1)
end

--- Returns the ranges that requests since a mark asked for, each "all" where it asked for none.
function saves.asked(mark)
  local ranges = {}
  for i, request in ipairs(origin.requests(mark)) do
    ranges[i] = request.method == "GET" and (request.headers.range or "all") or nil
  end
  return ranges
end

--- Returns what a save has left: the target, the size of the part, and whether the part is
--- described.
function saves.left(f)
  local part = files.contents(f.part)
  return { files.contents(f.path) or false, part and #part or false, files.contents(f.meta) ~= nil }
end

--- Makes a save break off after `cut` bytes, which leaves a part. Serves the file whole from then
--- on, and returns its bytes.
function saves.break_off(f, options, cut)
  local serving = { cut = cut }
  for k, v in pairs(options) do
    serving[k] = v
  end
  saves.serve(f, serving)
  raises_error({ kind = "HttpError", code = "partial" },
    http.save, f.url, f.path, { resume = true })
  equal(#files.contents(f.part), cut)
  return saves.serve(f, options)
end

return saves
