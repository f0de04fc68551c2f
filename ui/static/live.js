// The dot that says whether the page hears of changes.
function say(on) {
  const place = document.getElementById("live");
  if (!place) return;
  place.classList.toggle("off", !on);
  place.querySelector(".live-word").textContent = on ? "live" : "reconnecting";
}

export function watchLive() {
  document.body.addEventListener("htmx:sseOpen", () => say(true));
  document.body.addEventListener("htmx:sseError", () => say(false));
  document.body.addEventListener("htmx:sseBeforeMessage", () => say(true));
  document.body.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.requestConfig?.headers["Concord-Live"] !== "1") return;
    const place = document.getElementById("live");
    place?.classList.remove("beat");
    // Reading the size makes the browser begin the animation anew.
    void place?.offsetWidth;
    place?.classList.add("beat");
  });
}
