// SPDX-License-Identifier: MIT
// The search, the choice of light or dark, the menu of a narrow screen, and buttons that copy code.
"use strict";
const root = document.documentElement;
const base = root.dataset.base;

function stored(value) {
  try {
    if (value) localStorage.setItem("theme", value);
    return localStorage.getItem("theme");
  } catch {
    return null;
  }
}

const dark = matchMedia("(prefers-color-scheme: dark)");
function paint() {
  root.dataset.theme = stored() ?? (dark.matches ? "dark" : "light");
}
paint();
dark.addEventListener("change", paint);

// What search.js calls with the pages, [place, title, [[anchor, heading, text], …]], and the
// synonyms: [[what others call a thing, …], [what it is called here, …]].
let index = null;
let loading = null;
const synonyms = new Map();
function searchable(pages, groups) {
  index = [];
  for (const [place, title, sections] of pages) {
    for (const [anchor, heading, text] of sections) {
      index.push({ place, title, anchor, heading, text, low: text.toLowerCase(),
        head: heading.toLowerCase(), page: title.toLowerCase() });
    }
  }
  for (const [theirs, ours] of groups) {
    for (const word of theirs) synonyms.set(word, ours);
  }
}

function load() {
  loading ??= new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = base + "/search.js";
    script.onload = done;
    script.onerror = failed;
    document.head.append(script);
  });
  return loading;
}

// Pages for those who change Septet: in a search they stand behind those for its users.
const inside = /^(internals|decisions|repository)\/|^(c-api|conformance|faults)\./;

// Words of questions, which say nothing of what is looked for.
const unsaid = new Set(("a an and are as at be by can do does for from how i if in is it my of on "
  + "or that the this to what when where which why with").split(" "));

// Returns what stands for a word: the word, without the s of a plural, and its synonyms.
function meant(word) {
  const alone = word.length > 3 && word.endsWith("s") ? word.slice(0, -1) : word;
  return [alone, ...(synonyms.get(word) ?? synonyms.get(alone) ?? [])];
}

// Returns how much a section says of a word; one in a heading counts for more.
function weigh(section, word) {
  return (section.head.includes(word) ? 20 : 0) + (section.page.includes(word) ? 5 : 0)
    + (section.head === word ? 30 : 0) + Math.min(section.low.split(word).length - 1, 5);
}

// A section counts if it has each word, or what is meant by it. If none has, those with most words
// count.
function find(text) {
  const typed = text.toLowerCase().replace(/[?!,;]|\(\)/g, " ").split(/\s+/).filter(Boolean);
  const said = typed.filter((word) => !unsaid.has(word));
  const words = (said.length ? said : typed).map(meant);
  if (!words.length) return { words: [], hits: [] };
  const hits = [];
  for (const section of index) {
    let score = 0;
    let count = 0;
    for (const choices of words) {
      const found = Math.max(...choices.map((word) => weigh(section, word)));
      if (found) count++;
      score += found;
    }
    if (inside.test(section.place)) score /= 10;
    if (count) hits.push({ section, count, score });
  }
  const most = hits.reduce((n, hit) => Math.max(n, hit.count), 0);
  return { words: words.flat(), hits: hits.filter((hit) => hit.count === most)
    .sort((a, b) => b.score - a.score).slice(0, 20).map((hit) => hit.section) };
}

function marked(element, text, words) {
  const low = text.toLowerCase();
  const first = words.map((word) => [low.indexOf(word), word]).filter(([at]) => at >= 0)
    .sort((a, b) => a[0] - b[0])[0];
  const at = first ? first[0] : 0;
  const from = Math.max(0, at - 50);
  element.append((from ? "…" : "") + text.slice(from, at));
  if (first) {
    const mark = document.createElement("mark");
    mark.textContent = text.slice(at, at + first[1].length);
    element.append(mark, text.slice(at + first[1].length, at + 110));
  } else {
    element.append(text.slice(at, at + 110));
  }
}

async function show() {
  const input = document.getElementById("site-words");
  const found = document.getElementById("site-found");
  await load();
  const { words, hits } = find(input.value);
  found.replaceChildren();
  for (const section of hits) {
    const link = document.createElement("a");
    link.href = base + "/" + section.place + "#" + section.anchor;
    const small = document.createElement("small");
    link.append(section.title === section.heading ? section.title
      : section.title + " › " + section.heading);
    marked(small, section.text, words);
    link.append(small);
    found.append(link);
  }
  if (!hits.length) {
    const none = document.createElement("p");
    none.textContent = "Nothing found";
    found.append(none);
  }
  found.hidden = !words.length;
}

function addSearch() {
  const form = document.getElementById("site-search");
  const input = document.getElementById("site-words");
  const found = document.getElementById("site-found");
  input.addEventListener("focus", load);
  input.addEventListener("input", show);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    found.querySelector("a")?.click();
  });
  form.addEventListener("keydown", (event) => {
    const links = [input, ...found.querySelectorAll("a")];
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape") {
      found.hidden = true;
      input.blur();
    } else if (step) {
      event.preventDefault();
      const at = links.indexOf(document.activeElement) + step;
      links[Math.max(0, Math.min(links.length - 1, at))].focus();
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !/INPUT|TEXTAREA/.test(document.activeElement.tagName)) {
      event.preventDefault();
      input.focus();
    }
  });
  document.addEventListener("click", (event) => {
    if (!form.contains(event.target) || event.target.closest("#site-found a")) found.hidden = true;
  });
}

function addCopying() {
  for (const code of document.querySelectorAll("pre.code")) {
    const block = document.createElement("div");
    const button = document.createElement("button");
    block.className = "block";
    button.className = "copy";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
    });
    code.replaceWith(block);
    block.append(code, button);
  }
}

document.addEventListener("DOMContentLoaded", () => {
  document.getElementById("site-theme").addEventListener("click", () => {
    stored(root.dataset.theme === "dark" ? "light" : "dark");
    if (stored()) paint();
    else root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
  });
  const menu = document.getElementById("site-menu");
  menu.addEventListener("click", () => {
    const open = document.getElementById("site-pages").classList.toggle("open");
    menu.setAttribute("aria-expanded", open);
  });
  addSearch();
  addCopying();
});
