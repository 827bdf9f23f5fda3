#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""picture REPORT.html OUT.png: takes the picture of a report's lanes that README.md shows.

It is light, at two pixels to one of the page, in the font Inter, so that it is the same on each
machine that has that font, and has few colours, so that the file is small.
"""

import argparse
import base64
import os
import struct
import sys
import tempfile
import zlib

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
import browser  # noqa: E402 (of the tests)

WIDTH, SCALE, MARGIN = 1000, 2, 12
FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig>
<dir>/usr/share/fonts</dir>
<cachedir>{folder}</cachedir>
<alias binding="same"><family>system-ui</family><prefer><family>Inter</family></prefer></alias>
<alias binding="same"><family>sans-serif</family><prefer><family>Inter</family></prefer></alias>
</fontconfig>
"""
PLACE = """(() => {
  const { top, height } = lanes.getBoundingClientRect();
  return { top: top + scrollY, height };
})()"""
# Returns the picture's width, a palette of at most 256 colours, and the number of each pixel's
# colour: the most frequent colours, and for the others the nearest of these.
REDUCE = """
(async (source) => {
  const image = await createImageBitmap(await (await fetch(source)).blob());
  const canvas = new OffscreenCanvas(image.width, image.height).getContext("2d");
  canvas.drawImage(image, 0, 0);
  const { data } = canvas.getImageData(0, 0, image.width, image.height);
  const pixels = new Uint32Array(data.buffer), counts = new Map();
  for (const pixel of pixels) counts.set(pixel, (counts.get(pixel) ?? 0) + 1);
  const order = [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]).map(([pixel]) => pixel);
  const palette = order.slice(0, 256), parts = (p) => [p & 255, (p >> 8) & 255, (p >> 16) & 255];
  const chosen = palette.map(parts), number = new Map(palette.map((pixel, i) => [pixel, i]));
  for (const pixel of order.slice(256)) {
    const [r, g, b] = parts(pixel);
    let best = 0, least = Infinity;
    chosen.forEach(([x, y, z], i) => {
      const distance = (r - x) ** 2 + (g - y) ** 2 + (b - z) ** 2;
      if (distance < least) [best, least] = [i, distance];
    });
    number.set(pixel, best);
  }
  const bytes = Uint8Array.from(pixels, (pixel) => number.get(pixel));
  let text = "";
  for (let i = 0; i < bytes.length; i += 32768) {
    text += String.fromCharCode(...bytes.subarray(i, i + 32768));
  }
  return { width: image.width, palette: chosen.flat(), pixels: btoa(text) };
})
"""


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of(width, palette, pixels):
    """Returns a PNG file with a palette."""
    height = len(pixels) // width
    rows = b"".join(b"\0" + pixels[i * width:(i + 1) * width] for i in range(height))
    return (b"\x89PNG\r\n\x1a\n"
            + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0))
            + chunk(b"PLTE", bytes(palette)) + chunk(b"IDAT", zlib.compress(rows, 9))
            + chunk(b"IEND", b""))


def take(report, out):
    with tempfile.TemporaryDirectory(prefix="septet-picture-") as folder:
        fonts = os.path.join(folder, "fonts.conf")
        with open(fonts, "w", encoding="utf-8") as file:
            file.write(FONTS.format(folder=folder))
        environment = {"FONTCONFIG_FILE": fonts}
        with browser.Browser(WIDTH, 1000, SCALE, environment) as page:
            page.prefer("light")
            page.open(report)
            place = page.run(PLACE)
            full = os.path.join(folder, "full.png")
            page.picture(full, {"x": 0, "y": place["top"] - MARGIN, "width": WIDTH,
                                "height": place["height"] + 2 * MARGIN})
            with open(full, "rb") as file:
                source = base64.b64encode(file.read()).decode()
            # Not in the report itself: its policy lets nothing be fetched.
            page.call("Page.navigate", url="about:blank")
            page.settle()
            reduced = page.run(f"({REDUCE})('data:image/png;base64,{source}')")
    with open(out, "wb") as file:
        file.write(png_of(reduced["width"], reduced["palette"],
                          base64.b64decode(reduced["pixels"])))


def main():
    parser = argparse.ArgumentParser(description="Takes the picture of a report's lanes.")
    parser.add_argument("report")
    parser.add_argument("out")
    args = parser.parse_args()
    if browser.find() is None:
        print("picture: there is no chromium (Debian package chromium)", file=sys.stderr)
        return 1
    take(args.report, args.out)
    print(f"{args.out}: {os.path.getsize(args.out) // 1000} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
