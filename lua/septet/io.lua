--- Reading and writing files, pipes and standard input from tasks. A silent pipe or a slow disk
--- blocks only the task that waits for it.
---@class septet.io
local sio = {} -- `io` is the standard library

local core = require "septet.core"
local args = require "septet.internal.args"

local MAX_LINE = 1024 * 1024 -- bytes

--- Reads lines and bytes. One task at a time may wait for it; reading in another raises Usage. A
--- cancelled wait loses nothing: the next read returns what has arrived.
---@class septet.Reader
local Reader = {} -- luacheck: ignore

--- Waits for the next line. Raises IoError, also for a line over `max_line`, which `read` can still
--- take.
---@async
---@return string|nil line without its "\n"; nil at the end
function Reader:read_line() end -- luacheck: ignore

--- Iterates over all lines: `for line in reader:lines() do`. Each step waits.
---@return fun(): string|nil
---@return septet.Reader
function Reader:lines() end -- luacheck: ignore

--- Waits until bytes are available and returns them. Raises IoError.
---@async
---@param n integer maximum number of bytes
---@return string|nil bytes nil at the end
function Reader:read(n) end -- luacheck: ignore

--- Closes the reader. A waiting task raises IoError with the code "closed"; later reads raise
--- Usage. Does nothing if closed. Also called by `<close>`.
function Reader:close() end -- luacheck: ignore

---@class septet.ReaderOptions
---@field max_line integer|nil longest line in bytes; 1 MiB

local reader_options = { max_line = "size" }

--- Opens a file, a FIFO or a device for reading. Raises IoError.
---@async
---@param path string
---@param options septet.ReaderOptions|nil
---@return septet.Reader
function sio.open(path, options)
  args.string(path, 1, "open")
  options = args.options(options, reader_options, "open")
  return core.io_open(path, options.max_line or MAX_LINE)
end

--- Returns a reader of standard input. All such readers share what was read ahead: each one
--- continues where the last one stopped. Raises IoError if there is no standard input.
---@param options septet.ReaderOptions|nil
---@return septet.Reader
function sio.stdin(options)
  options = args.options(options, reader_options, "stdin")
  return core.io_stdin(options.max_line or MAX_LINE)
end

--- An open file for writing. One task at a time may wait for it; calls in another raise Usage. All
--- methods wait and raise IoError; `<close>` does not wait. After a failure, each later call but
--- `size`, `remove` and `close` raises the same error. If a wait is cancelled, its operation
--- continues, and the next call waits for that first.
---@class septet.Writer
local Writer = {} -- luacheck: ignore

--- Writes strings and numbers, like file:write(), behind earlier ones. If cancelled, some of them
--- may have been written.
---@async
---@param ... string|number
---@return septet.Writer
function Writer:write(...) end -- luacheck: ignore

--- Empties the file.
---@async
function Writer:truncate() end -- luacheck: ignore

--- Waits until the disk holds what was written (fsync).
---@async
function Writer:sync() end -- luacheck: ignore

--- Waits until the disk holds the file, and holds it as `path` in place of what was there. At any
--- time, `path` is either the old or the whole new file. Both names must be on one file system. If
--- cancelled, it may still happen.
---@async
---@param path string
function Writer:commit(path) end -- luacheck: ignore

--- Removes the name of the file.
---@async
function Writer:remove() end -- luacheck: ignore

--- Returns the digest of the whole file, as chosen in `create`, after pending writes.
---@async
---@return string hex
function Writer:digest() end -- luacheck: ignore

--- Returns the file size in bytes, after pending writes.
---@async
---@return integer bytes
function Writer:size() end -- luacheck: ignore

--- Waits until the file is closed. Does nothing if closed. The end of a `<close>` variable does not
--- wait.
---@async
function Writer:close() end -- luacheck: ignore

---@class septet.WriterOptions
---@field append boolean|nil keeps the contents of the file; false
---@field digest "sha256"|"sha512"|"sha1"|"md5"|nil digest to keep of the whole file

local writer_options = { append = "boolean", digest = "string" }
local digests = { sha256 = true, sha512 = true, sha1 = true, md5 = true }

--- Opens a regular file for writing and locks it. It is created if missing, and emptied unless
--- `append` is set. Raises IoError, with the code "EBUSY" if the file has another writer.
---@async
---@param path string
---@param options septet.WriterOptions|nil
---@return septet.Writer
function sio.create(path, options)
  args.string(path, 1, "create")
  options = args.options(options, writer_options, "create")
  if options.digest and not digests[options.digest] then
    args.usage("bad option 'digest' to 'create' (sha256, sha512, sha1 or md5 expected, got '%s')",
      options.digest)
  end
  local writer = core.file_open(path, options.append)
  if options.digest then writer:keep_digest(options.digest) end
  return writer
end

return args.module(sio, "septet.io")
