// The keyboard: j and k walk the rows, Enter opens by itself because a row's link has the focus.
import { openPalette } from "./palette.js";
import { turnTheme } from "./themes.js";

const PLACES = { o: "/", f: "/flows", r: "/runs", e: "/exceptions", a: "/approvals", c: "/connections" };
let going = false;

function rows() {
  return [...document.querySelectorAll("[data-row]")].filter((row) => row.querySelector("a, button"));
}

function walk(step) {
  const all = rows();
  const here = all.findIndex((row) => row.contains(document.activeElement));
  const next = all[here < 0 ? (step > 0 ? 0 : all.length - 1) : here + step];
  if (!next) return;
  const stop = next.querySelector("[data-open]") ?? next.querySelector("a, button");
  stop.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

function act(selector) {
  const row = rows().find((each) => each.contains(document.activeElement));
  const found = row?.querySelector(selector) ?? (row ? null : document.querySelector(`main ${selector}`));
  if (!found) return;
  if (found.matches("a, [data-assign]")) found.click();
  else {
    // A replay is never ordered by one key: its sentence is brought into view and its button waits for Enter.
    found.scrollIntoView({ block: "center" });
    found.focus({ preventScroll: true, focusVisible: true });
  }
}

function typing(target) {
  return target.closest("input, textarea, select, [contenteditable]") !== null;
}

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    openPalette();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  if (document.querySelector("dialog[open]")) return;
  if (going) {
    going = false;
    if (PLACES[event.key]) location.assign(PLACES[event.key]);
    return;
  }
  const known = {
    j: () => walk(1),
    k: () => walk(-1),
    r: () => act("[data-replay]"),
    a: () => act("[data-assign]"),
    d: () => act("[data-decide]"),
    g: () => { going = true; },
    t: () => turnTheme(),
    "/": () => openPalette(),
    "?": () => document.getElementById("keys")?.togglePopover(),
  }[event.key];
  if (!known) return;
  event.preventDefault();
  known();
});
