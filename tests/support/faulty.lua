-- SPDX-License-Identifier: MIT
-- The servers of faulty.py as specs see them: their ports, and what they logged.
local origin = require "origin"

local faulty = {
  port = origin.decode(assert(os.getenv "SEPTET_FAULTY", "this needs a line '-- peers: faulty'")),
  log_path = os.getenv "SEPTET_FAULTY_LOG",
}

--- The URL of one.
function faulty.url(name, scheme)
  return ("%s://127.0.0.1:%d"):format(scheme or "https", faulty.port[name])
end

--- What one logged since a mark of the log, once there is anything.
function faulty.logged(mark, name)
  return origin.eventually(function()
    local found = faulty.since(mark, name)
    return found[1] and found
  end)
end

--- The same, at once.
function faulty.since(mark, name)
  local found = {}
  local file <close> = assert(io.open(faulty.log_path))
  file:seek("set", mark)
  for line in file:lines() do
    local event = origin.decode(line)
    if event.event == name then found[#found + 1] = event end
  end
  return found
end

function faulty.mark()
  local file <close> = assert(io.open(faulty.log_path))
  return file:seek "end"
end

return faulty
