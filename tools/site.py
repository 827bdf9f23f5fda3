#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""site [--root FOLDER] OUT: builds the pages of docs/ into a static site.

It works at any address and from a folder. Each link must lead to a page and a heading.

The index, docs/README.md, gives the order of the pages. A file outside docs/ that a page links to
becomes a page too, so that no link leaves the site; a paragraph that is only a link to such a file
shows the file itself. A man page becomes a page like a document. Needs Debian's
python3-markdown-it, python3-pygments and mandoc.
"""

import argparse
import html
import json
import os
import posixpath
import re
import shutil
import string
import subprocess
import sys

import markdown_it
import pygments
import pygments.formatters
import pygments.lexers

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
LOOKS = os.path.join(ROOT, "docs", "site")
LEXERS = {".lua": "lua", ".c": "c", ".h": "c", ".cc": "c++", ".py": "python", ".js": "js",
          ".sh": "bash", ".cmake": "cmake"}
LONG = 30  # pages of a section that stands in the sidebar
UNSEARCHED = ("decisions/", "repository/")
MAN = re.compile(r"\.[1-8]$")
MARK = re.compile(r"\A-- (?:run|fragment|not run)\b(?::[ ]*(.*))?\n")


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def looks(name):
    with open(os.path.join(LOOKS, name), encoding="utf-8") as file:
        return file.read()


def page_of(path):
    """Returns where the page of a file or a folder of the repository stands on the site."""
    if os.path.isdir(os.path.join(ROOT, path)):
        return posixpath.join("repository", path, "index.html")
    if path == "README.md":
        return "readme.html"
    inside = path[len("docs/"):] if path.startswith("docs/") else posixpath.join("repository", path)
    if inside == "README.md":
        return "index.html"
    return (inside[:-len(".md")] if inside.endswith(".md") else inside) + ".html"


def relative(target, page):
    return posixpath.relpath(target, posixpath.dirname(page) or ".")


def coloured(text, language):
    """Returns code as HTML, in colours where its language is known."""
    try:
        lexer = pygments.lexers.get_lexer_by_name(language or "text", stripnl=False)
    except pygments.util.ClassNotFound:
        lexer = pygments.lexers.get_lexer_by_name("text", stripnl=False)
    formatter = pygments.formatters.HtmlFormatter(nowrap=True)
    inner = pygments.highlight(text, lexer, formatter)
    return f'<pre class="code" tabindex="0"><code>{inner}</code></pre>\n'


def without_mark(text):
    """Returns the code of a block without the first line, which says to the tests what to do."""
    found = MARK.match(text)
    if not found:
        return text
    return (f"-- {found[1]}\n" if found[1] else "") + text[found.end():].lstrip("\n")


class Page:
    """A page: its HTML, its title, its headings and what it links to."""

    def __init__(self, path):
        self.path, self.place = path, page_of(path)
        self.title, self.body = os.path.basename(path), ""
        self.headings, self.ids, self.links, self.images = [], {}, [], []
        self.sections = []

    def resolve(self, link):
        """Returns the path in the repository that a link means, and its anchor."""
        target, _, anchor = link.partition("#")
        if not target:
            return self.path, anchor
        return posixpath.normpath(posixpath.join(posixpath.dirname(self.path), target)), anchor

    def identify(self, text):
        """Returns the anchor of a heading, as code hosts make it."""
        name = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        count = self.ids.get(name, -1) + 1
        self.ids[name] = count
        if count:
            name = f"{name}-{count}"
            self.ids[name] = 0
        return name


def plain(inline):
    return "".join(" " if t.type in ("softbreak", "hardbreak") else t.content
                   for t in inline.children or []
                   if t.type in ("text", "code_inline", "softbreak", "hardbreak"))


def link_inside(page, token):
    """Points a link or an image of a page at its place on the site."""
    name = "src" if token.type == "image" else "href"
    link = token.attrGet(name)
    if re.match(r"[a-z]+:", link):
        if name == "href":
            token.attrSet("rel", "noreferrer")
        return
    path, anchor = page.resolve(link)
    if token.type == "image":
        page.images.append(path)
        token.attrSet("src", relative(path.removeprefix("docs/"), page.place))
        return
    page.links.append((path, anchor, link))
    place = page_of(path)
    here = place == page.place and anchor
    token.attrSet("href", ("" if here else relative(place, page.place))
                  + ("#" + anchor if anchor else ""))


def shown_file(page, inline):
    """Returns the path of the file that a paragraph is only a link to, or None."""
    kinds = [t.type for t in inline.children]
    if kinds not in (["link_open", "text", "link_close"],
                     ["link_open", "code_inline", "link_close"]):
        return None
    path, anchor = page.resolve(inline.children[0].attrGet("href"))
    known = os.path.splitext(path)[1] in LEXERS and os.path.isfile(os.path.join(ROOT, path))
    return path if known and not anchor else None


def source_of(path):
    text = re.sub(r"\A(?:--|//|#) SPDX-.*\n", "", read(path))
    return coloured(text, LEXERS.get(os.path.splitext(path)[1], "text"))


def heading_of(tokens, i):
    """Returns the anchor of the heading that ends at a token."""
    while tokens[i].type != "heading_open":
        i -= 1
    return tokens[i].attrGet("id")


def man_page(path):
    """Returns a man page as a document. Its sections become headings below the page's title."""
    made = subprocess.run(["mandoc", "-T", "markdown", os.path.join(ROOT, path)],
                          stdout=subprocess.PIPE, text=True, check=True).stdout
    lines = made.split("\n")[1:-2]  # without the lines of its ends
    name, _, section = os.path.basename(path).rpartition(".")
    text = "\n".join(re.sub(r"^\t", "> ", line) if line[:2] != "# "
                     else "## " + line[2:].capitalize() for line in lines)
    return f"# {name}({section})\n" + text


