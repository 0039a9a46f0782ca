// Small helpers: elements, numbers for readers, colours of systems, the tooltip.
const report = JSON.parse(document.getElementById("report-data").textContent);
const byId = (id) => document.getElementById(id);

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== null && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

function shape(tag, attributes = {}, text = null) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== null) made.textContent = text;
  return made;
}

function number(value, decimals = 2, signed = false) {
  if (value === null || value === undefined) return "–";
  const rounded = Number(value.toFixed(decimals)) || 0;
  const text = Math.abs(rounded).toFixed(decimals);
  return (rounded < 0 ? "−" : signed && rounded > 0 ? "+" : "") + text;
}

function quantity(value) {
  if (value === null || value === undefined) return "–";
  for (const [limit, unit] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (value >= limit) return `${Number((value / limit).toPrecision(3))}${unit}`;
  }
  return `${Number(value.toPrecision(3))}`;
}

// One file has a mean but no interval: it is drawn without width.
const low = (score) => score.low ?? score.mean;
const high = (score) => score.high ?? score.mean;

const columns = report.summary.columns;
const systems = report.summary.systems;
const columnNamed = (name) => columns.find((column) => column.name === name);
const withUnit = (column) => (column.unit ? `${column.label} (${column.unit})` : column.label);

// Systems that nobody could build: they are there to be compared with.
const isBound = (system) => system.kind === "oracle" || system.kind === "best";
const hidden = new Set(systems.length > 7
  ? systems.filter((system) => isBound(system) || system.kind === "dense").map((system) => system.name) : []);

const inked = systems.filter((system) => system.name !== "noisy").map((system) => system.name);
const colourOf = (system) =>
  system === "noisy" ? "var(--s0)" : `var(--s${(inked.indexOf(system) % 9) + 1})`;
const expertColour = (index) => `var(--s${(index % 9) + 1})`;

const proper = (text) => text.replace(/(^|[[ ])-(?=\d)/g, "$1−");

function swatch(colour) {
  return element("span", { class: "swatch", style: `background:${colour}` });
}

function fill(select, options, chosen) {
  select.replaceChildren(
    ...options.map(([value, label]) => element("option", { value, selected: value === chosen }, label)),
  );
}

function showTip(text, x, y) {
  const tip = byId("tip");
  tip.textContent = text;
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - box.width - 4))}px`;
  tip.style.top = `${y + box.height + 24 > innerHeight ? y - box.height - 12 : y + 16}px`;
}
const hideTip = () => { byId("tip").hidden = true; };

function explain(target, text) {
  target.addEventListener("pointermove", (event) => showTip(text, event.clientX, event.clientY));
  target.addEventListener("pointerleave", hideTip);
  const title = shape("title", {}, text);
  if (target instanceof SVGElement) target.append(title);
}

// Draw again whenever the place changes its width.
function drawn(place, draw) {
  let width = 0;
  const again = () => {
    width = place.clientWidth;
    if (width > 0) place.replaceChildren(draw(width));
  };
  new ResizeObserver(() => { if (place.clientWidth !== width) again(); }).observe(place);
  return again;
}
