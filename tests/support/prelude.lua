-- SPDX-License-Identifier: MIT
-- Words that every script of the tests of core/ and op/ may use.
core = debug.getregistry()["septet.core"]

function kind(e)
  return type(e) == "table" and rawget(e, "kind") or type(e)
end

-- Returns "ok", or the kind of the error that `pcall` caught.
function try(...)
  local ok, e = pcall(...)
  return ok and "ok" or kind(e)
end

function closer(fn)
  return setmetatable({}, { __close = fn })
end

completions = core.completions

-- Runs `fn` in a scope, as the library's blocks do.
function block(gathers, shield, seconds, fn)
  local scope = core.scope(gathers, shield, seconds)
  local ok, e = pcall(fn, scope)
  if not ok then
    core.scope_fail(scope)
  elseif not gathers then
    core.scope_leave(scope)
  end
  core.scope_join(scope)
  local absorbed, source = core.scope_close(scope)
  return ok, e, absorbed, source
end
