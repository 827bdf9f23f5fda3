-- SPDX-License-Identifier: MIT
-- Queues on a Redis server by TLS.
-- peers: tls faulty
local children = require "children"
local command = require "command"
local process = require "septet.process"
local queues = require "redis_queues"
local redis = require "redis"

local DIR <const> = os.getenv "SEPTET_TLS"

local SCRIPT <const> = [[
local jobs = require "septet.jobs"
local ok, err = pcall(function()
  local q <close> = jobs.open(os.getenv "QUEUE")
  q:put { key = "large", data = ("x"):rep(3000000) }
  for i = 1, 50 do q:put { key = "k" .. i, data = i } end
  local counts = q:run({ workers = 8 }, function(job)
    return type(job.data) == "string" and #job.data or job.data
  end)
  local sum = 0
  for _, result in q:results() do sum = sum + result end
  print(counts.done, sum)
end)
if not ok then print(err.code, err.reason or err) end
]]

-- Starts a server with the certificate of a name. Returns it and its port.
local function start(name)
  local port = redis.free_port()
  return redis.start { ["tls-port"] = port, ["tls-cert-file"] = ("%s/%s.crt"):format(DIR, name),
    ["tls-key-file"] = ("%s/%s.key"):format(DIR, name), ["tls-auth-clients"] = "no",
    ["tls-ca-cert-file"] = DIR .. "/ca.pem", appendonly = "yes" }, port
end

-- Runs the script in a process that trusts a CA. Returns what it prints.
local function run(url, ca)
  local done = process.run { command.path, "-e", SCRIPT,
    env = { QUEUE = url, SSL_CERT_FILE = ("%s/%s.pem"):format(DIR, ca) } }
  return done.stdout:gsub("%s+$", "")
end

describe("a queue on Redis by TLS", function()
  children.it("has its server's name and address checked, and carries large jobs", function()
    local _ <close>, port = start "server"
    for _, host in ipairs { "localhost", "127.0.0.1" } do
      local printed = run(("rediss://%s:%d/?queue=%s"):format(host, port, host), "ca")
      equal(printed, "51\t3001275")
    end
  end)

  children.it("fault_tls: a certificate that is not good is refused", function()
    for _, name in ipairs { "expired", "not_yet_valid", "host", "self_signed", "unknown_ca" } do
      local _ <close>, port = start(name)
      local printed = run(("rediss://localhost:%d/"):format(port), "ca")
      equal(printed:find "^tls\tthe server's certificate is refused: " ~= nil, true,
        name .. ": " .. printed)
    end
    local _ <close>, port = start "server"
    local printed = run(("rediss://localhost:%d/"):format(port), "other")
    equal(printed:find "^tls\t" ~= nil, true, printed)
  end)

  children.it("fault_tls: a server without TLS, and one that wants it", function()
    local port = redis.free_port()
    local _ <close> = redis.start { port = port, appendonly = "yes" }
    local url = ("rediss://localhost:%d/"):format(port)
    local ok, err = pcall(queues.open, url, { silence = 0.3 })
    -- a server waits for the end of a line, which may be among the random bytes of the handshake
    equal({ ok, ({ timeout = "refused", tls = "refused" })[err.code] }, { false, "refused" })
    local _ <close>, secure_port = start "server"
    ok, err = pcall(queues.open, ("redis://localhost:%d/"):format(secure_port))
    equal({ ok, err.kind }, { false, "JobsError" })
  end)
end)
