-- SPDX-License-Identifier: MIT
---@meta septet.core

-- The C functions of the modules in lua/septet/. Only these modules can require septet.core. It may
-- change with any version.

---@class septet.core
---@field error_meta table metatable of error objects
---@field task_meta table metatable of tasks
---@field scope_meta table metatable of scopes
---@field scope_methods table methods of scopes
---@field net_server_meta table metatable of servers
---@field net_server_methods table methods of servers
---@field json_array table metatable that marks arrays
---@field json_null userdata JSON's null
---@field json_depth_max integer
local core = {}

-- --- src/lua/lib.c ---

--- Returns the versions of Septet and Lua, and of the linked libraries at run time.
---@return string
function core.versions() end

--- Calls fn(...) where nothing can wait.
---@param fn function
---@param ... any
function core.hook(fn, ...) end

--- Returns the number of the running task's script, 0 for the host itself.
---@return integer
function core.script_id() end

--- Returns true until the embedder has unloaded the script.
---@param id integer
---@return boolean
function core.script_exists(id) end

-- --- src/op/gate.c ---

--- Returns true if the embedder lets scripts use a file, a variable of the environment, or what the
--- trace shows of all scripts.
---@param what "read"|"write"|"env"|"trace"
---@param subject string
---@return boolean
function core.permits(what, subject) end

-- --- src/lua/profile_package.c ---

--- Returns true for a standard library of a state with the standard profile: each script has one of
--- its own.
---@param name string
---@return boolean
function core.hides_library(name) end

-- --- src/lua/task.c ---

--- Makes the running task the only one that an interrupt cancels, with all below it, until it
--- calls this again, which it must do before it ends. false: an interrupt cancels none. nil: it
--- cancels the main tasks, as at first.
---@param is boolean|nil
function core.foreground(is) end

--- Spawns a task that calls fn(...), owned by the innermost open scope.
---@param fn function
---@param ... any
---@return septet.Task
function core.spawn(fn, ...) end

--- Like spawn(), but names the task by an item, if that is a string or a number.
---@param item any
---@param fn function
---@param ... any
---@return septet.Task
function core.spawn_for(item, fn, ...) end

--- Like spawn(), but the task is owned by the run.
---@param fn function
---@param ... any
---@return septet.Task
function core.background(fn, ...) end

--- Returns the running task, or nil outside of tasks.
---@return septet.Task|nil
function core.current() end

--- Returns the seconds on the host's clock.
---@return number
function core.now() end

--- Returns true if the value is a Septet error of that kind, or of any kind without one.
---@param value any
---@param kind string|nil
---@return boolean
function core.is(value, kind) end

--- Makes the table an error object and returns it.
---@param fields table with `kind` and `message`, unless the kind is "ErrorGroup"
---@return table
function core.error(fields) end

--- Marks the task as observed, so that its failure is not reported.
---@param t septet.Task
function core.seen(t) end

--- Excludes the task's failure, if it is reported, from the result of the run.
---@param t septet.Task
function core.late(t) end

--- Passes a warning to the host.
---@param message string
function core.warn(message) end

--- Returns the live tasks as a tree: {{id=, name=, status=, waits_for=, spawned_at=, children=},
--- ...}.
---@return table
function core.tree() end

-- --- src/lua/errors.c ---

--- Like pcall(), but returns the error's traceback as the third value, for raise().
---@async
---@param fn function
---@param ... any
---@return boolean ok
---@return any ... what fn returned, or its error and the traceback
function core.try(fn, ...) end

--- Like try(), but makes a traceback of Cancelled and GeneratorClosed only.
---@async
---@param fn function
---@param ... any
---@return boolean ok
---@return any ...
function core.try_unwinding(fn, ...) end

--- Raises an error that try() caught.
---@param error any
---@param traceback userdata|nil
---@param label string|nil what happens where it is raised again; nil leaves that stack out
function core.raise(error, traceback, label) end

--- Returns the text of a traceback, or nil for nil.
---@param traceback userdata|nil
---@return string|nil
function core.traceback(traceback) end

