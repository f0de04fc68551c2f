// The theme changes at once; the form keeps it for the next page, and alone where there is no script.
async function choose(form, theme) {
  document.documentElement.dataset.theme = theme;
  for (const button of form.querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(button.value === theme));
  }
  const fields = new URLSearchParams(new FormData(form));
  fields.set("theme", theme);
  // Whoever goes to another page at once keeps their choice, too.
  await fetch(form.action, {
    method: "POST",
    body: fields,
    redirect: "manual",
    credentials: "same-origin",
    keepalive: true,
  });
}

export function setUpThemes() {
  const form = document.getElementById("themes");
  form?.addEventListener("submit", (event) => {
    event.preventDefault();
    choose(form, event.submitter.value);
  });
}

export function turnTheme() {
  const form = document.getElementById("themes");
  const dark = getComputedStyle(document.documentElement).colorScheme.includes("light dark")
    ? matchMedia("(prefers-color-scheme: dark)").matches
    : getComputedStyle(document.documentElement).colorScheme === "dark";
  if (form) choose(form, dark ? "light" : "dark");
}
