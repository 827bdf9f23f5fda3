-- SPDX-License-Identifier: MIT
---@meta _

-- Objects of septet.io, whose methods are C functions.

--- Reads lines and bytes. One task at a time may wait for it; reading in another raises Usage. A
--- cancelled wait loses nothing: the next read returns what has arrived.
---@class septet.Reader
local Reader = {}

--- Waits for the next line. Raises IoError, also for a line over `max_line`, which `read` can still
--- take.
---@async
---@return string|nil line without its "\n"; nil at the end
function Reader:read_line() end

--- Iterates over all lines: `for line in reader:lines() do`. Each step waits.
---@return fun(): string|nil
function Reader:lines() end

--- Waits until bytes are available and returns them. Raises IoError.
---@async
---@param n integer maximum number of bytes
---@return string|nil bytes nil at the end
function Reader:read(n) end

--- Waits for n bytes and returns them. Raises IoError, with the code "ended" if the end comes
--- within them; they stay, and `read` can still take them.
---@async
---@param n integer
---@return string|nil bytes nil at the end
function Reader:read_exactly(n) end

--- Waits for the end and returns all bytes until then. Raises IoError, with the code "too_big" for
--- more than `max` bytes, which stay.
---@async
---@param max integer|nil bytes; 64 MiB
---@return string bytes "" at the end
function Reader:read_all(max) end

--- Closes the reader. A waiting task raises IoError with the code "closed"; later reads raise
--- Usage. Does nothing if closed. Also called by `<close>`.
function Reader:close() end

--- Writes to the standard input of a process. One task at a time may wait for it; calls in another
--- raise Usage. If a wait is cancelled, a part of the bytes is still written, and the next call
--- waits for that first.
---@class septet.StreamWriter
local StreamWriter = {}

--- Writes strings and numbers, and waits until the other side has room for them. Raises IoError,
--- with the code "EPIPE" if it reads no more.
---@async
---@param ... string|number
---@return septet.StreamWriter
function StreamWriter:write(...) end

--- Waits until all is written, and closes the writer: the other side reads the end.
---@async
---@return septet.StreamWriter
function StreamWriter:shutdown() end

--- Closes the writer at once. A waiting task raises IoError with the code "closed". Does nothing if
--- closed. Also called by `<close>`.
function StreamWriter:close() end

--- An open file for writing. One task at a time may wait for it; calls in another raise Usage. All
--- methods wait and raise IoError; `<close>` does not wait. After a failure, each later call but
--- `size`, `remove` and `close` raises the same error. If a wait is cancelled, its operation
--- continues, and the next call waits for that first.
---@class septet.Writer
local Writer = {}

--- Writes strings and numbers, like file:write(), behind earlier ones. If cancelled, some of them
--- may have been written.
---@async
---@param ... string|number
---@return septet.Writer
function Writer:write(...) end

--- Empties the file.
---@async
function Writer:truncate() end

--- Waits until the disk holds what was written (fsync).
---@async
function Writer:sync() end

--- Waits until the disk holds the file, and holds it as `path` in place of what was there. At any
--- time, `path` is either the old or the whole new file. Both names must be on one file system. If
--- cancelled, it may still happen.
---@async
---@param path string|nil by default the file that a part is of
function Writer:commit(path) end

--- Removes the name of the file.
---@async
function Writer:remove() end

--- Returns the digest of the whole file, as chosen in `create`, after pending writes.
---@async
---@return string hex
function Writer:digest() end

--- Returns the file size in bytes, after pending writes.
---@async
---@return integer bytes
function Writer:size() end

--- Waits until the file is closed. Does nothing if closed. The end of a `<close>` variable does not
--- wait.
---@async
function Writer:close() end

--- Keeps a digest of the file's contents and of all that is written from now on.
---@private
---@param name "sha256"|"sha512"|"sha1"|"md5"
function Writer:keep_digest(name) end

--- Takes all that a stream holds, appends up to n bytes of it, and returns how many it held.
---@private
---@async
---@param stream userdata of a streamed response
---@param n integer|nil bytes
---@return integer bytes
function Writer:write_held(stream, n) end

--- Returns the file's contents, for small files only.
---@private
---@async
---@return string
function Writer:contents() end
