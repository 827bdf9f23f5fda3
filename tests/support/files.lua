-- SPDX-License-Identifier: MIT
-- Files that specs write, read and leave nothing of.
local files = {}

--- Returns the path of a file that does not exist, and those of what is saved beside it. All of
--- them are removed when the value is closed. Until then an empty file holds the name, so that no
--- other process gets it.
function files.temporary()
  local name = os.tmpname()
  local path = name .. "f"
  return setmetatable({ path = path, part = path .. ".part", meta = path .. ".part.meta" }, {
    __close = function(self)
      for _, file in ipairs { self.path, self.part, self.meta, name } do
        os.remove(file)
      end
    end,
  })
end

--- Returns the bytes of a file, or nil if it does not exist.
function files.contents(path)
  local file <close> = io.open(path, "rb")
  return file and file:read "a"
end

--- Writes a file that has these bytes.
function files.write(path, bytes)
  local file <close> = assert(io.open(path, "wb"))
  file:write(bytes)
end

--- Returns what files.temporary() does, with the file written.
function files.with(bytes)
  local file = files.temporary()
  files.write(file.path, bytes)
  return file
end

--- Returns what files.temporary() does, of a FIFO.
function files.fifo()
  local file = files.temporary()
  assert(os.execute(("mkfifo '%s'"):format(file.path)))
  return file
end

return files
