-- SPDX-License-Identifier: MIT
-- require "septet": the modules by their names.
local septet = require "septet"

describe("septet", function()
  it("septet gives every module by its name, at its first use", function()
    for _, name in ipairs { "task", "http", "json", "io", "trace" } do
      equal(rawequal(septet[name], require("septet." .. name)), true, name)
      equal(rawequal(rawget(septet, name), septet[name]), true, name)
    end
  end)

  it("septet says its version", function()
    equal(septet._VERSION:find "^Septet %d+%.%d+%.%d+$" ~= nil, true, septet._VERSION)
    local line = septet.versions()
    for _, word in ipairs { septet._VERSION, "Lua 5.4", "libuv", "libcurl" } do
      equal(line:find(word, 1, true) ~= nil, true, word)
    end
    equal(line:find "\n", nil)
  end)

  it("septet names a module that it does not have, at the caller's line", function()
    local here = line() + 1
    local err = raises("septet has no module 'tsak'", function() return septet.tsak end)
    equal(err:find(("init_spec.lua:%d:"):format(here), 1, true) ~= nil, true, err)
    raises("septet has no module '7'", function() return septet[7] end)
  end)

  it("septet leaves the globals alone", function()
    equal(_G.septet, nil)
    equal(_G.task, nil)
  end)
end)
