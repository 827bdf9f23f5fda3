-- SPDX-License-Identifier: MIT
---@meta _

-- The errors that the modules raise. They are tables, and task.is(err, "HttpError") tells their
-- kind.

--- An error of Septet. `tostring` returns its message.
---@class septet.Error
---@field kind string such as "HttpError"
---@field message string
---@field traceback string|nil where it was raised, once a task has failed with it

--- Raised by a mistake in a call, at the line of the call.
---@class septet.Usage: septet.Error

--- Raised by a wait of a cancelled task, to unwind it. Functions of yours let it pass.
---@class septet.Cancelled: septet.Error
---@field source "cancel"|"deadline"|"sibling"|"owner"|"shutdown"
---@field reason string|nil what was given to cancel()
---@field by integer|nil id of the cancelling task

--- Raised by awaiting a cancelled task.
---@class septet.TaskCancelled: septet.Error
---@field task septet.Task
---@field reason string|nil

--- Raised by task.timeout, task.as_completed and channel:recv once their time has passed.
---@class septet.Timeout: septet.Error
---@field seconds number

--- Raised by send, try_send and sender of a closed channel or sender.
---@class septet.ChannelClosed: septet.Error

--- Raised by emit, to unwind a generator that is closed.
---@class septet.GeneratorClosed: septet.Error

--- Raised in a task that ran for longer than --max-slice, or an embedder's limit, without waiting.
---@class septet.TaskHog: septet.Error
---@field limit "time"|"instructions"
---@field max number seconds, or a number of instructions

--- Raised by what would exceed a limit of the embedder's for the host or the script.
---@class septet.LimitExceeded: septet.Error
---@field limit "tasks"|"requests"|"memory"
---@field max integer

--- Raised by a request.
---@class septet.HttpError: septet.Error
---@field code string what failed, as "dns" or "timeout"
---@field reason string|nil why, as "not_found"
---@field phase "queue"|"dns"|"connect"|"tls"|"send"|"wait"|"receive"
---@field url string without a password
---@field method string
---@field text string|nil libcurl's message
---@field attempts integer
---@field status integer|nil of the response, if its head had arrived
---@field headers septet.Headers|nil of that response
---@field expected string|nil digest, with the code "digest"
---@field got string|nil digest, with the code "digest"

--- Raised by reading the body of a request in a handler of testing.serve.
---@class septet.RequestError: septet.Error
---@field code string what is wrong
---@field status integer|nil of the response; nil if the client has gone

--- Raised by septet.io, septet.fs, septet.net, hash.file, session:save, files of cookies, and the
--- pipes of processes.
---@class septet.IoError: septet.Error
---@field code string the system's name, as "ENOENT", or one of Septet, as "line_too_long"
---@field operation string such as "read"
---@field path string|nil of the file; "stdin" for standard input
---@field address string|nil of a connection or a server
---@field reason string|nil with the codes "dns" and "denied"

--- Raised by septet.jobs.
---@class septet.JobsError: septet.Error
---@field code string
---@field reason string|nil what the engine or the system said
---@field queue string its URL, without a password

--- Raised by septet.process.
---@class septet.ProcessError: septet.Error
---@field code "spawn"|"timeout"|"max_output"|"exit"|"lost"
---@field command string
---@field reason string|nil with "spawn": the system's name of the error
---@field path string|nil with "spawn": the folder or the file that the error is of
---@field stdout string|nil what was read of it
---@field stderr string|nil what was read of it
---@field status integer|nil exit code
---@field signal string|nil that ended it

--- Raised by task.thread.
---@class septet.ThreadError: septet.Error
---@field code "memory"|"result"|"error"
---@field memory integer|nil with "memory": the limit in bytes

--- Raised by json.decode and response:json.
---@class septet.JsonError: septet.Error
---@field line integer
---@field column integer
---@field position integer where parsing stopped, in bytes from 1

--- Raised by septet.csv.
---@class septet.CsvError: septet.Error
---@field code string
---@field line integer
---@field column integer
---@field position integer in bytes from 1
---@field row integer the header is one, too
---@field name string|nil with "header": the name

--- Raised by html.parse, response:html, and the methods of documents and elements.
---@class septet.HtmlError: septet.Error
---@field code string
---@field url string|nil of the page
---@field selector string|nil with the code "selector"
---@field position integer|nil in the selector, in bytes from 1

--- Raised by septet.hash.
---@class septet.HashError: septet.Error
---@field code "base64"|"base64url"|"hex"|"unavailable"
---@field position integer|nil in bytes from 1
---@field algorithm string|nil with "unavailable"

--- Raised by septet.url.
---@class septet.UrlError: septet.Error
---@field code string
---@field position integer in bytes from 1
---@field url string without a password

--- Raised by the first use of what needs a library that the command has not loaded yet. The next
--- use tries again.
---@class septet.LibraryError: septet.Error
---@field library string name of its file, as "libcurl.so.4"
