-- SPDX-License-Identifier: MIT
-- The environment variables of OpenTelemetry, and the formats of their values.
local otlp_environment = {}

local BASE = "http://localhost:4318"
local MAX_TIMEOUT = 3600000 -- milliseconds

local NAMES = { "OTEL_SDK_DISABLED", "OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES",
  "OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT",
  "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
  "OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
  "OTEL_EXPORTER_OTLP_METRICS_HEADERS", "OTEL_EXPORTER_OTLP_TIMEOUT",
  "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT",
  "OTEL_BSP_SCHEDULE_DELAY", "TRACEPARENT" }

--- Returns the parts of a `traceparent`, or nil if it is not valid (W3C Trace Context, 3.2).
---@param text string|nil
---@return {trace_id: string, span_id: string, sampled: boolean}|nil
function otlp_environment.traceparent(text)
  local version, trace_id, span_id, flags, rest =
    (text or ""):match "^(%x%x)%-(%x+)%-(%x+)%-(%x%x)(.*)$"
  if not version or #trace_id ~= 32 or #span_id ~= 16 or text:sub(1, 55):find "%u" then return end
  if version == "ff" or trace_id:find "^0+$" or span_id:find "^0+$" then return end
  -- A later version may add fields.
  if rest ~= "" and (version == "00" or rest:sub(1, 1) ~= "-") then return end
  return { trace_id = trace_id, span_id = span_id, sampled = tonumber(flags, 16) & 1 == 1 }
end

local function percent_decode(text)
  if text:gsub("%%%x%x", ""):find("%", 1, true) then return nil end
  return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

--- Returns the pairs of a list "key=value,key=value" as a table, or nil if a part of it is none.
---@param text string
---@return table<string, string>|nil
function otlp_environment.pairs(text)
  local result = {}
  for part in text:gmatch "[^,]+" do
    local key, value = part:match "^%s*([^=%s]+)%s*=%s*(.-)%s*$"
    key, value = key and percent_decode(key), value and percent_decode(value)
    if part:find "%S" and not (key and value) then return nil end
    if key then result[key] = value end
  end
  return result
end

-- Returns the URL of a signal below a base.
local function below(base, path)
  return (base:gsub("/*$", "/", 1)) .. path
end

-- Adds a warning, once.
local function warn(warnings, format, name)
  local words = format:format(name)
  if not warnings[words] then
    warnings[words] = true
    warnings[#warnings + 1] = words
  end
end

local function is_true(value, name, warnings)
  local word = (value or ""):lower()
  if word ~= "" and word ~= "true" and word ~= "false" then
    warn(warnings, "%s is neither true nor false", name)
  end
  return word == "true"
end

local function parsed_pairs(value, name, warnings)
  local result = value and otlp_environment.pairs(value)
  -- The value may be a secret.
  if value and not result then warn(warnings, "%s is no list of pairs", name) end
  return result
end

local function seconds(value, name, warnings)
  local ms = value and value:find "^%d+$" and math.tointeger(tonumber(value))
  if value and not (ms and ms <= MAX_TIMEOUT) then
    warn(warnings, "%s is no number of milliseconds", name)
    return nil
  end
  return ms and ms / 1000
end

-- Returns what one signal has: its own variables, or else those of all signals.
local function signal(values, word, path, base, warnings)
  local function own(name)
    local specific = ("OTEL_EXPORTER_OTLP_%s_%s"):format(word, name)
    if values[specific] then return values[specific], specific end
    return values["OTEL_EXPORTER_OTLP_" .. name], "OTEL_EXPORTER_OTLP_" .. name
  end
  local url = values[("OTEL_EXPORTER_OTLP_%s_ENDPOINT"):format(word)]
  if url and url:find "^%a[%w+.-]*://[^/?#]+$" then url = url .. "/" end
  local headers, headers_name = own "HEADERS"
  local timeout, timeout_name = own "TIMEOUT"
  return {
    url = url or below(base, path),
    headers = parsed_pairs(headers, headers_name, warnings) or {},
    timeout = seconds(timeout, timeout_name, warnings) or 10,
    off = (values[("OTEL_%s_EXPORTER"):format(word)] or ""):lower() == "none",
  }
end

--- Returns the options that environment variables give, with the URLs to send to.
---@param getenv (fun(name: string): string|nil)|nil os.getenv, for what the embedder permits
---@param base string|nil URL to send to, in place of the one that the environment names
---@return table
function otlp_environment.read(getenv, base)
  local values, warnings = {}, {}
  if not getenv then
    local permits = require "septet.core".permits
    getenv = function(name) return permits("env", name) and os.getenv(name) or nil end
  end
  for _, name in ipairs(NAMES) do
    local value = getenv(name)
    if value ~= "" then values[name] = value end
  end
  if base then
    values.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT = nil
    values.OTEL_EXPORTER_OTLP_METRICS_ENDPOINT = nil
  end
  base = base or values.OTEL_EXPORTER_OTLP_ENDPOINT or BASE
  return {
    disabled = is_true(values.OTEL_SDK_DISABLED, "OTEL_SDK_DISABLED", warnings),
    service_name = values.OTEL_SERVICE_NAME,
    resource = parsed_pairs(values.OTEL_RESOURCE_ATTRIBUTES, "OTEL_RESOURCE_ATTRIBUTES", warnings),
    traceparent = values.TRACEPARENT,
    interval = seconds(values.OTEL_BSP_SCHEDULE_DELAY, "OTEL_BSP_SCHEDULE_DELAY", warnings) or 5,
    traces = signal(values, "TRACES", "v1/traces", base, warnings),
    metrics = signal(values, "METRICS", "v1/metrics", base, warnings),
    warnings = table.move(warnings, 1, #warnings, 1, {}),
  }
end

--- Returns what the options of trace.otlp() say, then the environment, then the defaults.
---@param options septet.OtlpClientOptions
---@param version string
---@return table
function otlp_environment.settings(options, version)
  local getenv = options.environment == false and function() return nil end or nil
  local given = otlp_environment.read(getenv, options.url ~= "console" and options.url or nil)
  for _, kind in ipairs { given.traces, given.metrics } do
    kind.timeout = options.timeout or kind.timeout
    local headers = { ["Content-Type"] = "application/json",
      ["User-Agent"] = "OTel-OTLP-Exporter-Lua/" .. version }
    for name, value in pairs(options.headers or kind.headers) do headers[name] = value end
    kind.headers = headers
  end
  given.interval = options.interval or given.interval
  given.metrics.off = given.metrics.off or options.metrics == false
  return given
end

return otlp_environment
