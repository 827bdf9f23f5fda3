-- SPDX-License-Identifier: MIT
-- The trace as lines of text: one for each spawn, wait, cancellation, end, request, span and mark.
-- Reads events, live or from a file.
local hidden = require "septet.trace.hidden"
local shown = require "septet.trace.words"
local terminal = require "septet.trace.terminal"

local WHO_WIDTH <const> = 24

local lines = {}

-- --- words ---

local function size(bytes)
  if bytes < 1000 then return ("%d B"):format(bytes) end
  if bytes < 1e6 then return ("%.1f kB"):format(bytes / 1e3) end
  return ("%.1f MB"):format(bytes / 1e6)
end

local function ms(seconds)
  return ("%.1f"):format((seconds or 0) * 1e3)
end

local protocols = { [10] = "h1.0", [11] = "h1", [20] = "h2", [30] = "h3" }
local phases = {
  { "queue" }, { "dns" }, { "tcp" }, { "tls" }, { "send" }, { "wait" }, { "receive", "recv" } }

local function phases_of(e)
  local found = {}
  for _, phase in ipairs(phases) do
    local seconds = e[phase[1]]
    if seconds and seconds >= 5e-5 then
      found[#found + 1] = ("%s %s"):format(phase[2] or phase[1], ms(seconds))
    end
  end
  return table.concat(found, " ")
end

local function connection_of(e)
  local insecure = e.insecure and " insecure" or ""
  return ("%s %s%s"):format(protocols[e.protocol] or "-", e.reused and "reused" or "new", insecure)
end

-- A format with a width refuses zeros, so the text is escaped first.
local function with_place(text, at)
  return at and ("%-48s  %s"):format(terminal.escape(text), at) or text
end

local function with_value(e)
  return e.value and ("%s %.14g"):format(e.name or "?", e.value) or e.name or "?"
end

-- Functions by kind of event. Each returns the verb and the text of its line, or nil for no line.
local words = {}

function words.spawn(e, _, label)
  local parent = e.parent or 0
  return "spawn", (e.at or e.defined or label) .. (parent > 0 and (" by #%d"):format(parent) or "")
end

function words.wait(e, s)
  s.waits = s.waits + 1
  local what = (e.what or "?"):gsub("^http ", "") -- nil: no memory to record it
  return "wait", with_place(what, e.at)
end

function words.xfer(e)
  local request = ("%s %s"):format(e.method or "?", e.url or "?")
  if e.code then
    return e.code == "cancelled" and "cancel" or "error",
      ("%s: %s in %s after %s ms"):format(request, e.code, e.phase or "?", ms(e.total))
  end
  return tostring(e.status or 0), ("%s  %s %s | %s = %s ms"):format(request, size(e.bytes or 0),
    connection_of(e), phases_of(e), ms(e.total))
end

function words.cancel(e)
  if e.task == 0 then return end -- the end of the host's own scopes
  local by = e.by or 0
  return "cancel", (e.source or "?") .. (by > 0 and (" by #%d"):format(by) or "")
end

words["end"] = function(e, s)
  return "end", ("%s  (%d wait%s, busy %.2f ms, sched %.2f ms)"):format(e.outcome or "?", s.waits,
    s.waits == 1 and "" or "s", s.busy * 1e3, s.sched * 1e3)
end

function words.span_end(e, s)
  local span = s.spans[e.ref]
  if not span then return end -- its begin is lost
  s.spans[e.ref] = nil
  local text = ("%s: %s ms%s"):format(span.name or "?", ms(e.time - span.time),
    e.failed and ", failed" or "")
  return "span", with_place(text, span.at)
end

function words.mark(e)
  return "mark", with_value(e)
end

function words.count(e)
  return "count", with_value(e)
end

-- A put, or what became of a job.
function words.job(e)
  local subject = (e.queue or "?") .. (e.key and "  " .. e.key or "")
  if e.step == "put" then
    return "put", ("%s  %d new of %d"):format(subject, e.new or 0, e.count or 0)
  end
  if e.step == "recovered" or e.step == "buried" then
    return e.step, ("%s  attempt %d, its worker was lost"):format(subject, e.attempt or 0)
  end
  return e.step or "?", ("%s  attempt %d, %s %s ms"):format(subject, e.attempt or 0,
    e.step == "taken" and "queued for" or "ran for", ms(e.seconds))
end

function words.hog(e)
  return "hog", with_place(("ran for %s ms without waiting"):format(ms(e.duration)), e.at)
end

function words.deadlock(e)
  if e.task == 0 then return "deadlock", "nothing can wake the tasks" end
  return "deadlock", e.ref > 0 and ("waits for #%d, in a circle"):format(e.ref)
    or "waits for others, in a circle"
end

function words.stuck()
  return "stuck", "ignores its cancellation"
end

function words.unhandled()
  return "error", "nothing has awaited its failure"
end

function words.lost(e)
  return "lost", ("%d records were overwritten before they were read"):format(e.count or 0)
end

-- --- the filter ---

-- The words of a filter that are kinds of lines, with the kinds of events.
local kinds = {
  spawn = "spawn", wait = "wait", cancel = "cancel", request = "xfer", span = "span_end",
  mark = "mark", count = "count", job = "job", hog = "hog", stuck = "stuck", deadlock = "deadlock",
  unhandled = "unhandled",
  lost = "lost", ["end"] = "end",
}

-- Returns true if no kind was asked for, or this one.
local function is_kind(filter, kind)
  return not filter.has_kinds or filter.kinds[kind] == true
end

-- Returns true if no task or URL was asked for, or this one.
local function is_subject(filter, e, label)
  if #filter.subjects == 0 then return true end
  local url = e.kind == "xfer" and e.url or e.kind == "wait" and e.what or e.key or ""
  for _, word in ipairs(filter.subjects) do
    local id = word:match "^#(%d+)$"
    if id and tonumber(id) == e.task then return true end
    if not id and (label:find(word, 1, true) or url:find(word, 1, true)) then return true end
  end
  return false
end

--- Returns the filter of a list of words: `#12` is a task, a kind of line ("end", "request") is
--- that kind, and anything else is a piece of a task's name or of a URL. Words of a sort are
--- alternatives; a line must match the kinds and the others.
function lines.filter(list)
  local filter = { kinds = {}, has_kinds = false, subjects = {} }
  for _, word in ipairs(list or {}) do
    if kinds[word] then
      filter.kinds[kinds[word]], filter.has_kinds = true, true
    else
      filter.subjects[#filter.subjects + 1] = word
    end
  end
  return filter
end

-- --- the limit ---

-- Rare, and never without a reason.
local always = { hog = true, stuck = true, deadlock = true, lost = true }

-- Returns a function put(time, kind, line) and one that ends it. More than `limit` lines in a
-- second of the trace are counted instead of written.
local function new_limit(write, limit)
  if limit == 0 then return function(_, _, line) write(line) end, function() end end
  local second, written, suppressed = nil, 0, 0
  local function report()
    if suppressed == 0 then return end
    write(("… %d line%s suppressed (limit %d/s; --trace-limit=0 for all)\n"):format(suppressed,
      suppressed == 1 and "" or "s", limit))
    suppressed = 0
  end
  return function(time, kind, line)
    if not second or time // 1 > second then
      report()
      second, written = time // 1, 0
    end
    if written < limit or always[kind] then
      written = written + 1
      write(line)
    else
      suppressed = suppressed + 1
    end
  end, report
end

-- --- the lines ---

local function new_stats()
  return { waits = 0, busy = 0, sched = 0, spans = {} }
end

-- Notes in `s` what an event says of its task, for later lines.
local function note(s, e)
  if e.kind == "name" then s.name = e.name end
  if e.kind == "ready" then s.ready = e.time end
  if e.kind == "span_begin" then s.spans[e.ref or 0] = e end
  if e.kind == "run" then
    s.busy = s.busy + (e.duration or 0)
    s.sched = s.sched + (s.ready and math.max(0, e.time - s.ready) or 0)
    s.ready = nil
  end
end

-- Notes the names of the tasks of a tree. One that no script has named is "file:line#id".
local function note_live(tasks, nodes)
  for _, node in ipairs(nodes) do
    local s = new_stats()
    s.defined = node.name:match("^(.*)#" .. node.id .. "$")
    s.name = not s.defined and node.name or nil
    tasks[node.id] = s
    note_live(tasks, node.children)
  end
end

--- Returns a function that writes the line of an event, if it has one, and one to call at the end.
--- The options are start (seconds, where times begin; the first event), filter (words), limit
--- (lines in a second, 0 for all), and live (a tree of tasks, of which there may be no spawn).
function lines.new(write, options)
  local tasks, start = {}, options.start
  local older = {} -- the tasks from before a loss that were not seen since: some have ended
  local filter = lines.filter(options.filter)
  local put, report = new_limit(write, options.limit or 0)
  note_live(tasks, options.live or {})
  local function add(e)
    start = start or e.time
    local s = tasks[e.task] or older[e.task] or new_stats() -- not kept if its spawn is lost
    if older[e.task] then tasks[e.task], older[e.task] = s, nil end
    if e.kind == "lost" then
      older, tasks = tasks, {}
    elseif e.kind == "spawn" or e.task == 0 then
      tasks[e.task] = s
      s.defined = e.defined
    end
    note(s, e)
    local label = s.name or (s.defined or ""):match "[^/]*$"
    local word = words[e.kind]
    local verb, text
    if word and not hidden.has(e.task) then verb, text = word(e, s, label) end
    if verb and is_kind(filter, e.kind) and (e.kind == "lost" or is_subject(filter, e, label)) then
      local who = e.task > 0 and ("#%d %s"):format(e.task, terminal.escape(label)) or ""
      who = shown.cut(who, WHO_WIDTH)
      local time = e.time + (e.total or 0) - start -- a request's line shows when it ended
      put(time, e.kind, ("%+8.1f %s%s %-6s %s\n"):format(time * 1e3, who,
        (" "):rep(WHO_WIDTH - shown.width(who)), verb,
        terminal.escape(text)))
    end
    if e.kind == "end" then tasks[e.task] = nil end
  end
  return add, report
end

return lines
