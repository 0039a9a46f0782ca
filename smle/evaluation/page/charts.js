// The charts, each a function from width to an SVG element.
function distributionChart(column, width) {
  const shapes = report.distributions[column.name];
  const room = labelRoom(systems.map((system) => system.name), width);
  const height = room ? 54 : 66;
  const bottom = systems.length * height + 8;
  const svg = canvas(width, bottom + 40, `Distribution of ${withUnit(column)} for each system`);
  const x = scale(shapes.domain, [room + 6, width - 10]);
  xGrid(svg, shapes.domain, x, 4, bottom, width - room, true);
  systems.forEach((system, index) => {
    const top = index * height;
    const base = top + height - 6;
    const density = shapes.densities[system.name];
    const score = system.scores[column.name];
    svg.append(rowLabel(system.name, room, top, height));
    if (score.mean === null) return;
    const at = (bin) => x(shapes.domain[0] + (bin / (density.length - 1)) * (shapes.domain[1] - shapes.domain[0]));
    const highest = Math.max(...density);
    const tall = height - (room ? 14 : 24);
    const line = density.map((value, bin) => `${at(bin).toFixed(1)},${(base - (value / highest) * tall).toFixed(1)}`);
    const colour = colourOf(system.name);
    const row = shape("g");
    if (highest > 0) row.append(
      shape("polygon", { points: `${at(0)},${base} ${line.join(" ")} ${at(density.length - 1)},${base}`, fill: colour, opacity: 0.22 }),
      shape("polyline", { points: line.join(" "), fill: "none", stroke: colour, "stroke-width": 1.5 }));
    row.append(
      shape("line", { x1: x(low(score)), x2: x(high(score)), y1: base - 5, y2: base - 5, stroke: colour, "stroke-width": 4, "stroke-linecap": "round" }),
      shape("line", { x1: x(score.median), x2: x(score.median), y1: base - 13, y2: base + 1, stroke: colour, "stroke-width": 2 }),
      shape("circle", { cx: x(score.mean), cy: base - 5, r: 5, fill: colour, stroke: "var(--card)", "stroke-width": 1.5 }));
    explain(row, `${system.name}\nmean ${number(score.mean, column.decimals)} ${spread(score, column)}\nmedian ${number(score.median, column.decimals)}\nstandard deviation ${number(score.std, column.decimals)}\n${score.count} files`);
    svg.append(row);
  });
  svg.append(shape("text", { x: width - 10, y: bottom + 34, "text-anchor": "end" }, withUnit(column)));
  return svg;
}

function conditionChart(column, condition, width) {
  const groups = report.summary.conditions[condition];
  const shown = systems.filter((system) => !hidden.has(system.name));
  return groups.every((group) => group.position !== null)
    ? bandChart(column, condition, groups, shown, width)
    : rowChart(column, groups, shown, width);
}

