-- SPDX-License-Identifier: MIT
-- Attempts to get out of the standard profile, for test_profile.c. Each function is a main task.
-- luacheck: globals path bytecode bytecode_path
-- check: globals bytecode, bytecode_path, path
-- check: allow blocks, dot-or-colon, unknown-name
local attempts = {}

-- Returns the message of the error that fn raises.
local function failure(fn, ...)
  local ok, err = pcall(fn, ...)
  assert(not ok, "it did not fail")
  return tostring(err)
end

local function contains(text, part)
  assert(tostring(text):find(part, 1, true), ("no '%s' in '%s'"):format(part, tostring(text)))
end

-- Checks nil, a message and EACCES, as functions of io and os return them.
local function denied(value, message, code)
  assert(value == nil, "it was not denied")
  contains(message, "denied by the host")
  assert(code == 13)
end

-- --- what there is not ---

function attempts.what_is_left_out_is_nowhere()
  assert(os.exit == nil and string.dump == nil and ("").dump == nil)
  assert(package.loadlib == nil and package.cpath == nil and package.searchers == nil)
  assert(rawget(package, "loaders") == nil and package.searchpath == nil)
  for _, library in ipairs { debug, require "debug", package.loaded.debug } do
    assert(next(library) == "traceback" and next(library, "traceback") == nil)
  end
  assert(debug.traceback("text"):find "^text\nstack traceback:")
  package.loaded.debug, package.loaded._G = nil, nil
  contains(failure(require, "debug"), "module 'debug' not found")
  contains(failure(require, "_G"), "module '_G' not found")
  contains(failure(require("septet.task").require, "debug"), "no standard libraries")
end

function attempts.private_modules_are_not_found()
  for _, name in ipairs { "septet.core", "septet.http.session", "septet.internal.args" } do
    contains(failure(require, name), "not found")
    assert(package.loaded[name] == nil and package.preload[name] == nil)
  end
end

function attempts.bytecode_is_refused()
  local pieces = { bytecode }
  local function reader() return table.remove(pieces) end
  for _, mode in ipairs { "b", "bt", "tb", "", "t" } do
    local fn, why = load(bytecode, "=x", mode)
    assert(fn == nil)
    contains(why, "attempt to load a binary chunk")
  end
  assert(load(bytecode) == nil and load(reader) == nil and load(bytecode, "=x", nil, {}) == nil)
  assert(load("return 1", "=x", "b") == nil)
  assert(load("return 1")() == 1 and load("return x", "=x", "t", { x = 2 })() == 2)
  local fn, why = loadfile(bytecode_path)
  assert(fn == nil)
  contains(why, "attempt to load a binary chunk")
  contains(failure(dofile, bytecode_path), "attempt to load a binary chunk")
  contains(failure(require, "bytecode"), "attempt to load a binary chunk")
end

-- --- files, processes, the environment ---

function attempts.files_are_denied()
  for _, mode in ipairs { "r", "w", "a", "r+", "w+", "a+", "rb", "wb" } do
    denied(io.open(path, mode))
  end
  denied(os.remove(path))
  denied(os.rename(path, path .. ".new"))
  denied(io.tmpfile())
  denied(io.stdin:read(1))
  denied(io.read(1))
  for _, message in ipairs { failure(io.lines, path), failure(io.input, path),
    failure(io.output, path), failure(dofile, path), failure(dofile), failure(os.tmpname),
    failure(io.lines), failure(io.stdin.lines, io.stdin), select(2, loadfile(path)),
    select(2, loadfile()) } do
    contains(message, "denied by the host")
  end
  contains(failure(require, "somewhere"), "no file that scripts may read")
end

function attempts.processes_and_variables_are_denied()
  denied(io.popen("true"))
  denied(os.execute("true"))
  assert(os.getenv "PATH" == nil and os.getenv "HOME" == nil)
  assert(os.setlocale "C" == nil and os.setlocale(nil) == os.setlocale())
end

-- Checks an IoError with the code "denied".
local function denied_error(fn, ...)
  local ok, err = pcall(fn, ...)
  assert(not ok and require("septet.task").is(err, "IoError"), tostring(err))
  assert(err.code == "denied" and err.path)
  contains(err, "denied by the host")
end

function attempts.septets_own_doors_are_denied()
  local sio, http, trace = require "septet.io", require "septet.http", require "septet.trace"
  denied_error(sio.open, path)
  denied_error(sio.stdin)
  denied_error(sio.create, path)
  denied_error(sio.create, path, { append = true })
  denied_error(http.save, "http://127.0.0.1:1/", path)
  denied_error(trace.subscribe, print)
  denied_error(trace.lines, io.stdout)
  denied_error(trace.hooks, { request_start = print })
  denied_error(trace.hooks, { task_done = print })
  denied_error(trace.record, path)
  for _ = 1, 2 do denied_error(trace.otlp, { url = "http://127.0.0.1:1" }) end
  denied_error(trace.export, "lines", path, print)
  denied_error(trace.export, "lines", path, path)
  trace.span("a span", trace.mark, "a mark")
  for _, options in ipairs { { tls = { ca_file = path } }, { tls = { cert_file = path } },
    { tls = { cert_file = path, key_file = path } }, { unix_socket = path },
    { proxy = "environment" } } do
    contains(failure(http.session, options), "denied by the host")
  end
end

