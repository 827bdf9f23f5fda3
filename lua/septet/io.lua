-- SPDX-License-Identifier: MIT
--- Reading and writing files, pipes and standard input from tasks. A silent pipe or a slow disk
--- blocks only the task that waits for it.
---@class septet.io
local sio = {} -- `io` is the standard library

local core = require "septet.core"
local args = require "septet.internal.args"

local MAX_LINE = 1024 * 1024 -- bytes

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

---@class septet.WriterOptions
---@field append boolean|nil keeps the contents of the file; false
---@field digest "sha256"|"sha512"|"sha1"|"md5"|nil digest to keep of the whole file; none

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