function bandChart(column, condition, groups, shown, width) {
  const height = 320;
  const [left, right, top, bottom] = [48, width - 14, 10, height - 44];
  const svg = canvas(width, height, `${withUnit(column)} against ${condition}`);
  svg.setAttribute("tabindex", 0);
  const all = groups.flatMap((group) => shown.flatMap((system) => {
    const score = group.scores[system.name][column.name];
    return [low(score), high(score)];
  }));
  const domain = extent(all);
  const x = scale(extent(groups.map((group) => group.position), 0.03), [left, right]);
  const y = scale(domain, [bottom, top]);
  yGrid(svg, domain, y, left, right);
  let last = -Infinity;
  groups.forEach((group) => {
    const at = x(group.position);
    const room = group.label.length * 7 + 8;
    if (at - last < room) return;
    last = at;
    svg.append(shape("text", { x: at, y: bottom + 18, "text-anchor": "middle" }, proper(group.label)));
  });
  svg.append(
    shape("text", { x: right, y: bottom + 37, "text-anchor": "end" }, condition));
  for (const system of shown) {
    const colour = colourOf(system.name);
    const known = groups.filter((group) => group.scores[system.name][column.name].mean !== null);
    const point = (group, end) => `${x(group.position)},${y(end(group.scores[system.name][column.name]))}`;
    svg.append(
      shape("polygon", { points: [...known.map((g) => point(g, low)), ...known.map((g) => point(g, high)).reverse()].join(" "), fill: colour, opacity: 0.16 }),
      shape("polyline", { points: known.map((g) => point(g, (score) => score.mean)).join(" "), fill: "none", stroke: colour, "stroke-width": 2.25, "stroke-linejoin": "round" }));
    for (const group of known) {
      svg.append(shape("circle", { cx: x(group.position), cy: y(group.scores[system.name][column.name].mean), r: 3.5, fill: colour }));
    }
  }
  const cursor = shape("line", { class: "axis", y1: top, y2: bottom, visibility: "hidden" });
  svg.append(cursor);
  let chosen = 0;
  const show = (index) => {
    chosen = index;
    const group = groups[index];
    const at = x(group.position);
    for (const end of ["x1", "x2"]) cursor.setAttribute(end, at);
    cursor.setAttribute("visibility", "visible");
    const box = svg.getBoundingClientRect();
    const lines = shown.map((system) => {
      const score = group.scores[system.name][column.name];
      return `${system.name}: ${number(score.mean, column.decimals)} ${spread(score, column)}`;
    });
    showTip([`${condition} ${group.label} (${group.count} files)`, ...lines].join("\n"), box.left + at, box.top + 30);
  };
  const hide = () => { cursor.setAttribute("visibility", "hidden"); hideTip(); };
  svg.addEventListener("pointermove", (event) => {
    const at = event.clientX - svg.getBoundingClientRect().left;
    const distances = groups.map((group) => Math.abs(x(group.position) - at));
    show(distances.indexOf(Math.min(...distances)));
  });
  svg.addEventListener("pointerleave", hide);
  svg.addEventListener("blur", hide);
  svg.addEventListener("focus", () => { if (svg.matches(":focus-visible")) show(chosen); });
  svg.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    show(Math.max(0, Math.min(groups.length - 1, chosen + step)));
  });
  return svg;
}

// One row for each word or system, a dot with its interval for each entry.
function rows(entries, label, domain, width, zero) {
  const room = labelRoom(entries.map((entry) => entry.name), width);
  const lines = Math.max(...entries.map((entry) => entry.marks.length));
  const height = (room ? 12 : 24) + 9 * lines;
  const bottom = entries.length * height + 6;
  const svg = canvas(width, bottom + 40, label);
  const x = scale(domain, [room + 6, width - 12]);
  xGrid(svg, domain, x, 2, bottom, width - room, zero);
  entries.forEach((entry, index) => {
    const top = index * height;
    svg.append(rowLabel(entry.name, room, top, height));
    entry.marks.forEach((mark, line) => {
      const at = top + (room ? height * 0.62 : 24) + (room ? (line - (entry.marks.length - 1) / 2) * 9 : line * 9);
      const group = shape("g", { opacity: mark.faint ? 0.45 : 1 });
      group.append(
        shape("line", { x1: x(mark.low), x2: x(mark.high), y1: at, y2: at, stroke: mark.colour, "stroke-width": 3, "stroke-linecap": "round", opacity: 0.55 }),
        shape("circle", { cx: x(mark.mean), cy: at, r: 4.5, fill: mark.colour, stroke: "var(--card)", "stroke-width": 1 }));
      explain(group, mark.text);
      svg.append(group);
    });
  });
  svg.append(shape("text", { x: width - 12, y: bottom + 34, "text-anchor": "end" }, label));
  return svg;
}

function rowChart(column, groups, shown, width) {
  const entries = groups.map((group) => ({
    name: `${group.label} (${group.count})`,
    marks: shown.flatMap((system) => {
      const score = group.scores[system.name][column.name];
      return score.mean === null ? [] : [{ mean: score.mean, low: low(score), high: high(score), colour: colourOf(system.name),
        text: `${system.name}, ${group.label}\n${number(score.mean, column.decimals)} ${spread(score, column)}` }];
    }),
  }));
  const domain = extent(entries.flatMap((entry) => entry.marks.flatMap((mark) => [mark.low, mark.high])));
  return rows(entries, withUnit(column), domain, width, true);
}