function attempts.what_is_permitted_works()
  local sio = require "septet.io"
  local file = assert(io.open(path, "w"))
  file:write "one\ntwo\n"
  file:close()
  for line in io.lines(path) do assert(line == "one" or line == "two") end
  io.output(path)
  assert(io.write("three") == io.output())
  io.close()
  contains(failure(io.write, "x"), "default output file is closed")
  io.output(io.stdout)
  io.input(path)
  assert(io.read "a" == "three" and io.input():close())
  local writer = sio.create(path)
  writer:write "return 4"
  writer:close()
  assert(sio.open(path):read(99) == "return 4")
  assert(dofile(path) == 4 and loadfile(path)() == 4)
  assert(os.rename(path, path .. ".new") and os.remove(path .. ".new"))
  local trace = require "septet.trace"
  trace.hooks { request_start = print, task_done = print } ()
  trace.record(path):close()
  trace.export("lines", path, path .. ".new")
  assert(os.remove(path .. ".new"))
  trace.subscribe(print)()
  assert(os.getenv "PATH")
  assert(io.popen("echo 5"):read "n" == 5 and os.execute "true")
end

-- Only writing is permitted.
function attempts.a_permission_to_write_reveals_nothing()
  local sio = require "septet.io"
  local file = assert(io.open(path, "w"))
  file:write "secret"
  file:close()
  denied(io.open(path, "w+"))
  denied(io.open(path, "a+"))
  denied(io.open(path, "r+"))
  local writer = sio.create(path, { append = true })
  denied_error(writer.contents, writer)
  denied_error(writer.keep_digest, writer, "sha256")
  writer:close()
  denied_error(sio.create, path, { append = true, digest = "sha256" })
end

-- Only `path` is permitted.
function attempts.a_permission_is_for_one_path()
  local sio = require "septet.io"
  local elsewhere = path .. ".elsewhere"
  local writer = sio.create(path)
  denied_error(writer.commit, writer, elsewhere)
  denied_error(require("septet.trace").export, "lines", path, elsewhere)
  denied_error(require("septet.trace").export, "lines", elsewhere, path)
  denied_error(require("septet.trace").record, path) -- may be written, but is no file of the trace
  writer:commit(path)
  writer:close()
  denied(os.rename(path, elsewhere))
  denied(os.rename(elsewhere, path))
  denied_error(require("septet.http").save, "http://127.0.0.1:1/", elsewhere)
  assert(not pcall(require("septet.http").save, "http://127.0.0.1:1/", path))
end

-- --- what belongs to all ---

function attempts.modules_are_read_only()
  local task, http = require "septet.task", require "septet.http"
  local sleep = task.sleep
  local function evil() end
  for _, module in ipairs { task, http, require "septet", (require "septet.io") } do
    contains(failure(function() module.sleep = evil end), "is read-only")
    contains(failure(function() module.new = evil end), "is read-only")
    contains(failure(rawset, module, "sleep", evil), "the table is read-only")
    contains(failure(setmetatable, module, {}), "protected metatable")
    contains(failure(table.insert, module, evil), "is read-only")
    contains(failure(load("sleep = ...", "=x", "t", module), evil), "is read-only")
    assert(getmetatable(module) == false and next(module) == nil)
  end
  contains(failure(function() task.on_unhandled = evil end), "is read-only")
  local found
  for name, value in pairs(task) do found = found or name == "sleep" and value == sleep end
  local _, state = pairs(task)
  assert(found and state == nil and task.sleep == sleep)
  contains(failure(function() return task.sleeep end), "did you mean 'sleep'")
  contains(failure(function() task:sleep(1) end), "too many arguments")
  contains(failure(function() package.loaded["septet.task"] = { sleep = evil } end), "read-only")
  contains(failure(function() package.loaded.septet = nil end), "read-only")
  package.preload["septet.task"] = evil
  package.preload["septet.task"] = nil
  assert(require "septet.task" == task and require("septet").task == task)
  task.sleep(0)
end

function attempts.metatables_are_hidden()
  local task, json = require "septet.task", require "septet.json"
  local _, err = pcall(task.sleep, "x")
  local t = task.spawn(function() end)
  t:await()
  local session = require("septet.http").session()
  local var = task.var()
  for _, value in ipairs { "", io.stdout, err, t, session, session.headers or err, var,
    task.generator(function() end), require("septet.sync").event() } do
    local meta = getmetatable(value)
    assert(meta == false or meta == nil, tostring(value))
    assert(not pcall(setmetatable, value, {}))
  end
  assert(type(getmetatable(json.array {})) ~= "table" and getmetatable(json.null) == nil)
end

function attempts.methods_of_strings_stay()
  local rep = string.rep
  string.rep = function() return "evil" end -- luacheck: ignore
  assert(("x"):rep(2) == "xx")
  string.rep = rep -- luacheck: ignore
end

function attempts.the_collector_and_warnings_are_the_hosts()
  assert(collectgarbage "count" > 0)
  for _, option in ipairs { "collect", "stop", "step", "restart", "generational", "incremental",
    "setpause", "setstepmul", "isrunning" } do
    contains(failure(collectgarbage, option), "is up to the host")
  end
  contains(failure(collectgarbage), "is up to the host")
  warn "@off"
  warn("", "@off")
  warn("@", "off")
  warn("heard", " still")
end

function attempts.standard_files_stay_open()
  for _, close in ipairs { io.close, function() return io.output():close() end,
    function() return io.stdout:close() end } do
    assert(close() == nil)
  end
  io.stdout:write ""
end

-- --- modules of the host's, in their own globals ---

function attempts.modules_are_shared()
  local counter = require "counter"
  assert(counter.add() == 1 and require("counter").add() == 2)
  assert(package.loaded.counter == counter)
end

return attempts
