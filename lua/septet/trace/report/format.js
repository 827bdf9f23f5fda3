// SPDX-License-Identifier: MIT
// Shows numbers, makes elements. All text from the trace becomes a text node.
const $ = (id) => document.getElementById(id);

function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child != null) element.append(child);
  }
  return element;
}

// make("td", { class: "bad" }, text or element, ...)
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  return append(element, children);
}

function draw(name, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return append(element, children);
}

const THIN = "\u202f";

const count = (n) => String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, THIN);

const plural = (n, one, many = one + "s") => `${count(n)} ${n === 1 ? one : many}`;

// Three digits that count, at most.
function digits(value) {
  if (value >= 100 || value === 0) return String(Math.round(value));
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

// A time in microseconds.
function time(us) {
  if (us < 999.5) return `${Math.round(us)}${THIN}µs`;
  if (us < 999500) return `${digits(us / 1e3)}${THIN}ms`;
  if (us < 59.95e6) return `${digits(us / 1e6)}${THIN}s`;
  const seconds = Math.round(us / 1e6);
  const hours = Math.floor(seconds / 3600), minutes = Math.floor(seconds / 60) % 60;
  if (hours) return `${count(hours)}${THIN}h ${minutes}${THIN}min`;
  return `${minutes}${THIN}min ${seconds % 60}${THIN}s`;
}

function size(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (bytes >= 999.5 && unit < 4) {
    bytes /= 1000;
    unit++;
  }
  return `${unit ? digits(bytes) : bytes}${THIN}${units[unit]}`;
}

const share = (part, whole) => (whole > 0 ? `${digits((100 * part) / whole)}${THIN}%` : "–");

// A place in a script without its folder.
const tail = (text) => text.replace(/^\S*\/(?=[^/\s]*\.lua:\d)/, "");

// The end of a URL, which tells it from others of its host.
function short(text) {
  const url = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*(.+)$/i.exec(text);
  return url ? url[1] : tail(text);
}