--- Returns the id of the task in which a failed task's error was first a failure.
---@param t septet.Task
---@return integer
function core.origin(t) end

--- Like origin(), but for an error in the running task. Returns 0 if it was no task's failure.
---@param error any
---@param traceback userdata|nil
---@return integer
function core.source(error, traceback) end

--- Returns the error of a failed task. The failure does not become observed by that.
---@param t septet.Task
---@return any
function core.failure(t) end

--- Returns the text of an error. Raises only if out of memory.
---@param error any
---@return string
function core.words(error) end

-- --- src/lua/locals.c ---

--- Returns the running task's locals, or nil if it has none. The table must not be changed.
---@return table|nil
function core.locals() end

--- Replaces the running task's locals.
---@param locals table
function core.set_locals(locals) end

--- Calls fn(...) with other locals, in which `var` has another value. The calling coroutine cannot
--- yield until fn returns.
---@async
---@param var septet.Var
---@param locals table
---@param fn function
---@param ... any
---@return any ...
function core.with_locals(var, locals, fn, ...) end

-- --- src/lua/trace.c ---

--- Returns a block of the records from a cursor on, as bytes, and the cursor behind them. Returns
--- nil if there are none.
---@param cursor integer 0 for the oldest record
---@return string|nil block
---@return integer|nil next_cursor
function core.trace_block(cursor) end

--- Registers a function, which is called outside of any task, once in each turn with new records.
--- Returns the cursor of the first of them.
---@param fn function
---@param level integer that the ring has, at least
---@return integer cursor
function core.trace_sink(fn, level) end

--- Removes a function registered by trace_sink().
---@param fn function
function core.trace_unsink(fn) end

--- Returns the ring's level.
---@return integer
function core.trace_level() end

---Calls the sinks now, as after a turn. A no-op once the host is closed.
function core.trace_flush() end

-- --- src/lua/trace_file.c ---

--- Begins to record the trace to a file. Raises IoError.
---@param path string
---@param meta string lines of key=value
---@param level integer
---@return septet.Recording
function core.trace_file(path, meta, level) end

-- --- src/lua/trace_task.c ---

--- Spawns a task of the run of which the trace has no records. May be called outside of tasks. One
--- such task at a time.
---@param fn function
---@param ... any
---@return septet.Task
function core.trace_task(fn, ...) end

--- Returns the number of live main tasks, whether the clock is virtual, and the number of the
--- process.
---@return integer mains
---@return boolean virtual
---@return integer pid
function core.trace_host() end

--- Has the sinks called after so many seconds, also if there are no new records. It keeps neither
--- the run alive nor a deadlock from being found.
---@param seconds number
function core.trace_wake(seconds) end

-- --- src/lua/trace_ps.c ---

--- Returns the text about the live tasks. A script of the standard profile sees its own.
---@param form integer 0: the tree; 1: the tree in full; 2: JSON; 3: one line
---@return string
function core.trace_ps(form) end

-- --- src/lua/trace_mark.c ---

--- Begins a span of the running task. Returns its number.
---@param name string
---@return integer
function core.trace_span(name) end

--- Ends a span.
---@param number integer
---@param failed boolean
function core.trace_span_end(number, failed) end

--- Records an instant.
---@param name string
---@param value number|nil
function core.trace_mark(name, value) end

--- Records the value of a counter.
---@param name string
---@param value number
function core.trace_count(name, value) end

--- Records a step of a job, without checking what it is given.
---@param step integer an enum spt_job_step
---@param queue string
---@param key string|nil
---@param number integer the attempt; of a put, the number of new jobs
---@param seconds number in the queue, or at work; of a put, the number of all jobs
function core.trace_job(step, queue, key, number, seconds) end

-- --- src/lua/json.c, src/lua/json_encode.c, src/lua/text.c, src/lua/hash.c, src/lua/encoding.c,
-- src/lua/csv.c, src/lua/csv_line.c, src/lua/list.c ---

--- Returns true for a table without a metatable, whose keys are 1 to n and come in this order.
---@param value any
---@return boolean
function core.is_plain_list(value) end

