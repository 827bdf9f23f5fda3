-- SPDX-License-Identifier: MIT
-- The script of fuzz_date. A date is a whole number or nil, an instant that the C library writes
-- round-trips, and a Retry-After is not negative.
local private = debug.getregistry()["septet.require"] -- of private modules
local retry = private "septet.http.retry"
local planted = ...

local FORMS = {
  "!%a, %d %b %Y %H:%M:%S GMT", "!%A, %d-%b-%y %H:%M:%S GMT", "!%a %b %d %H:%M:%S %Y",
}

return function(input)
  local at = retry.date(input)
  assert(at == nil or math.type(at) == "integer", "no whole number")

  local seconds = #input >= 4 and string.unpack("<I4", input) % 4000000000 or 0
  if planted and seconds % 60 == 59 then seconds = seconds + 1 end
  for i, form in ipairs(FORMS) do
    -- Two digits lose the century.
    local century = i == 2 and tonumber(os.date("!%Y", seconds))
    if not century or century >= 2000 and century < 2070 then
      local written = os.date(form, seconds - (planted and i == 3 and 1 or 0))
      assert(retry.date(written) == seconds, written)
    end
  end

  local wait = retry.after(input, 1000000000)
  assert(wait == nil or wait >= 0 and wait == wait, "a wait that is none")
end
