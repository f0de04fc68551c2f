// Relative times that stay right while a page is open.
const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

function age(moment) {
  const seconds = (Date.now() - moment) / 1000;
  const size = Math.abs(seconds);
  if (size < 1) return "now";
  const [length, unit] = UNITS.find(([length]) => size >= length);
  const text = `${Math.floor(size / length)} ${unit}`;
  return seconds < 0 ? `in ${text}` : `${text} ago`;
}

function refresh() {
  for (const time of document.querySelectorAll("time[data-age]")) {
    const text = age(Date.parse(time.dateTime));
    if (time.textContent !== text) time.textContent = text;
  }
}

export function keepAges() {
  setInterval(refresh, 5000);
}