--- Returns the value of a JSON text. Raises JsonError.
---@param text string
---@param depth integer
---@param max_memory integer bytes
---@return any
function core.json_decode(text, depth, max_memory) end

--- Returns the JSON text of a value, with sorted keys. Raises Usage.
---@param value any
---@param depth integer
---@param indent integer 0 for one line
---@return string
function core.json_encode(value, depth, indent) end

--- Returns the bytes as UTF-8, or nil if iconv does not know the charset.
---@param bytes string
---@param charset string|nil nil for bytes that should be UTF-8
---@param unit integer|nil number of bytes that an invalid one skips
---@param controls boolean|nil true: bytes that the charset leaves undefined become controls
---@return string|nil
function core.text_decode(bytes, charset, unit, controls) end

--- Returns a parser of CSV.
---@param separator string
---@param quote string|boolean false if quotes have no meaning
---@param lazy boolean|nil
---@param ragged boolean|nil
---@param max_field integer bytes
---@param max_row integer bytes
---@param max_columns integer
---@return septet.CsvParser
function core.csv_parser(separator, quote, lazy, ragged, max_field, max_row, max_columns) end

--- Returns the line of a list of values. Returns nil and the number of the value that cannot be
--- written, or false and the key that is no number of a value.
---@param row any[]
---@param count integer
---@param separator string
---@param newline string
---@param all boolean|nil quotes each field
---@param guard boolean|nil an apostrophe before what may be a formula
---@return string|boolean|nil
---@return any
function core.csv_line(row, count, separator, newline, all, guard) end

--- Returns the digest in hexadecimal.
---@param name "sha256"|"sha512"|"sha1"|"md5"
---@param bytes string
---@return string
function core.digest(name, bytes) end

--- Returns a hash of nothing, or nil if OpenSSL does not offer the digest.
---@param name string OpenSSL's name of the digest
---@param key string|nil makes it an HMAC
---@return septet.RawHash|nil
function core.hash_new(name, key) end

--- Waits for the digest of a file and returns its bytes. Returns nil if OpenSSL does not offer it.
--- Raises IoError.
---@async
---@param name string OpenSSL's name of the digest
---@param path string
---@return string|nil
function core.hash_file(name, path) end

--- Returns n bytes that nothing can guess.
---@param n integer up to 1 MiB
---@return string
function core.random_bytes(n) end

--- Compares in a time that depends on the lengths only.
---@param a string
---@param b string
---@return boolean
function core.equal(a, b) end

--- Returns the digits of bytes, with padding unless `for_url`.
---@param bytes string
---@param for_url boolean|nil
---@return string
function core.base64(bytes, for_url) end

--- Returns the bytes, or nil and where the text is invalid.
---@param text string
---@param for_url boolean|nil
---@param at_end boolean|nil there may be padding
---@return string|nil
---@return integer|nil
function core.unbase64(text, for_url, at_end) end

--- Returns a list of strings joined, like table.concat(), but allocates once.
---@param list string[]
---@return string
function core.join(list) end

--- Returns two digits for each byte.
---@param bytes string
---@return string
function core.hex(bytes) end

--- Returns the bytes, or nil and where the text is invalid.
---@param text string
---@return string|nil
---@return integer|nil
function core.unhex(text) end

-- --- src/op/sleep.c, src/op/wait_idle.c ---

--- Waits for at least `seconds`. sleep(0) is a checkpoint.
---@async
---@param seconds number
function core.sleep(seconds) end

--- Waits until now() has reached the instant.
---@async
---@param instant number
function core.sleep_until(instant) end

--- Raises Cancelled if the task is cancelled, otherwise lets the other tasks run.
---@async
function core.checkpoint() end

--- Like checkpoint(), but does nothing where the running code cannot wait.
---@async
function core.pause() end

--- Waits until no other task can run before an external event or an advance of the clock.
---@async
function core.wait_idle() end

--- Like wait_idle(), but then advances a virtual clock to the next deadline.
---@async
---@param seconds number at most
---@param left any the rest, as the last call returned it
---@return any left 0 at the end
function core.clock_advance(seconds, left) end