def source(path):
    return man_page(path) if MAN.search(path) else read(path)


def render(page, parser):
    """Makes the page of a document."""
    tokens = parser.parse(source(page.path))
    out, section = [], None
    for i, token in enumerate(tokens):
        if token.type == "heading_open":
            text = plain(tokens[i + 1])
            token.attrSet("id", page.identify(text))
            page.headings.append((int(token.tag[1]), token.attrGet("id"), text))
            section = [token.attrGet("id"), text, []]
            page.sections.append(section)
            if token.tag == "h1":
                page.title = text
        elif token.type == "inline":
            if section:
                section[2].append(plain(token))
            shown = tokens[i - 1].type == "paragraph_open" and shown_file(page, token)
            if shown:
                tokens[i + 1].meta["shown"] = shown
            for child in token.children:
                if child.type == "link_open":
                    child.meta["link"] = child.attrGet("href")
            if page.place == "index.html":
                name_links(page, token.children)
            for child in token.children:
                if child.type in ("link_open", "image"):
                    link_inside(page, child)
        elif token.type in ("fence", "code_block") and section:
            section[2].append(token.content)
    for i, token in enumerate(tokens):
        if token.type == "fence" or token.type == "code_block":
            language = token.info.split(" ")[0] or ("bash" if token.type == "code_block" else "")
            text = without_mark(token.content) if language == "lua" else token.content
            out.append(coloured(text, language))
        elif token.type == "table_open":
            out.append('<div class="table" tabindex="0"><table>')
        elif token.type == "table_close":
            out.append("</table></div>\n")
        elif token.type == "html_block" and token.content.startswith("<!--"):
            pass  # what the tests do with the block that follows
        elif token.type == "heading_close":
            anchor = heading_of(tokens, i)
            out.append(f' <a class="anchor" href="#{anchor}" aria-hidden="true" tabindex="-1">#</a>'
                       f"</{token.tag}>\n")
        else:
            out.append(parser.renderer.render([token], parser.options, {}))
            if token.meta.get("shown"):
                out.append(source_of(token.meta["shown"]))
    page.body = "".join(out)


def show_source(page):
    """Makes the page of a file that is no document, or of a folder."""
    full = os.path.join(ROOT, page.path)
    page.title = page.path
    page.body = f"<h1>{html.escape(page.path)}</h1>\n"
    if os.path.isdir(full):
        names = sorted(n + ("/" if os.path.isdir(os.path.join(full, n)) else "")
                       for n in os.listdir(full) if n[0] not in "._")
        page.entries = [posixpath.join(page.path, n.rstrip("/")) for n in names]
        page.body += "<ul>" + "".join(f"<li><code>{html.escape(n)}</code></li>\n"
                                      for n in names) + "</ul>"
    else:
        page.body += source_of(page.path)


def title_of(path):
    """Returns the title of a document."""
    found = re.search(r"^# (.+)$", source(path), re.M)
    return found[1].replace("`", "") if found else path


def name_links(page, children):
    """Gives links to documents that are named by their file the document's title."""
    for i, token in enumerate(children[1:], 1):
        before = children[i - 1]
        if token.type == "text" and before.type == "link_open" and is_document(token.content):
            path, _ = page.resolve(before.meta["link"])
            if os.path.exists(os.path.join(ROOT, path)):
                token.content = title_of(path)


def is_document(path):
    return path.endswith(".md") or MAN.search(path) is not None


def all_pages():
    """Returns the pages by their path: the documents, and all that they link to."""
    parser = markdown_it.MarkdownIt("commonmark").enable(["table", "strikethrough"])
    pages, due, faults = {}, ["docs/README.md"], []
    for folder, _, names in os.walk(os.path.join(ROOT, "docs")):
        due += sorted(os.path.relpath(os.path.join(folder, n), ROOT)
                      for n in names if n.endswith(".md"))
    while due:
        path = due.pop(0)
        if path in pages:
            continue
        page = pages[path] = Page(path)
        if is_document(path):
            render(page, parser)
        else:
            show_source(page)
        for target, _, link in page.links:
            if os.path.exists(os.path.join(ROOT, target)):
                due.append(target)
            else:
                faults.append(f"{path}: no file for the link '{link}'")
    for page in pages.values():
        for target, anchor, link in page.links:
            if anchor and target in pages and is_document(target) \
                    and anchor not in pages[target].ids:
                faults.append(f"{page.path}: no heading for the link '{link}'")
    return pages, faults


