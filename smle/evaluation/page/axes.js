// Scales, ticks and grids that all plots share.
function ticks(low, high, wanted) {
  const raw = (high - low) / Math.max(1, wanted);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((size) => size >= raw * 0.999);
  const found = [];
  for (let at = Math.ceil(low / step - 1e-9) * step; at <= high + step * 1e-9; at += step) {
    found.push(Math.abs(at) < step * 1e-9 ? 0 : at);
  }
  return { found, decimals: Math.max(0, Math.min(4, -Math.floor(Math.log10(step) + 1e-9) + (step / power === 2.5 ? 1 : 0))) };
}

function extent(values, margin = 0.06) {
  const known = values.filter((value) => value !== null && Number.isFinite(value));
  if (!known.length) return [0, 1];
  const low = Math.min(...known);
  const high = Math.max(...known);
  const room = (high - low || Math.abs(high) || 1) * margin;
  return [low - room, high + room];
}

const scale = ([from, to], [start, stop]) => (value) =>
  start + ((value - from) / (to - from)) * (stop - start);

function canvas(width, height, label) {
  return shape("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label });
}

// Vertical lines with numbers below, for values that run from left to right.
function xGrid(svg, domain, x, top, bottom, width, zero = false) {
  const { found, decimals } = ticks(...domain, Math.max(3, width / 80));
  for (const at of found) {
    svg.append(
      shape("line", { class: zero && at === 0 ? "zero" : "gridline", x1: x(at), x2: x(at), y1: top, y2: bottom }),
      shape("text", { x: x(at), y: bottom + 16, "text-anchor": "middle" }, number(at, decimals)));
  }
}

function yGrid(svg, domain, y, left, right) {
  const { found, decimals } = ticks(...domain, 5);
  for (const at of found) {
    svg.append(
      shape("line", { class: "gridline", x1: left, x2: right, y1: y(at), y2: y(at) }),
      shape("text", { x: left - 8, y: y(at) + 4, "text-anchor": "end" }, number(at, decimals)));
  }
}

// The longest label's width decides whether names stand beside or above their rows.
function labelRoom(names, width) {
  const longest = Math.max(...names.map((name) => name.length)) * 7.2 + 14;
  return longest > width * 0.3 ? 0 : longest;
}

function rowLabel(name, room, y, height) {
  return room
    ? shape("text", { class: "strong", x: 0, y: y + height * 0.62 + 4 }, name)
    : shape("text", { class: "strong", x: 0, y: y + 13 }, name);
}
