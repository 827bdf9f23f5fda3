--- Lines and bytes of files, pipes and standard input, and files that are written, from tasks: neither a pipe on which
--- nothing comes nor a slow disk keeps anybody else.
---@class septet.io
local io = {}

local core = require "septet.core"
local args = require "septet.args"

local MAX_LINE = 1024 * 1024 -- bytes

--- What one task at a time may read from; another one raises Usage. To cancel a wait loses nothing: what has come
--- is there for the next one.
---@class septet.Reader
local Reader = {} -- luacheck: ignore

--- Waits for the next line. Raises IoError, also for a line over `max_line`, which stays for `read` to take.
---@async
---@return string|nil line without its "\n"; nil at the end
function Reader:read_line() end -- luacheck: ignore

--- For a loop over all lines: `for line in reader:lines() do`. Each step waits.
---@return fun(): string|nil
---@return septet.Reader
function Reader:lines() end -- luacheck: ignore

--- Waits until there are bytes, and returns those that are there; raises IoError.
---@async
---@param n integer at most so many
---@return string|nil bytes nil at the end
function Reader:read(n) end -- luacheck: ignore

--- A task that waits raises IoError with the code "closed"; a later read raises Usage. Harmless when closed. Also
--- what `<close>` does.
function Reader:close() end -- luacheck: ignore

---@class septet.ReaderOptions
---@field max_line integer|nil bytes of the longest line; 1 MiB

local reader_options = { max_line = "size" }

--- Opens a file, a FIFO or a device; raises IoError.
---@async
---@param path string
---@param options septet.ReaderOptions|nil
---@return septet.Reader
function io.open(path, options)
  args.string(path, 1, "open")
  options = args.options(options, reader_options, "open")
  return core.io_open(path, options.max_line or MAX_LINE)
end

--- A reader of standard input, whatever that is. What one has read ahead and not handed out is there for the next.
--- Raises IoError.
---@param options septet.ReaderOptions|nil
---@return septet.Reader
function io.stdin(options)
  options = args.options(options, reader_options, "stdin")
  return core.io_stdin(options.max_line or MAX_LINE)
end

--- A file that one task at a time may write; another one raises Usage. Each method but `<close>` waits, and raises
--- IoError: what has failed once is not tried again, and each later call but `size`, `remove` and `close` raises it.
--- Cancelled, what it has begun goes on, and the next call waits for that.
---@class septet.Writer
local Writer = {} -- luacheck: ignore

--- Writes strings and numbers, as Lua's `file:write`, behind the others. Cancelled, some of them may be written.
---@async
---@param ... string|number
---@return septet.Writer
function Writer:write(...) end -- luacheck: ignore

--- Empties the file.
---@async
function Writer:truncate() end -- luacheck: ignore

--- Waits until the disk holds what is written.
---@async
function Writer:sync() end -- luacheck: ignore

--- Waits until the disk holds the file, and holds it as `path`, in the place of what was there: whatever happens, that
--- is what it was or the whole file. The two must be on one file system.
---@async
---@param path string
function Writer:commit(path) end -- luacheck: ignore

--- Removes the file.
---@async
function Writer:remove() end -- luacheck: ignore

--- The digest of all that is written, for which it was opened.
---@async
---@return string hex
function Writer:digest() end -- luacheck: ignore

--- How large the file is, once what goes on is written.
---@async
---@return integer bytes
function Writer:size() end -- luacheck: ignore

--- Waits until it is closed. Harmless when closed. The end of a `<close>` variable does not wait for that.
---@async
function Writer:close() end -- luacheck: ignore

---@class septet.WriterOptions
---@field append boolean|nil what the file holds is kept; false
---@field digest "sha256"|"sha512"|"sha1"|"md5"|nil one that is kept of the whole file

local writer_options = { append = "boolean", digest = "string" }
local digests = { sha256 = true, sha512 = true, sha1 = true, md5 = true }

--- Opens a file for writing, and makes it where it is not there. It is locked: where another one writes it, IoError is
--- raised with the code "EBUSY".
---@async
---@param path string
---@param options septet.WriterOptions|nil
---@return septet.Writer
function io.create(path, options)
  args.string(path, 1, "create")
  options = args.options(options, writer_options, "create")
  if options.digest and not digests[options.digest] then
    args.usage("bad option 'digest' to 'create' (sha256, sha512, sha1 or md5 expected, got '%s')", options.digest)
  end
  local writer = core.file_open(path, options.append)
  if options.digest then writer:keep_digest(options.digest) end
  return writer
end

return args.module(io, "septet.io")
