-- SPDX-License-Identifier: MIT
-- The metric http.client.request.duration of OpenTelemetry: a histogram for each combination of
-- method, server, status and kind of error.
local quote = require "septet.trace.json_text".string
local url_parts = require "septet.trace.url_parts"

local otlp_metrics = {}

-- Upper bounds of the buckets, as the semantic conventions say, in seconds and in microseconds.
local BOUNDS = { "0.005", "0.01", "0.025", "0.05", "0.075", "0.1", "0.25", "0.5", "0.75", "1",
  "2.5", "5", "7.5", "10" }
local BOUNDS_US = {}
for i, bound in ipairs(BOUNDS) do BOUNDS_US[i] = math.floor(tonumber(bound) * 1e6 + 0.5) end

local MAX_SERIES = 2000 -- combinations; further ones are counted together
local CUMULATIVE = 2

local METHODS = {}
for _, method in ipairs { "CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT",
  "QUERY", "TRACE" } do
  METHODS[method] = true
end

local VERSIONS = { [10] = "1.0", [11] = "1.1", [20] = "2", [30] = "3" }

--- Returns a number as JSON; 0 for one that JSON has no word for.
---@param value number
---@return string
function otlp_metrics.double(value)
  if value ~= value or value == math.huge or value == -math.huge then return "0" end
  return ("%.17g"):format(value)
end

---@class septet.OtlpFacts
---@field method string
---@field host string
---@field port integer|nil
---@field status integer|nil
---@field error string|nil
---@field version string|nil of the protocol

--- Returns what the conventions want to know about an attempt of a request.
---@param request table
---@return septet.OtlpFacts
function otlp_metrics.facts(request)
  local host, port = url_parts.server(request.url or "")
  local status = (request.status or 0) > 0 and request.status or nil
  local failure = request.code ~= "cancelled" and request.code or nil
  return {
    method = METHODS[request.method] and request.method or "_OTHER",
    host = host or "?", port = port, status = status,
    -- A request that its caller gave up did not fail.
    error = failure or not request.code and status and status >= 400 and tostring(status) or nil,
    version = VERSIONS[request.protocol],
  }
end

local Durations = {}
Durations.__index = Durations

-- Returns the attributes of a series, which tell it from the others.
local function attributes_json(facts)
  local words = {
    ('{"key":"http.request.method","value":{"stringValue":"%s"}}'):format(facts.method),
    ('{"key":"server.address","value":{"stringValue":%s}}'):format(quote(facts.host)),
  }
  if facts.port then
    words[#words + 1] = ('{"key":"server.port","value":{"intValue":"%d"}}'):format(facts.port)
  end
  if facts.status then
    words[#words + 1] = ('{"key":"http.response.status_code","value":{"intValue":"%d"}}'):format(
      facts.status)
  end
  if facts.error then
    words[#words + 1] = ('{"key":"error.type","value":{"stringValue":%s}}'):format(
      quote(facts.error))
  end
  if facts.version then
    words[#words + 1] = ('{"key":"network.protocol.version","value":{"stringValue":"%s"}}'):format(
      facts.version)
  end
  return table.concat(words, ",")
end

local OVERFLOW = '{"key":"otel.metric.overflow","value":{"boolValue":true}}'

local function series_of(self, request)
  local key = attributes_json(otlp_metrics.facts(request))
  if not self.series[key] and #self.keys >= MAX_SERIES then key = OVERFLOW end
  local series = self.series[key]
  if not series then
    series = { count = 0, sum = 0, least = math.maxinteger, most = 0, buckets = {} }
    for i = 1, #BOUNDS + 1 do series.buckets[i] = 0 end
    self.series[key] = series
    self.keys[#self.keys + 1] = key
  end
  return series
end

--- Counts an attempt of a request.
---@param request table
function Durations:add(request)
  if request.open then return end
  local series = series_of(self, request)
  local us = math.max(0, math.floor((request.finish - request.start) * 1e6 + 0.5))
  local i = 1
  while BOUNDS_US[i] and us > BOUNDS_US[i] do i = i + 1 end
  series.buckets[i] = series.buckets[i] + 1
  series.count, series.sum = series.count + 1, series.sum + us
  series.least, series.most = math.min(series.least, us), math.max(series.most, us)
end

local function seconds(us)
  return ("%d.%06d"):format(us // 1000000, us % 1000000)
end

local function point_json(key, series, from, till)
  local buckets = {}
  for i, count in ipairs(series.buckets) do buckets[i] = ('"%d"'):format(count) end
  return ('{"attributes":[%s],"startTimeUnixNano":"%d","timeUnixNano":"%d","count":"%d","sum":%s,'
    .. '"bucketCounts":[%s],"explicitBounds":[%s],"min":%s,"max":%s}'):format(key, from, till,
    series.count, seconds(series.sum), table.concat(buckets, ","), table.concat(BOUNDS, ","),
    seconds(series.least), seconds(series.most))
end

--- Returns the JSON of an ExportMetricsServiceRequest, with all that was counted since `from`.
---@param context septet.OtlpContext
---@param from number
---@param till number
---@return string
function Durations:body(context, from, till)
  local points = {}
  local from_ns = context.unix(from)
  local till_ns = math.max(from_ns, context.unix(till))
  for i, key in ipairs(self.keys) do
    points[i] = point_json(key, self.series[key], from_ns, till_ns)
  end
  return ('{"resourceMetrics":[{"resource":%s,"scopeMetrics":[{"scope":{"name":"septet",'
    .. '"version":%s},"metrics":[{"name":"http.client.request.duration","description":'
    .. '"Duration of HTTP client requests.","unit":"s","histogram":{"dataPoints":[%s],'
    .. '"aggregationTemporality":%d}}]}]}]}'):format(context.resource, quote(context.version),
    table.concat(points, ","), CUMULATIVE)
end

--- Returns an empty set of histograms.
function otlp_metrics.new()
  return setmetatable({ series = {}, keys = {} }, Durations)
end

return otlp_metrics