--- Advances a virtual clock at once, while nothing else runs.
---@param seconds number
function core.clock_jump(seconds) end

--- Sets whether a virtual clock may jump while the running task waits for I/O, as nothing of this
--- program will cause it.
---@param on boolean
function core.clock_aside(on) end

--- With `on`, a virtual clock does not advance by itself.
---@param on boolean
---@return boolean before
function core.clock_manual(on) end

-- --- src/op/wall_clock.c ---

--- Returns the seconds since 1970 on the wall clock, which may be set back. A virtual one begins
--- with the year 2000.
---@return number
function core.wall() end

--- Sets a virtual wall clock forward, or back. Its years are 1970 to 2099.
---@param seconds number
function core.wall_step(seconds) end

-- --- src/op/join.c, src/op/completions.c, src/op/load.c ---

--- Like task:await().
---@async
---@param t septet.Task
---@return any ...
function core.await(t) end

--- Like task:await(), but never waits. The task must have ended.
---@param t septet.Task
---@return any ...
function core.outcome(t) end

--- Returns a set of the tasks of a list, and an array of them. Returns nothing if the list has a
--- metatable or holds anything but tasks, or one of them twice, or the running task.
---@param list septet.Task[]
---@return septet.Completions|nil set
---@return septet.Task[]|nil tasks
function core.completions(list) end

--- Returns a load that the task has begun.
---@param t septet.Task
---@return septet.Load
function core.load(t) end

-- --- src/op/block.c ---

--- Opens a scope in the running task.
---@param gathers boolean true: a task that fails cancels the others
---@param shield boolean|nil true: cancellation from outside stops here
---@param seconds number|nil its deadline from now
---@param tasks_only boolean|nil true: cancelling the scope cancels only its tasks
---@return septet.Group
function core.scope(gathers, shield, seconds, tasks_only) end

--- Waits until the scope has no live task. Cancellation does not reach the wait.
---@async
---@param scope septet.Group
function core.scope_join(scope) end

--- Closes the running task's innermost scope, which must be joined.
---@param scope septet.Group
---@return boolean absorbed true if it absorbs the Cancelled that unwinds it
---@return string|nil source what cancelled it ("deadline", ...)
---@return boolean child_cancelled true if a task of it ended cancelled
---@return boolean had_tasks
function core.scope_close(scope) end

--- Cancels the remaining tasks of a scope after its body failed.
---@param scope septet.Group
function core.scope_fail(scope) end

--- Cancels the remaining tasks of a scope after its body ended.
---@param scope septet.Group
function core.scope_leave(scope) end

--- Returns the next failed task that was not observed, oldest first, and marks it as observed.
---@param scope septet.Group
---@return septet.Task|nil
function core.scope_failed(scope) end

--- Moves a live task to another scope.
---@param t septet.Task
---@param scope septet.Group
function core.scope_move(t, scope) end

--- Keeps the scope open until the nursery closes. The nursery's task will move to the scope.
---@param scope septet.Group
---@param nursery septet.Group
function core.scope_expect(scope, nursery) end

--- Makes a group without tasks a pool of n.
---@param scope septet.Group
---@param n integer
function core.scope_limit(scope, n) end

--- Returns true for a pool.
---@param scope septet.Group
---@return boolean
function core.scope_is_pool(scope) end

--- Like scope:spawn(), and names the task by the item.
---@param scope septet.Group
---@param item any
---@param fn function
---@param ... any
---@return septet.Task
function core.scope_spawn_for(scope, item, fn, ...) end

--- Like scope_spawn_for(scope, item, fn, ...), but the task is shown by the place of `shown`, a
--- function that fn calls. Not in a pool.
---@param scope septet.Group
---@param item any
---@param shown function
---@param fn function
---@param ... any
---@return septet.Task
function core.scope_spawn_shown(scope, item, shown, fn, ...) end

--- Returns the innermost block open in the running task, or nil.
---@return septet.Group|nil
function core.current_scope() end

--- Returns the instant of the deadline in force for the running task: math.huge if there is none,
--- -math.huge once the task is cancelled.
---@return number
function core.deadline() end

