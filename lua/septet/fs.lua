-- SPDX-License-Identifier: MIT
--- Files and folders from tasks: all of it runs in the thread pool, so that a slow disk blocks only
--- the task that waits for it. Everything raises IoError with `code`, `path` and `operation`.
---@class septet.fs
local fs = {}

local core = require "septet.core"
local args = require "septet.internal.args"
local tail = require "septet.fs.tail"
local temp = require "septet.fs.temp"
local walk = require "septet.fs.walk"
local watch = require "septet.fs.watch"

local MAX = 64 * 1024 * 1024 -- bytes

---@class septet.FileInfo
---@field type "file"|"directory"|"link"|"fifo"|"socket"|"char"|"block"|"unknown"
---@field size integer bytes
---@field mode integer permissions, without the type: 420 is rw-r--r--
---@field mtime number seconds since 1970 of the last change of the contents
---@field atime number of the last read
---@field ctime number of the last change of the attributes
---@field uid integer owner
---@field gid integer group
---@field links integer number of names
---@field inode integer
---@field device integer
---@field blocks integer number of blocks of 512 bytes

---@class septet.StatOptions
---@field links boolean|nil examines a link itself, not the file that it leads to; false

local stat_options = { links = "boolean" }

--- Examines a file. Follows links, unless `links` is set.
---@async
---@param path string
---@param options septet.StatOptions|nil
---@return septet.FileInfo
function fs.stat(path, options)
  args.string(path, 1, "stat")
  return core.fs_stat(path, args.options(options, stat_options, "stat").links)
end

--- Returns true if a path leads to a file or a folder. Like stat(), raises IoError for anything
--- that is not known: a folder that may not be searched, a loop of links.
---@async
---@param path string
---@return boolean
function fs.exists(path)
  args.string(path, 1, "exists")
  local ok, err = pcall(core.fs_stat, path)
  if ok then return true end
  if core.is(err, "IoError") and (err.code == "ENOENT" or err.code == "ENOTDIR") then
    return false
  end
  error(err, 0)
end

--- Returns the names in a folder, sorted by their bytes.
---@async
---@param path string
---@return string[]
function fs.list(path)
  args.string(path, 1, "list")
  return walk.list(path)
end

---@class septet.WalkOptions
---@field stat boolean|nil examines each entry; false
---@field sort boolean|nil by name, folder by folder, each of which is then read as a whole; false
---@field depth integer|nil 1 is what is in the folder itself; without a limit
---@field links boolean|nil enters folders that links lead to, but none inside itself; false
---@field filter (fun(path: string, entry: septet.WalkEntry): any)|nil leaves out an entry, and what
---is in it, for which it returns nil or false; none
---@field errors "raise"|"skip"|(fun(err: septet.IoError, path: string))|nil what is done about what
---cannot be read; "raise"

---@class septet.WalkEntry: septet.FileInfo
---@field name string
---@field depth integer

--- Returns an iterator over all that is in a folder, each folder before what is in it. Its values
--- are the path and a table with `type`, `name` and `depth`; with `stat` also what stat() returns.
---@async
---@param root string
---@param options septet.WalkOptions|nil
---@return septet.Walk|fun(): string, septet.WalkEntry
function fs.walk(root, options)
  args.string(root, 1, "walk")
  return walk.open(root, options)
end

---@class septet.MkdirOptions
---@field parents boolean|nil makes those above it, too, and leaves one that exists as it is; false
---@field mode integer|nil permissions; as the umask says

local mkdir_options = { parents = "boolean", mode = "mode" }

--- Makes a folder.
---@async
---@param path string
---@param options septet.MkdirOptions|nil
function fs.mkdir(path, options)
  args.string(path, 1, "mkdir")
  options = args.options(options, mkdir_options, "mkdir")
  core.fs_mkdir(path, options.parents, options.mode)
end

---@class septet.RemoveOptions
---@field recursive boolean|nil removes what is in a folder, too; false

local remove_options = { recursive = "boolean" }

--- Removes a file, a link or an empty folder. With `recursive`, removes a folder with all that is
--- in it; no link is followed. If it is cancelled, some of it is gone.
---@async
---@param path string
---@param options septet.RemoveOptions|nil
function fs.remove(path, options)
  args.string(path, 1, "remove")
  core.fs_remove(path, args.options(options, remove_options, "remove").recursive)
end

--- Renames a file or a folder, on one file system. A file that has the new name is replaced.
---@async
---@param from string
---@param to string
function fs.rename(from, to)
  args.string(from, 1, "rename")
  args.string(to, 2, "rename")
  core.fs_rename(from, to)
end

---@class septet.CopyOptions
---@field recursive boolean|nil copies a folder with all that is in it; false
---@field overwrite boolean|nil replaces files that exist, and copies into folders that do; false

local copy_options = { recursive = "boolean", overwrite = "boolean" }

