// A swap that changes only what differs: rows keep their place, their focus, and what was folded open.
// Elements are told apart by `data-key` or `id`. In a `data-hold` list, new rows wait behind a pill while somebody reads.
const held = new WeakMap();

function name(node) {
  return node.nodeType === Node.ELEMENT_NODE ? node.dataset.key ?? node.id ?? "" : "";
}

function match(old, fresh) {
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) return false;
  return name(old) === name(fresh);
}

function change(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeType !== Node.ELEMENT_NODE) {
    old.nodeValue = fresh.nodeValue;
    return;
  }
  if (old.namespaceURI.endsWith("svg")) {
    old.replaceWith(document.importNode(fresh, true));
    return;
  }
  if (old === document.activeElement && old.matches("input, textarea, select")) return;
  changeAttributes(old, fresh);
  changeChildren(old, fresh);
}

function changeAttributes(old, fresh) {
  for (const { name: attribute } of [...old.attributes]) {
    // What a person has folded open or shut stays so.
    if (attribute !== "open" && !fresh.hasAttribute(attribute)) old.removeAttribute(attribute);
  }
  for (const { name: attribute, value } of fresh.attributes) {
    if (attribute !== "open" && old.getAttribute(attribute) !== value) old.setAttribute(attribute, value);
  }
}

function changeChildren(old, fresh) {
  const wanted = [...fresh.childNodes];
  const kept = new Map();
  for (const child of old.childNodes) if (name(child)) kept.set(name(child), child);
  let place = old.firstChild;
  for (const child of wanted) {
    const key = name(child);
    let found = key ? kept.get(key) : place;
    if (found && (!match(found, child) || found.parentNode !== old)) found = null;
    if (found) {
      if (found === place) place = place.nextSibling;
      else old.insertBefore(found, place);
      change(found, child);
    } else {
      const made = document.importNode(child, true);
      if (key && old.matches("[data-hold]") && made.nodeType === Node.ELEMENT_NODE) made.classList.add("fresh");
      old.insertBefore(made, place);
    }
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

function reading(list) {
  return list.contains(document.activeElement) || list.getBoundingClientRect().top < 0;
}

// Takes the new rows out of what is about to be shown, and gives their number.
function hold(target, fragment) {
  let count = 0;
  for (const fresh of fragment.querySelectorAll("[data-hold]")) {
    const list = target.querySelector("[data-hold]");
    if (!list || !reading(list)) continue;
    const known = new Set([...list.children].map(name));
    const rows = [...fresh.children];
    const added = rows.filter((row) => !known.has(name(row)));
    if (!added.length) continue;
    count += added.length;
    added.forEach((row) => row.remove());
    const present = new Set(rows.map(name));
    for (const row of list.children) if (!present.has(name(row))) fresh.append(row.cloneNode(true));
  }
  return count;
}

function showPill(target, count) {
  let pill = target.previousElementSibling;
  if (!pill?.matches(".pill")) {
    pill = document.createElement("button");
    pill.type = "button";
    pill.className = "pill";
    target.before(pill);
    pill.addEventListener("click", () => {
      const whole = held.get(target);
      pill.remove();
      held.delete(target);
      changeChildren(target, whole);
      htmx.process(target);
      target.scrollIntoView({ block: "nearest" });
    });
  }
  pill.textContent = `${count} new`;
}

function swap(target, fragment) {
  const whole = fragment.cloneNode(true);
  const count = hold(target, fragment);
  if (count) {
    held.set(target, whole);
    showPill(target, count);
  } else {
    held.delete(target);
    if (target.previousElementSibling?.matches(".pill")) target.previousElementSibling.remove();
  }
  changeChildren(target, fragment);
}

htmx.defineExtension("keyed", {
  isInlineSwap: (style) => style === "keyed",
  handleSwap: (style, target, fragment) => {
    if (style !== "keyed") return false;
    swap(target, fragment);
    return [target];
  },
});