-- --- src/op/block_unwind.c ---

--- Returns the object to close at the end of the running task's innermost block, or of the task's
--- body. With a value, sets it instead.
---@param value {close: function}|nil
---@return {close: function}|nil
function core.closers(value) end

--- Returns the closers of a scope that is about to end.
---@param scope septet.Group
---@return {close: function}|nil closers
---@return boolean left true if its body left blocks open
function core.scope_closers(scope) end

--- Returns true if the scope's closing variable has to end it, false if it was already unwound.
---@param scope septet.Group
---@return boolean
function core.scope_ends(scope) end

--- Returns the traceback of the error that unwinds the block of a group in a variable.
---@param scope septet.Group
---@param error any
---@return userdata|nil
function core.scope_caught(scope, error) end

--- Returns the innermost block open in the running task and marks it as unwound. Returns nil if
--- that block is `outer`.
---@param outer septet.Group|userdata
---@return septet.Group|nil
function core.scope_left(outer) end

--- Warns that the running task left the block open, and cancels its remaining tasks.
---@param scope septet.Group
function core.scope_abandon(scope) end

--- Ends the blocks left open inside `outer`. In lua/septet/task/group.lua.
---@async
---@param outer septet.Group|userdata
---@param left boolean true if their body has ended, false if their coroutine died
---@param err any
---@param dead thread|nil the coroutine that died of the error
---@return any err the resulting error
function core.unwind(outer, left, err, dead) end

--- Returns the lines of the stack of a dead coroutine.
---@param dead thread
---@return string
function core.frames(dead) end

-- --- src/op/block_run.c ---

--- Opens a scope as core.scope() does, calls fn(...) protected, and returns what
--- leave(scope, seconds, ok, ...) returns for its results. The scope is closed on every path.
---@async
---@param is_group boolean
---@param shield boolean
---@param seconds number|nil
---@param leave function|nil ends the scope; nil if `fn` does
---@param fn function a group's, and one that ends the scope, gets the scope as its first argument
---@param ... any
---@return any ...
function core.run_block(is_group, shield, seconds, leave, fn, ...) end

--- Returns true if the values are a number of seconds, or nil, and a function.
---@param seconds any
---@param fn any
---@return boolean
function core.takes(seconds, fn) end

--- Makes fn(scope, error) what ends a block in a variable.
---@param fn function
function core.set_close_block(fn) end

--- Makes fn(outer, left, error, coroutine) what ends blocks left open, for coroutines and for tasks
--- that end.
---@param fn function
function core.set_unwind(fn) end

-- --- src/op/thread/thread.c ---

---@class septet.RawThread

--- Returns a thread that is to call fn(...) in a state of its own. Raises Usage for what cannot be
--- copied, and IoError if it is not permitted.
---@param memory integer bytes that the state may have; 0 for no limit
---@param fn function
---@param ... any
---@return septet.RawThread
function core.thread_new(memory, fn, ...) end

--- Runs a thread, once, and waits for its end.
---@async
---@param thread septet.RawThread
---@return "returned"|"failed"|"uncopiable"|"result"|"memory" outcome
---@return any ... the results; the error or its text, and the traceback; the number, the kind and
---the place of what cannot be copied; or the limit
function core.thread_wait(thread) end

--- Returns how many threads may run at once.
---@return integer
function core.thread_places() end

-- --- src/op/future.c ---

--- Returns a new future, which is pending.
---@return septet.Future
function core.future() end

-- --- src/lua/terminal.c ---

--- Counts the lines of scripts that run from now on.
function core.coverage_start() end

--- Ends that. Returns a list of line, count, line, count... for each file.
---@return table<string, integer[]>
function core.coverage_stop() end

--- Remembers from now on what scripts open, and the lines that open it.
function core.census_begin() end

--- Ends that. Returns the kind and the place of each that is still open, one after the other, in
--- the order of opening.
---@return string[]
function core.census_end() end

--- Returns a function like one of Lua's io that opens files, which tells `note` of each file; any
--- other function as it is.
---@param fn function
---@param note fun(file: file*)
---@return function
function core.census_opener(fn, note) end

