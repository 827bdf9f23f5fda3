--- Lines and bytes of files, pipes and standard input, from tasks: a pipe on which nothing comes keeps nobody else.
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

return io
