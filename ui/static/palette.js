// The search that opens over any page; without scripts its button leads to the search page.
export function setUpPalette() {
  const dialog = document.getElementById("palette");
  const button = document.getElementById("open-search");
  if (!dialog || !button) return;
  button.addEventListener("click", (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    openPalette();
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    const stops = [dialog.querySelector("input"), ...dialog.querySelectorAll("[data-hit]")];
    const here = stops.indexOf(document.activeElement);
    const next = stops[here + (event.key === "ArrowDown" ? 1 : -1)];
    if (next) next.focus();
    event.preventDefault();
  });
  dialog.querySelector("form").addEventListener("submit", (event) => {
    const first = dialog.querySelector("[data-hit]");
    if (!first) return;
    event.preventDefault();
    location.assign(first.href);
  });
}

export function openPalette() {
  const dialog = document.getElementById("palette");
  if (!dialog || dialog.open) return;
  dialog.showModal();
  dialog.querySelector("input").select();
}