--- Returns the size of a terminal, 80 and 24 if it does not say; nil if the descriptor is none.
---@param descriptor integer
---@return integer|nil columns
---@return integer|nil rows
function core.terminal_size(descriptor) end

-- --- src/op/event.c, src/op/semaphore.c, src/op/lock.c, src/op/channel.c ---

--- Returns a new event that is not set.
---@return septet.Event
function core.event() end

--- Returns a semaphore with n free permits.
---@param n integer
---@return septet.Semaphore
function core.semaphore(n) end

--- Returns a free lock.
---@return septet.Lock
function core.lock() end

--- Returns a new channel.
---@param capacity number|nil
---@return septet.Channel
function core.channel(capacity) end

-- --- src/op/fs ---

--- Examines a file; with `links`, a link itself.
---@async
---@param path string
---@param links boolean|nil
---@return septet.FileInfo
function core.fs_stat(path, links) end

---@async
---@param path string
---@param parents boolean|nil
---@param mode integer|nil
function core.fs_mkdir(path, parents, mode) end

---@async
---@param from string
---@param to string
function core.fs_rename(from, to) end

---@async
---@param path string
---@param size integer bytes
function core.fs_truncate(path, size) end

---@async
---@param path string
---@param recursive boolean|nil
function core.fs_remove(path, recursive) end

---@async
---@param from string
---@param to string
---@param recursive boolean|nil
---@param overwrite boolean|nil
function core.fs_copy(from, to, recursive, overwrite) end

---@async
---@param path string
---@param max integer bytes
---@param special boolean|nil the file may be a device or a FIFO
---@return string
function core.fs_read(path, max, special) end

---@async
---@param path string
---@param data string
---@param kind "atomic"|"in place"|"append"
---@param sync boolean|nil
---@param mode integer|nil
---@param special boolean|nil the file may be a device or a FIFO
function core.fs_write(path, data, kind, sync, mode, special) end

---@param root string
---@param flags integer as fs/walk.h has them
---@param depth integer|nil
---@param tells boolean|nil faults are returned, and not raised
---@return septet.Walker
function core.fs_walk(root, flags, depth, tells) end

---@return septet.TempHandle
function core.fs_temp() end

---@param path string for errors
---@param count integer most events that are kept
---@param is_part boolean|nil something else closes it, which a census counts
---@return septet.WatchHandle
function core.fs_watch(path, count, is_part) end

---@param path string
---@param from_end boolean|nil
---@return septet.TailHandle
function core.fs_tail(path, from_end) end

-- --- src/op/process/spawn.c ---

--- Starts a process and returns its handle and its number, or raises ProcessError. `spec` has the
--- fields of command.spec() in lua/septet/process/command.lua, and `stdin`.
---@async
---@param spec table
---@return septet.ProcessHandle
---@return integer pid
function core.process_spawn(spec) end

-- --- src/op/io.c, src/op/file_open.c ---

--- Opens a file and returns a reader, or raises IoError.
---@async
---@param path string
---@param max_line integer bytes
---@return septet.Reader
function core.io_open(path, max_line) end

--- Returns the number of bytes that a reader of a regular file has left, or nil if that is not
--- known: for other readers, and for what is no reader.
---@async
---@param reader any
---@return integer|nil
function core.io_rest(reader) end

--- Returns a reader of standard input, or raises IoError.
---@param max_line integer bytes
---@return septet.Reader
function core.io_stdin(max_line) end

--- Opens a file for writing. Raises IoError, with EBUSY if the file is being written.
---@async
---@param path string
---@param append boolean|nil false: the file is truncated
---@return septet.Writer
---@return integer size
function core.file_open(path, append) end

--- Like file_open() with `append`, but opens the private part file beside the file that the target
--- leads to.
---@async
---@param target string
---@return septet.Writer
---@return integer size
---@return string final the name of that file
function core.file_open_part(target) end

--- Like file_open() with `append`, but opens a private file.
---@async
---@param path string
---@param make boolean true: creates it if it is missing
---@return septet.Writer
---@return integer size
function core.file_open_private(path, make) end

