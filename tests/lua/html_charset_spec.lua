-- SPDX-License-Identifier: MIT
-- The charset of a page, as browsers determine it. A wrong one is no error.
local html, http = require "septet.html", require "septet.http"
local origin = require "origin"

local function text(source, options)
  return html.parse(source, options):first "body":text()
end

it("a page that names nothing is UTF-8, or else windows-1252", function()
  equal(text "é €", "é €")
  equal(text "caf\xE9 \x80", "café €")
  equal(text "caf\xE9 \u{20AC}", "café â‚¬")
end)

it("a byte order mark overrides all else", function()
  equal(text("\xEF\xBB\xBFé", { charset = "koi8-r" }), "é")
  equal(text("\xFF\xFEa\0b\0", { charset = "utf-8" }), "ab")
  equal(text "\xFE\xFF\0a\0b", "ab")
  equal(text "\xEF\xBB\xBF<meta charset=koi8-r>\u{FEFF}é", "\u{FEFF}é")
end)

it("the option overrides what the page and the response name", function()
  equal(text("<meta charset=utf-8>\xC1", { charset = "KOI8-R" }), "а")
  equal(text("\xA4", { charset = "latin1" }), "¤") -- windows-1252, as in browsers
  equal(text("\x80", { charset = "iso-8859-1" }), "€")
end)

it("a meta tag names it within 1024 bytes", function()
  for source, expected in pairs {
    ["<meta charset=koi8-r>\xC1"] = "а", ['<META CHARSET = "koi8-r" >\xC1'] = "а",
    ["<meta http-equiv=content-type content='text/html; charset=koi8-r'>\xC1"] = "а",
    ["<meta content='text/html; charset=\"koi8-r\"' http-equiv=Content-Type>\xC1"] = "а",
    ["<meta content='charset=koi8-r'>\xC1"] = "Á", -- no http-equiv
    ["<!-- <meta charset=koi8-r> -->\xC1"] = "Á",
    ["<title a='<meta charset=koi8-r>'></title>\xC1"] = "Á",
    ["<p><meta name=x charset=koi8-r>\xC1"] = "а", ["<meta/charset=koi8-r>\xC1"] = "а",
    ["<meta charset=none>\xC1"] = "Á", ["<meta charset=''><meta charset=koi8-r>\xC1"] = "а",
    ["<meta charset=utf-16>\xC3\xA9"] = "é", ["<meta charset=x-user-defined>\x80"] = "€",
    ["<meta charset=macintosh>\xC6"] = "∆",
    ["<meta charset=shift_jis>\x82\xA0\xFFx"] = "あ\u{FFFD}x",
    ["<!" .. ("x"):rep(1100) .. "><meta charset=koi8-r>\xC1"] = "Á",
    ["<meta"] = "", ["<meta charset"] = "", ["<meta charset="] = "", ["<meta charset='"] = "",
    ["<meta charset=koi8-r"] = "", ["<"] = "<",
  } do
    equal(text(source), expected, source:sub(1, 60))
  end
end)

it("a response's Content-Type comes before the page, unless it names none that is known", function()
  local function get(content_type, body)
    local head = "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"
    return http.get(origin.raw { head:format(content_type, #body) .. body })
  end
  equal(text(get("text/html; charset=koi8-r", "<meta charset=utf-8>\xC1")), "а")
  equal(text(get("text/html; charset=what", "<meta charset=koi8-r>\xC1")), "а")
  equal(text(get("text/html; charset=what", "\xC1")), "Á")
  equal(text(get("text/html", "\xC3\xA9")), "é")
end)

it("a large page of any charset is decoded beside the loop", function()
  local body = ("<p>\xC1\xC2"):rep(200000)
  equal(#html.parse(body, { charset = "koi8-r" }):raw_text(), 4 * 200000)
  equal(#html.parse(body, { charset = "koi8-u" }):raw_text(), 4 * 200000)
end)