def reading_order(pages):
    """Returns the sections of the index: a title and the paths of its pages."""
    index, order = pages["docs/README.md"], []
    for line in read(index.path).splitlines():
        if line.startswith("## "):
            order.append((line[3:], []))
        found = re.match(r"- \[[^\]]+\]\(([^)#]+)\)", line)
        if found and order:
            order[-1][1].append(index.resolve(found[1])[0])
    return order


def sidebar(page, order, pages):
    out = []
    for title, paths in order:
        inside = page.path in paths
        if len(paths) > LONG and not inside:
            index = pages["docs/README.md"]
            out.append(f'<p><a href="{relative(index.place, page.place)}#{title.lower()}">'
                       f"{html.escape(title)}</a></p>\n")
            continue
        folded = title == "Inside"
        out.append(f'<details{" open" if inside or not folded else ""}>'
                   f"<summary>{html.escape(title)}</summary><ul>")
        for path in paths:
            other = pages[path]
            here = ' aria-current="page"' if other is page else ""
            out.append(f'<li><a href="{relative(other.place, page.place)}"{here}>'
                       f"{html.escape(short(other))}</a></li>")
        out.append("</ul></details>\n")
    return "".join(out)


def short(page):
    return posixpath.basename(page.path) if page.place.startswith("repository/") else page.title


def contents(page):
    inside = [(i, t) for level, i, t in page.headings if level == 2]
    if len(inside) < 3:
        return ""
    return "<p>On this page</p><ul>" + "".join(
        f'<li><a href="#{i}">{html.escape(t)}</a></li>' for i, t in inside) + "</ul>"


def neighbours(page, flat, pages):
    if page.path not in flat:
        return ""
    at, out = flat.index(page.path), []
    for step, word in ((-1, "Before"), (1, "Next")):
        if 0 <= at + step < len(flat):
            other = pages[flat[at + step]]
            out.append(f'<a href="{relative(other.place, page.place)}"><small>{word}</small>'
                       f"{html.escape(short(other))}</a>")
        else:
            out.append("<span></span>")
    return "".join(out)


def link_entries(page, pages):
    """Links what a folder's page lists, as far as it has pages."""
    for path in getattr(page, "entries", []):
        if path in pages:
            name = html.escape(posixpath.basename(path))
            page.body = re.sub(rf"<code>({re.escape(name)}/?)</code>",
                               f'<a href="{relative(pages[path].place, page.place)}">'
                               r"<code>\1</code></a>", page.body)


def write(out, place, text):
    path = os.path.join(out, place)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def search_index(pages, flat):
    """Returns the script with the words of the pages, which the search loads when it is used."""
    ordered = [p for p in flat if not pages[p].place.startswith(UNSEARCHED)]
    found = [[pages[p].place, pages[p].title,
              [[i, t, re.sub(r"\s+", " ", " ".join(words))] for i, t, words in pages[p].sections]]
             for p in ordered]
    lines = [line.split(" = ") for line in looks("synonyms.txt").splitlines()
             if not line.startswith("#")]
    words = [[theirs.split(), ours.lower().split(", ")] for theirs, ours in lines]
    return "searchable(" + ",".join(json.dumps(value, ensure_ascii=False, separators=(",", ":"))
                                    for value in (found, words)) + ");\n"


def build(out):
    pages, faults = all_pages()
    order = reading_order(pages)
    flat = ["docs/README.md"] + [p for _, paths in order for p in paths if is_document(p)]
    if faults:
        return sorted(set(faults))
    shutil.rmtree(out, ignore_errors=True)
    template = string.Template(looks("page.html"))
    for page in pages.values():
        link_entries(page, pages)
        base = relative(".", page.place)
        write(out, page.place, template.substitute(
            title=html.escape(page.title), base=base, body=page.body, contents=contents(page),
            sidebar=sidebar(page, order, pages), neighbours=neighbours(page, flat, pages)))
        for path in page.images:
            target = os.path.join(out, path.removeprefix("docs/"))
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy(os.path.join(ROOT, path), target)
    for name in ("site.css", "plain.css", "site.js"):
        write(out, name, looks(name))
    write(out, "search.js", search_index(pages, flat))
    print(f"site: {len(pages)} pages in {os.path.relpath(out)}")
    return []


def main():
    global ROOT
    parser = argparse.ArgumentParser(description="Builds the site of docs/.")
    parser.add_argument("--root", default=ROOT, help="the folder that has docs/")
    parser.add_argument("out")
    args = parser.parse_args()
    ROOT = args.root
    faults = build(os.path.abspath(args.out))
    for fault in faults:
        print("site:", fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
