-- SPDX-License-Identifier: MIT
---@meta _

-- What `septet test` gives to the files that it runs. It is written in Lua, in lua/septet/test/,
-- where the functions are made for each file.

--- Options of a test, or of a group, whose tests have them unless they say otherwise.
---@class septet.TestOptions
---@field timeout number|nil seconds that the test may take, by its clock and by the real one; 5 of
---the real clock
---@field tags string[]|nil for `--tags`; a word `#slow` in the title is a tag, too; none
---@field real_time boolean|nil the test runs on the real clock; false
---@field leaks boolean|nil the test may leave tasks behind, and things open; false

--- Functions that files of tests call.
---@class septet.TestGlobals
local globals = {}

--- Calls the function, in which tests are declared. Their titles stand behind this one.
---@param title string
---@param options septet.TestOptions|fun() or the function
---@param fn? fun()
function globals.describe(title, options, fn) end

--- Declares a test, which runs as a task of its own. Without a function it is skipped.
---@param title string
---@param options? septet.TestOptions|fun() or the function
---@param fn? fun()
function globals.it(title, options, fn) end

--- Declares a test that is not written yet. Inside a test, it skips the rest.
---@param title string
---@param options? septet.TestOptions|fun() or a function, which does not run
---@param fn? fun()
function globals.pending(title, options, fn) end

--- Runs a function before each test of the group, in its task.
---@param fn fun()
function globals.before_each(fn) end

--- Runs a function after each test of the group, in its task, also if it has failed.
---@param fn fun()
function globals.after_each(fn) end

--- Runs a function before the first test of the group, in the task of the file.
---@param fn fun()
function globals.before_all(fn) end

--- Runs a function after the last test of the group, in the task of the file.
---@param fn fun()
function globals.after_all(fn) end

--- Like before_all().
---@param fn fun()
function globals.setup(fn) end

--- Like after_all().
---@param fn fun()
function globals.teardown(fn) end

--- Begins a statement about a value, as in `expect(value).equal(3)`.
---@param value any
---@return septet.Expectation
function globals.expect(value) end

--- Statements about a value. One that does not hold raises ExpectationError, with the place in the
--- test. Each is a function, called with a dot, and returns the value; `raises` returns the error.
---@class septet.Expectation
---@field never septet.Expectation the opposite of each statement
local Expectation = {}

--- The values are equal: by `==`, and tables field by field.
---@param expected any
---@return any value
function Expectation.equal(expected) end

--- It is the same object, text or number.
---@param expected any
---@return any value
function Expectation.same(expected) end

--- It is neither `nil` nor `false`.
---@return any value
function Expectation.truthy() end

--- It is `nil` or `false`.
---@return any value
function Expectation.falsy() end

--- It is of a type: one of Lua's, `"integer"`, `"float"`, or the kind of an error.
---@param name string
---@return any value
function Expectation.a(name) end

--- Its text matches a Lua pattern.
---@param pattern string
---@return any value
function Expectation.matches(pattern) end

--- It is a text with this part, or a table with an equal value.
---@param part any
---@return any value
function Expectation.contains(part) end

--- It is a number at most `distance` away.
---@param expected number
---@param distance? number 1e-9
---@return any value
function Expectation.near(expected, distance) end

--- It is a function that, called with the further arguments, raises an error: any, one that matches
--- a pattern, or has the fields of a table.
---@async
---@param expected? any
---@param ... any
---@return any error
function Expectation.raises(expected, ...) end
