-- SPDX-License-Identifier: MIT
---@meta _

-- Functions of septet.http that are made in a loop, and the objects that it is made of, whose
-- methods are C functions.

---@class septet.http
local http = {}

--- Waits for the response to a GET, on the default session. Raises HttpError.
---@async
---@param target string http or https URL
---@param options septet.RequestOptions|nil
---@return septet.Response
function http.get(target, options) end

--- Waits for the response to a HEAD, on the default session. Raises HttpError.
---@async
---@param target string http or https URL
---@param options septet.RequestOptions|nil
---@return septet.Response
function http.head(target, options) end

--- Waits for the response to a POST, on the default session. Raises HttpError.
---@async
---@param target string http or https URL
---@param options septet.RequestOptions|nil
---@return septet.Response
function http.post(target, options) end

--- Waits for the response to a PUT, on the default session. Raises HttpError.
---@async
---@param target string http or https URL
---@param options septet.RequestOptions|nil
---@return septet.Response
function http.put(target, options) end

--- Waits for the response to a PATCH, on the default session. Raises HttpError.
---@async
---@param target string http or https URL
---@param options septet.RequestOptions|nil
---@return septet.Response
function http.patch(target, options) end

--- Waits for the response to a DELETE, on the default session. Raises HttpError.
---@async
---@param target string http or https URL
---@param options septet.RequestOptions|nil
---@return septet.Response
function http.delete(target, options) end

--- Waits for the response to a OPTIONS, on the default session. Raises HttpError.
---@async
---@param target string http or https URL
---@param options septet.RequestOptions|nil
---@return septet.Response
function http.options(target, options) end

---@class septet.Session
local Session = {}

--- Like session:request("GET", ...).
---@async
---@param target string
---@param options septet.RequestOptions|nil
---@return septet.Response
function Session:get(target, options) end

--- Like session:request("HEAD", ...).
---@async
---@param target string
---@param options septet.RequestOptions|nil
---@return septet.Response
function Session:head(target, options) end

--- Like session:request("POST", ...).
---@async
---@param target string
---@param options septet.RequestOptions|nil
---@return septet.Response
function Session:post(target, options) end

--- Like session:request("PUT", ...).
---@async
---@param target string
---@param options septet.RequestOptions|nil
---@return septet.Response
function Session:put(target, options) end

--- Like session:request("PATCH", ...).
---@async
---@param target string
---@param options septet.RequestOptions|nil
---@return septet.Response
function Session:patch(target, options) end

--- Like session:request("DELETE", ...).
---@async
---@param target string
---@param options septet.RequestOptions|nil
---@return septet.Response
function Session:delete(target, options) end

--- Like session:request("OPTIONS", ...).
---@async
---@param target string
---@param options septet.RequestOptions|nil
---@return septet.Response
function Session:options(target, options) end

--- The connections of a session.
---@class septet.CoreSession
local Pool = {}

--- Closes the connections. Requests in flight fail with the code "closed".
function Pool:close() end

--- Has requests without options send these, and end after `total` seconds, or nil.
---@param object septet.Session the session that scripts have
---@param options userdata from http_options()
---@param headers userdata from http_headers()
---@param total number|nil
function Pool:set_plain(object, options, headers, total) end

--- Says that no script is to close the session, so that no census counts it.
function Pool:set_shared() end

--- Returns a list of the cookies that have not expired, or of those that a URL gets.
---@param url string|nil in normal form
---@return septet.Cookie[]
function Pool:cookies(url) end

--- Sets a cookie. Returns what is wrong with it, or nil.
---@param name string
---@param value string
---@param domain string
---@param path string
---@param expires number|nil Unix time
---@param host_only boolean|nil
---@param secure boolean|nil
---@param http_only boolean|nil
---@return string|nil
function Pool:put_cookie(name, value, domain, path, expires, host_only, secure, http_only) end

--- Removes the cookies that have these, each of which is any if it is nil. Returns their number.
---@param name string|nil
---@param domain string|nil
---@param path string|nil
---@return integer
function Pool:clear_cookies(name, domain, path) end

--- Returns the current and total counts, but for those of redirects and retries.
---@return septet.SessionStats
function Pool:stats() end

--- The head of a response.
---@class septet.Head
local Head = {}

--- Returns the raw header lines, the status line first.
---@return string
function Head:lines() end

--- Returns the raw header lines behind the body, "" if there are none so far.
---@return string
function Head:trailers() end

--- Returns the number of the request.
---@return integer
function Head:number() end

--- Returns the seconds that each phase took.
---@return table<string, number>
function Head:times() end

--- Returns the version of HTTP.
---@return "1.0"|"1.1"|"2"
function Head:version() end

--- Returns the method of the request.
---@return string
function Head:method() end

--- Returns facts on the connection.
---@return boolean reused
---@return boolean insecure true if the certificate was not checked
---@return string|nil address the peer's; nil for a Unix socket
---@return integer|nil port
function Head:connection() end

--- The head of a request that a server receives.
---@class septet.RequestHead
local RequestHead = {}

--- Takes bytes from a position on. Returns the position after those taken, and true if the head is
--- complete; or nil and a word, if it is refused.
---@param bytes string
---@param at integer
---@return integer|nil
---@return boolean|string
function RequestHead:feed(bytes, at) end

--- Returns the lines so far, separated by CRLF. The first is that of the request.
---@return string
function RequestHead:lines() end

--- Returns whether the body is chunked, and its length or nil.
---@return boolean
---@return integer|nil
function RequestHead:framing() end

--- A scope to which streams are moved that were opened in scopes below it.
---@class septet.Home
local Home = {}

--- Moves an open stream to the scope. It then ends with that one.
---@param stream septet.Stream
function Home:take(stream) end

--- The body of a streamed response.
---@class septet.Stream
local Stream = {}

--- Returns the head, with the times of the whole response.
---@return septet.Head
function Stream:head() end

--- Cancels the request if it has not ended.
function Stream:close() end

--- Skips the rest of the body. Returns true if there is any: the request then soon ends by itself.
---@return boolean
function Stream:discard() end

--- Waits for bytes and returns up to n of them, or nil at the end. Raises HttpError.
---@async
---@param n integer
---@return string|nil
function Stream:read(n) end

--- Waits for bytes and returns how many are buffered, or nil at the end. Raises HttpError.
---@async
---@return integer|nil bytes
function Stream:hold() end

--- Waits for a line and returns it without its end, or nil at the end. Raises HttpError.
---@async
---@param max integer bytes
---@return string|nil line
---@return boolean|nil is_long true if it is longer than `max`
function Stream:read_line(max) end

--- Waits for the end of the body and returns the unread bytes, which stay buffered.
---@async
---@return string
function Stream:peek() end

--- Drops all buffered bytes.
function Stream:take() end

--- A body that is written in pieces.
---@class septet.Upload
local Upload = {}

--- Appends bytes and waits until there is room for more.
---@async
---@param bytes string
---@return boolean open false once the request has ended
function Upload:write(bytes) end

--- Ends the body.
function Upload:finish() end

--- Ends the body early; the request fails.
function Upload:abort() end