function pairedChart(column, baseline, width) {
  const entries = [];
  for (const { a, b, differences } of report.summary.comparisons) {
    if (a !== baseline && b !== baseline) continue;
    const sign = b === baseline ? 1 : -1;
    const other = sign > 0 ? a : b;
    const found = differences[column.name];
    if (found.mean === null) continue;
    const [from, to] = sign > 0 ? [low(found), high(found)] : [-high(found), -low(found)];
    const mean = sign * found.mean;
    const share = sign > 0 ? found.share_better : found.share_worse;
    entries.push({ name: other, marks: [{ mean, low: from, high: to, faint: !found.clear, colour: colourOf(other),
      text: `${other} − ${baseline}: ${number(mean, column.decimals, true)} [${number(from, column.decimals)}, ${number(to, column.decimals)}]\nbetter on ${(100 * share).toFixed(0)} % of ${found.count} files${found.clear ? "" : "\nnot told apart: the interval holds 0"}` }] });
  }
  const ends = entries.flatMap((entry) => entry.marks.flatMap((mark) => [mark.low, mark.high]));
  return rows(entries, `difference in ${withUnit(column)}`, extent([0, ...ends]), width, true);
}

function costChart(column, key, width) {
  const shown = systems.filter((system) => system.cost?.[key] && system.scores[column.name].mean !== null);
  const height = 320;
  const [left, right, top, bottom] = [48, width - 24, 12, height - 44];
  const label = costs.find(([cost]) => cost === key)[1];
  const svg = canvas(width, height, `${withUnit(column)} against ${label}`);
  const logs = shown.map((system) => Math.log10(system.cost[key]));
  const x = scale(extent(logs, 0.12), [left, right]);
  const domain = extent(shown.flatMap((system) => [low(system.scores[column.name]), high(system.scores[column.name])]), 0.12);
  const y = scale(domain, [bottom, top]);
  yGrid(svg, domain, y, left, right);
  const [from, to] = extent(logs, 0.12);
  for (let power = Math.floor(from); power <= to; power += 1) {
    for (const factor of [1, 2, 5]) {
      const at = power + Math.log10(factor);
      if (at < from || at > to) continue;
      svg.append(shape("line", { class: "gridline", x1: x(at), x2: x(at), y1: top, y2: bottom }),
        shape("text", { x: x(at), y: bottom + 18, "text-anchor": "middle" }, quantity(factor * 10 ** power)));
    }
  }
  const taken = shown.map((system) => {
    const [at, mean] = [x(Math.log10(system.cost[key])), y(system.scores[column.name].mean)];
    return [at - 7, mean - 7, at + 7, mean + 7];
  });
  for (const system of shown) {
    const score = system.scores[column.name];
    const at = x(Math.log10(system.cost[key]));
    const colour = colourOf(system.name);
    const group = shape("g");
    group.append(
      shape("line", { x1: at, x2: at, y1: y(low(score)), y2: y(high(score)), stroke: colour, "stroke-width": 3, opacity: 0.5, "stroke-linecap": "round" }),
      shape("circle", { cx: at, cy: y(score.mean), r: 6, fill: colour, stroke: "var(--card)", "stroke-width": 1.5 }),
      placed(system.name, at, y(score.mean), [left, right], taken));
    explain(group, `${system.name}\n${withUnit(column)} ${number(score.mean, column.decimals)} ${spread(score, column)}\n${label} ${quantity(system.cost[key])}`);
    svg.append(group);
  }
  svg.append(shape("text", { x: right, y: bottom + 37, "text-anchor": "end" }, label));
  return svg;
}

// A label beside a dot, where it covers no other label or dot if there is such a place.
function placed(name, x, y, [left, right], taken) {
  const width = name.length * 7.2;
  const boxes = [[10, -22], [10, 6], [-10 - width, -22], [-10 - width, 6], [-width / 2, -30], [-width / 2, 14]]
    .map(([dx, dy]) => [x + dx, y + dy, x + dx + width, y + dy + 16]);
  const meets = (a, b) => a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];
  const inside = boxes.filter((box) => box[0] >= left - 40 && box[2] <= right + 20);
  const box = inside.find((one) => !taken.some((other) => meets(one, other))) ?? inside[0] ?? boxes[0];
  taken.push(box);
  return shape("text", { class: "strong", x: box[0], y: box[1] + 12 }, name);
}