--- Copies a file with its permissions. If that fails or is cancelled, the copy is removed.
---@async
---@param from string
---@param to string the copy's own name, not the folder that it goes to
---@param options septet.CopyOptions|nil
function fs.copy(from, to, options)
  args.string(from, 1, "copy")
  args.string(to, 2, "copy")
  options = args.options(options, copy_options, "copy")
  core.fs_copy(from, to, options.recursive, options.overwrite)
end

---@class septet.ReadOptions
---@field max integer|nil most bytes; 64 MiB
---@field special boolean|nil reads what a device or a FIFO has at once; false

local read_options = { max = "bytes", special = "boolean" }

--- Returns the bytes of a regular file. Raises IoError with the code "too_big" if it has more than
--- `max`.
---@async
---@param path string
---@param options septet.ReadOptions|nil
---@return string
function fs.read(path, options)
  args.string(path, 1, "read")
  options = args.options(options, read_options, "read")
  return core.fs_read(path, options.max or MAX, options.special)
end

---@class septet.WriteOptions
---@field atomic boolean|nil replaces the file once the new one is whole; true
---@field sync boolean|nil waits until the disk has it; true
---@field mode integer|nil permissions; those of the old file, or as the umask says

local write_options = { atomic = "boolean", sync = "boolean", mode = "mode" }

--- Writes a file: it is the old one or the whole new one at any time, whatever fails. A link at the
--- path is followed. If it is cancelled, the old file remains.
---@async
---@param path string
---@param data string
---@param options septet.WriteOptions|nil
function fs.write(path, data, options)
  args.string(path, 1, "write")
  args.string(data, 2, "write")
  options = args.options(options, write_options, "write")
  local kind = options.atomic == false and "in place" or "atomic"
  core.fs_write(path, data, kind, options.sync ~= false, options.mode)
end

---@class septet.AppendOptions
---@field sync boolean|nil waits until the disk has it; false
---@field mode integer|nil permissions of a new file; as the umask says
---@field special boolean|nil writes to a device or a FIFO what it takes at once; false

local append_options = { sync = "boolean", mode = "mode", special = "boolean" }

--- Appends to a file, which is made if it does not exist. Up to 256 KiB are one write, with which
--- no other is mixed.
---@async
---@param path string
---@param data string
---@param options septet.AppendOptions|nil
function fs.append(path, data, options)
  args.string(path, 1, "append")
  args.string(data, 2, "append")
  options = args.options(options, append_options, "append")
  core.fs_write(path, data, "append", options.sync, options.mode, options.special)
end

--- Sets the size of a regular file. What it gains is zeros.
---@async
---@param path string
---@param size integer|nil bytes; 0
function fs.truncate(path, size)
  args.string(path, 1, "truncate")
  if size ~= nil and (math.type(size) ~= "integer" or size < 0) then
    args.usage("bad argument #2 to 'truncate' (a whole number of bytes expected, got %s)",
      type(size) == "number" and tostring(size) or type(size))
  end
  core.fs_truncate(path, size or 0)
end

---@class septet.TempOptions
---@field dir string|nil where it is made; TMPDIR of the environment, or /tmp

--- Makes an empty file, for this process's user only. It is removed at the end of its `<close>`
--- variable, when the value is collected, and at the end of the host. `path` is its path.
---@async
---@param options septet.TempOptions|nil
---@return septet.Temp
function fs.temp_file(options)
  return temp.make(false, options, "temp_file")
end

--- Like temp_file(), but makes a folder, which is removed with all that is in it.
---@async
---@param options septet.TempOptions|nil
---@return septet.Temp
function fs.temp_dir(options)
  return temp.make(true, options, "temp_dir")
end

---@class septet.WatchOptions
---@field recursive boolean|nil watches the folders in a folder, too; false
---@field queue integer|nil most events that wait for the loop; 4096

---@class septet.WatchEvent
---@field type "change"|"rename"|"overflow"
---@field path string|nil what changed; nil if events were lost
---@field name string|nil its path below the folder that is watched; nil for the folder itself

--- Returns an iterator over the changes of a file, or of what is in a folder. It ends once the
--- folder is removed.
---@async
---@param path string
---@param options septet.WatchOptions|nil
---@return septet.Watch|fun(): septet.WatchEvent
function fs.watch(path, options)
  args.string(path, 1, "watch")
  return watch.open(path, options)
end

---@class septet.TailOptions
---@field from "start"|"end"|nil where to begin; "end"
---@field follow boolean|nil waits for more at the end; true
---@field max_line integer|nil longest line in bytes; 1 MiB
---@field poll number|nil seconds between looks at a file that cannot be watched; 1

--- Returns an iterator over the lines of a file that grows, is truncated or is replaced by a new
--- one. The file need not exist yet.
---@async
---@param path string
---@param options septet.TailOptions|nil
---@return septet.Tail|fun(): string
function fs.tail(path, options)
  args.string(path, 1, "tail")
  return tail.open(path, options)
end

return args.module(fs, "septet.fs")