-- --- src/op/http/ ---

--- Returns the supported content codings, as a value of Accept-Encoding.
---@return string
function core.http_encodings() end

--- Returns why HTTP/2 is disabled with this libcurl, or nil.
---@return string|nil
function core.http2_refusal() end

--- Returns the words for the workarounds in use for this libcurl.
---@return string[]
function core.http_quirks() end

--- Returns checked header lines. Raises Usage for a header that cannot be sent, with its name.
---@param list string[] {name, value, ...}
---@return userdata
function core.http_headers(list) end

--- Returns the options of requests, as the core takes them.
---@param options table timeouts, max_body and connection options
---@return userdata
function core.http_options(options) end

---@class septet.CoreSessionOptions
---@field limit integer
---@field limit_per_host integer
---@field cookies boolean|nil
---@field resolve string[]|nil "host:port:address"
---@field resolver string|nil
---@field allow string[]|nil rules
---@field deny string[]|nil rules

--- Returns a session, or nil and the rule if one is invalid.
---@param options septet.CoreSessionOptions
---@return septet.CoreSession|nil
---@return string|nil bad_rule
function core.http_session(options) end

--- Returns an empty head of a request, or of the header lines after a chunked body.
---@param trailers boolean|nil
---@return septet.RequestHead
function core.http_request_head(trailers) end

--- Returns a home for streams: the innermost block that is open, or the running task.
---@return septet.Home
function core.http_home() end

---@class septet.RawResponse
---@field status integer
---@field head septet.Head
---@field stream septet.Stream
---@field redirect_url string|nil
---@field url string|nil where it differs from that of the request

--- Sends a request and waits for the whole response. Raises HttpError.
---@async
---@param session septet.CoreSession
---@param options userdata from http_options()
---@param headers userdata from http_headers()
---@param method string
---@param url string
---@param body string|septet.Upload|nil
---@param timeout number|nil seconds for this attempt, including its time in the queue
---@param trace {wanted: integer, signal: function, ended: function}|nil
---@param no_follow boolean|nil true: a redirect will not be followed, so its body is read
---@param number integer|nil of the request
---@param resend integer|nil how many attempts of it came before
---@return septet.Response
function core.http(session, options, headers, method, url, body, timeout, trace, no_follow, number,
                   resend)
end

--- Returns the function of sessions for a method. It performs a plain request by itself, and calls
--- `other` with the same arguments for any other.
---@param method string
---@param other function
---@param default (fun(): septet.Session)|nil if given, the functions take no session, but this one
---@return function
function core.http_verb(method, other, default) end

--- Takes what verbs need: the metatables, and the function that follows the redirects of a plain
--- request.
---@param session_meta table
---@param response_meta table
---@param follow function like request.follow()
function core.http_sessions(session_meta, response_meta, follow) end

--- Says whether the host has hooks for the requests of all sessions.
---@param hooked boolean
function core.http_hooked(hooked) end

--- Returns true if the verbs of a session perform this request without Lua.
---@param session septet.Session
---@param url string
---@param options table|nil
---@return boolean
function core.http_is_plain(session, url, options) end

--- Returns a number for a request that may take several attempts.
---@return integer
function core.http_number() end

--- Has the trace record up to n bytes of each body of later requests, at level 3; 0 for none.
---@param n integer
function core.trace_bodies(n) end

--- Returns the names of the signals, in the order of their bits in `wanted`.
---@return string[]
function core.http_signals() end

--- Like http(), but waits only for the head.
---@async
---@param session septet.CoreSession
---@param options userdata
---@param headers userdata
---@param method string
---@param url string
---@param body string|septet.Upload|nil
---@param timeout number|nil
---@param trace {wanted: integer, signal: function, ended: function}|nil
---@param no_follow boolean|nil
---@param number integer|nil
---@param resend integer|nil
---@param gathers boolean|nil true: the caller reads the whole body, if any of it
---@return septet.RawResponse
function core.http_stream(session, options, headers, method, url, body, timeout, trace, no_follow,
                          number, resend, gathers)
