-- SPDX-License-Identifier: MIT
-- The labels of charsets, and bytes in each that tell it from its neighbours.
local private = debug.getregistry()["septet.require"] -- of private modules
local text = private "septet.internal.text"
local http = require "septet.http"
local origin = require "origin"

-- Bytes and text of each encoding, and its labels by the standard.
local ENCODINGS = {
  { "\xC3\xA9", "é", "unicode-1-1-utf-8 utf-8 utf8 unicode11utf8 unicode20utf8 x-unicode20utf8" },
  { "\x84\xF2", "ДЄ", "866 cp866 csibm866 ibm866" },
  { "\xA1\xB1\xE1", "Ąąá", "csisolatin2 iso-8859-2 iso-ir-101 iso8859-2 iso88592 iso_8859-2 "
    .. "iso_8859-2:1987 l2 latin2" },
  { "\xA1\xB1\xE6", "Ħħĉ", "csisolatin3 iso-8859-3 iso-ir-109 iso8859-3 iso88593 iso_8859-3 "
    .. "iso_8859-3:1988 l3 latin3" },
  { "\xA1\xA2\xB3", "Ąĸŗ", "csisolatin4 iso-8859-4 iso-ir-110 iso8859-4 iso88594 iso_8859-4 "
    .. "iso_8859-4:1988 l4 latin4" },
  { "\xA1\xF0\xD0", "Ё№а",
    "csisolatincyrillic cyrillic iso-8859-5 iso-ir-144 iso8859-5 iso88595 iso_8859-5 "
    .. "iso_8859-5:1988" },
  { "\xC7\xE4", "ال",
    "arabic asmo-708 csiso88596e csiso88596i csisolatinarabic ecma-114 iso-8859-6 iso-8859-6-e "
    .. "iso-8859-6-i iso-ir-127 iso8859-6 iso88596 iso_8859-6 iso_8859-6:1987" },
  { "\xC1\xA4\xB6", "Α€Ά",
    "csisolatingreek ecma-118 elot_928 greek greek8 iso-8859-7 iso-ir-126 iso8859-7 iso88597 "
    .. "iso_8859-7 iso_8859-7:1987 sun_eu_greek" },
  { "\xE0\xAA\xFD", "א×\u{200E}",
    "csiso88598e csisolatinhebrew hebrew iso-8859-8 iso-8859-8-e iso-ir-138 iso8859-8 "
    .. "iso88598 iso_8859-8 iso_8859-8:1988 visual csiso88598i iso-8859-8-i logical" },
  { "\xA1\xA2\xBD", "ĄĒ―", "csisolatin6 iso-8859-10 iso-ir-157 iso8859-10 iso885910 l6 latin6" },
  { "\xA1\xA8\xFF", "”Ø’", "iso-8859-13 iso8859-13 iso885913" },
  { "\xA1\xA8", "ḂẀ", "iso-8859-14 iso8859-14 iso885914" },
  { "\xA4\xA6\xBE", "€ŠŸ", "csisolatin9 iso-8859-15 iso8859-15 iso885915 iso_8859-15 l9" },
  { "\xA1\xA4\xAA", "Ą€Ș", "iso-8859-16" },
  { "\xC1\xAE\xB4", "а╝╢", "cskoi8r koi koi8 koi8-r koi8_r" },
  { "\xC1\xAE\xB4\xBE", "аўЄЎ", "koi8-u koi8-ru" },
  { "\x80\xC6\xA5\xF0", "Ä∆•\u{F8FF}", "csmacintosh mac macintosh x-mac-roman" },
  { "\xA1\x85\x81", "ก…\u{81}", "dos-874 iso-8859-11 iso8859-11 iso885911 tis-620 windows-874" },
  { "\xA5\x8A\x81", "ĄŠ\u{81}", "cp1250 windows-1250 x-cp1250" },
  { "\xC0\x80\x98", "АЂ\u{98}", "cp1251 windows-1251 x-cp1251" },
  { "\x93\x80\xE9\x81\x9D", "“€é\u{81}\u{9D}",
    "ansi_x3.4-1968 ascii cp1252 cp819 csisolatin1 ibm819 iso-8859-1 "
    .. "iso-ir-100 iso8859-1 iso88591 iso_8859-1 iso_8859-1:1987 l1 latin1 us-ascii windows-1252 "
    .. "x-cp1252" },
  { "\xC1\xA1\x81\xAA", "Α΅\u{81}\u{FFFD}", "cp1253 windows-1253 x-cp1253" },
  { "\x93\xD0\xDD\x9E", "“Ğİ\u{9E}",
    "cp1254 csisolatin5 iso-8859-9 iso-ir-148 iso8859-9 iso88599 iso_8859-9 "
    .. "iso_8859-9:1989 l5 latin5 windows-1254 x-cp1254" },
  { "\xE0\xA4\x81", "א₪\u{81}", "cp1255 windows-1255 x-cp1255" },
  { "\xC7\x81\x8D", "اپچ", "cp1256 windows-1256 x-cp1256" },
  { "\xC0\xA8\x81", "ĄØ\u{81}", "cp1257 windows-1257 x-cp1257" },
  { "\xC3\xD0\xFE", "ĂĐ₫", "cp1258 windows-1258 x-cp1258" },
  { "\x80\xA2\xFF", "АҐ€", "x-mac-cyrillic x-mac-ukrainian" },
  { "\xD6\xD0\xA2\xE3", "中€", "chinese csgb2312 csiso58gb231280 gb2312 gb_2312 gb_2312-80 gbk "
    .. "iso-ir-58 x-gbk gb18030" },
  { "\xA4\xA4\x87\x40", "中䏰", "big5 big5-hkscs cn-big5 csbig5 x-x-big5" },
  { "\xA4\xA2\xA1\xC1", "あ～", "cseucpkdfmtjapanese euc-jp x-euc-jp" },
  { "\x1B$B$\"\x1B(B", "あ", "csiso2022jp iso-2022-jp" },
  { "\x82\xA0\x81\x60\x87\x40", "あ～①", "csshiftjis ms932 ms_kanji shift-jis shift_jis sjis "
    .. "windows-31j x-sjis" },
  { "\xB0\xA1\x81\x41", "가갂",
    "cseuckr csksc56011987 euc-kr iso-ir-149 korean ks_c_5601-1987 ks_c_5601-1989 ksc5601 "
    .. "ksc_5601 windows-949" },
  { "\0a\x20\xAC", "a€", "utf-16be unicodefffe" },
  { "a\0\xAC\x20", "a€", "utf-16 utf-16le csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff" },
  { "a\x80\xFF", "a\u{F780}\u{F7FF}", "x-user-defined" },
}

