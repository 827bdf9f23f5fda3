-- SPDX-License-Identifier: MIT
-- Reads the lines of the prompt where a terminal knows no escape sequences. The system edits them.
local plain = {}

local Plain = {}
local plain_meta = { __index = Plain }

--- Returns what reads lines. It has the functions of an editor.
function plain.new(screen, reader)
  return setmetatable({ screen = screen, reader = reader, prompt = "", active = false },
    plain_meta):clear()
end

--- Empties the line.
function Plain:clear()
  self.line = nil
  return self
end

function Plain:text()
  return self.line or ""
end

--- Reads a line. Returns "line", or "end" if the input has ended.
---@async
function Plain:read()
  self.screen:put(self.prompt)
  self.line = self.reader:read_line()
  return self.line and "line" or "end"
end

--- Does nothing: the line is drawn by the system.
function Plain.refresh() end

--- Goes on in the next row. At the end of a line, the system has done so.
function Plain:leave()
  if not self.line then self.screen:put "\n" end
end

return plain