end

--- Returns a body to write.
---@param length integer|nil bytes of the body; nil: not known
---@return septet.Upload
function core.http_upload(length) end

--- Has an error behind the head of a response get fn(lines) as `headers`.
---@param fn fun(lines: string): septet.Headers
function core.http_error_headers(fn) end

--- Returns the URL to which a reference leads from a base, or nil and a word for the error.
---@param base string|nil
---@param reference string
---@param below boolean|nil true: a relative reference must stay on the base's host
---@return string|nil
---@return string|nil why
function core.http_resolve(base, reference, below) end

--- Returns the URL to which a reference leads from a base, in any scheme. Returns nil, a word for
--- the error, which argument is invalid, and where.
---@param base string
---@param reference string
---@return string|nil
---@return string|nil
---@return integer|nil
---@return integer|nil
function core.url_resolve(base, reference) end

--- Returns the URL in normal form, its scheme, user, password, host, port, path, query and
--- fragment. Returns nil, a word for the error, 1 and where the text is invalid.
---@param text string
---@return string|nil
---@return any ...
function core.url_parse(text) end

--- Returns the text with all but unreserved bytes percent-encoded.
---@param text string
---@return string
function core.url_encode(text) end

--- Returns the decoded text, and where the first percent sign without two digits is.
---@param text string
---@param plus boolean|nil a plus is a blank
---@return string
---@return integer|nil
function core.url_decode(text, plus) end

--- Returns the part of a URL with its percent-encoding in one form.
---@param text string
---@return string
function core.url_normalize(text) end

--- Returns scheme, host and port in canonical form, or nil if the text is not a URL.
---@param url string
---@return string|nil
function core.http_origin(url) end

--- Returns the canonical host of "host[:port]", and the port or nil. Returns nil and a word for the
--- error if it is invalid.
---@param text string
---@return string|nil host
---@return integer|string|nil port
function core.http_authority(text) end

--- Returns the URL as errors may show it, escaped and without a possible password.
---@param url string
---@return string
function core.http_public(url) end

-- --- src/op/html ---

--- Returns the functions of the HTML parser, which are opened by the first call.
---@return septet.HtmlParts
function core.html() end

-- --- src/op/sqlite ---

--- Returns the functions of databases, which are opened by the first call.
---@return septet.SqliteParts
function core.sqlite() end

-- --- src/op/redis ---

--- Waits until a connection to a Redis server is open. Returns it, or nil, a code and words.
---@async
---@param host string|nil nil for a path
---@param port integer|nil
---@param path string|nil
---@param timeout number seconds
---@param silence number seconds without an answer, after which it is broken
---@param reply_max integer bytes of the largest reply
---@param tls boolean|nil true: the server must have a certificate for the host
---@return septet.RedisConnection|nil
---@return string|nil code
---@return string|nil words
function core.redis_connect(host, port, path, timeout, silence, reply_max, tls) end

-- --- src/op/net ---

---@class septet.NetPolicy: userdata

--- Returns rules on where connections may lead, or nil and the invalid rule.
---@param allow string[]|nil
---@param deny string[]|nil
---@return septet.NetPolicy|nil
---@return string|nil bad
function core.net_policy(allow, deny) end

--- Waits until a connection is open. Raises IoError.
---@async
---@param host string|nil nil for a path
---@param port integer|nil
---@param path string|nil
---@param timeout number|nil seconds
---@param max_line integer bytes
---@param policy septet.NetPolicy|nil
---@param resolver string|nil
---@return septet.Connection
function core.net_connect(host, port, path, timeout, max_line, policy, resolver) end

--- Returns a server. Raises IoError.
---@param host string|nil nil for a path
---@param port integer|nil
---@param path string|nil
---@param backlog integer
---@param max_connections integer
---@param timeout number|nil seconds
---@param max_line integer bytes
---@return septet.Server
function core.net_listen(host, port, path, backlog, max_connections, timeout, max_line) end

--- Returns the text for a line on a terminal: control characters and invalid bytes become \xHH.
---@param text string
---@return string
function core.escape(text) end

return core