describe("charsets", function()
  it("H-17: a charset is found by each of its labels, in any case and with blanks", function()
    local labels = 0
    for _, encoding in ipairs(ENCODINGS) do
      for label in encoding[3]:gmatch "%S+" do
        labels = labels + 1
        for _, written in ipairs { label, label:upper(), " " .. label .. "\t" } do
          equal(text.decode(encoding[1], written), encoding[2], written)
        end
      end
    end
    equal(labels > 220, true)
  end)

  it("H-17: a charset without a known label is unknown, whatever the label is made of", function()
    for _, label in ipairs {
      "none", "utf8mb4", "binary", "x-klingon", "", " ", "utf-8//IGNORE", "utf-8,latin1", "l99",
      ("x"):rep(10000), "\0",
    } do
      equal(text.decode("a", label), nil, label)
    end
  end)

  it("H-17: an unknown charset has a fallback, if the script gives one", function()
    local session <close> = http.session()
    local function get(content_type)
      return session:post(origin.url .. "/mirror",
        { body = "\xE9", headers = { ["Content-Type"] = content_type } })
    end
    equal(get "text/plain; charset=none":text(nil, "latin1"), "é")
    equal(get "text/plain; charset=none":text("utf8mb4", "latin1"), "é")
    equal(get "text/plain; charset=iso-8859-5":text(nil, "latin1"), "щ")
    raises_error({ kind = "HttpError", code = "decode", reason = "charset" }, function()
      get "text/plain; charset=none":text()
    end)
    raises_error({ kind = "HttpError", code = "decode" }, function()
      get "text/plain; charset=none":text(nil, "binary")
    end)
    misuse("bad argument #2 to 'text'", function() get "text/plain":text(nil, 5) end)
  end)
end)
