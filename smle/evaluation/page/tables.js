// Tables: systems by metric, sortable; conditions; worst and best files.
function spread(score, column) {
  if (score.low === null) return "";
  return `[${number(score.low, column.decimals)}, ${number(score.high, column.decimals)}]`;
}

// A mean over fewer files than there are says so.
function spreadAndFiles(score, column, files) {
  const fewer = score.count < files ? ` (${score.count} files)` : "";
  return spread(score, column) + fewer;
}

function bestIn(column) {
  const means = systems.filter((system) => !isBound(system))
    .map((system) => system.scores[column.name].mean).filter((mean) => mean !== null);
  return column.higher_is_better ? Math.max(...means) : Math.min(...means);
}

const costs = [
  ["active_parameters", "Active parameters", quantity, "Active"],
  ["stored_parameters", "Stored parameters", quantity, "Stored"],
  ["mmac_per_s", "MMAC/s", quantity, "MMAC/s"],
  ["cpu_s_per_audio_s", "CPU seconds per second of audio", (value) => number(value, 4), "CPU s/s"],
].filter(([key]) => systems.some((system) => system.cost && system.cost[key] !== undefined));

function summaryTable() {
  const bests = new Map(columns.map((column) => [column.name, bestIn(column)]));
  const headings = [
    ["name", "System", (system) => system.name],
    ...columns.map((column) => [
      column.name, withUnit(column), (system) => system.scores[column.name].mean]),
    ...costs.map(([key, label, , short]) => [key, short, (system) => system.cost?.[key] ?? null, label]),
  ];
  const body = element("tbody");
  const heads = headings.map(([key, label, value, title]) => {
    const head = element("th", { scope: "col", "aria-sort": "none", "data-key": key, title: title ?? null });
    head.append(element("button", { type: "button", onclick: () => sort(head, key, value) }, label));
    return head;
  });
  function sort(head, key, value) {
    const lowFirst = key === "name" || costs.some(([cost]) => cost === key) ||
      (columnNamed(key) && !columnNamed(key).higher_is_better);
    const now = head.getAttribute("aria-sort");
    const first = lowFirst ? "ascending" : "descending";
    const order = now === "none" ? first : now === "ascending" ? "descending" : "ascending";
    heads.forEach((other) => other.setAttribute("aria-sort", other === head ? order : "none"));
    const sign = order === "ascending" ? 1 : -1;
    const rank = (a, b) => {
      if (a === null || b === null) return (a === null) - (b === null);
      return sign * (typeof a === "string" ? a.localeCompare(b) : a - b);
    };
    draw([...systems].sort((a, b) => rank(value(a), value(b))));
  }
  function draw(sorted) {
    body.replaceChildren(...sorted.map((system) => element("tr", {},
      element("th", { scope: "row" }, swatch(colourOf(system.name)), ` ${system.name}`),
      ...columns.map((column) => {
        const score = system.scores[column.name];
        const best = systems.length > 1 && !isBound(system) && score.mean === bests.get(column.name);
        return element("td", { class: best ? "best" : null }, number(score.mean, column.decimals),
          element("small", {}, score.mean === null
            ? "no score" : spreadAndFiles(score, column, report.summary.pairs.scored)));
      }),
      ...costs.map(([key, , text]) => element("td", {}, text(system.cost?.[key] ?? null))))));
  }
  draw(systems);
  return element("table", {}, element("thead", {}, element("tr", {}, ...heads)), body);
}

function conditionTables(column) {
  const rank = ([name]) => (name === report.condition ? 0 : 1);
  const entries = Object.entries(report.summary.conditions).sort((a, b) => rank(a) - rank(b));
  return entries.map(([condition, groups], index) =>
    element("details", { open: index === 0 },
      element("summary", {}, `${withUnit(column)} by ${condition}`),
      element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": condition },
        systems.length > 5 && groups.length <= 8
          ? systemRows(column, condition, groups) : groupRows(column, condition, groups))));
}

function conditionCell(group, system, column) {
  const score = group.scores[system.name][column.name];
  return element("td", {}, number(score.mean, column.decimals),
    element("small", {}, score.mean === null ? "" : spreadAndFiles(score, column, group.count)));
}

function groupRows(column, condition, groups) {
  return element("table", {},
    element("thead", {}, element("tr", {},
      element("th", { scope: "col" }, condition), element("th", { scope: "col" }, "Files"),
      ...systems.map((system) => element("th", { scope: "col" }, system.name)))),
    element("tbody", {}, ...groups.map((group) => element("tr", {},
      element("th", { scope: "row" }, proper(group.label)), element("td", {}, group.count),
      ...systems.map((system) => conditionCell(group, system, column))))));
}

function systemRows(column, condition, groups) {
  return element("table", {},
    element("thead", {}, element("tr", {}, element("th", { scope: "col" }, condition),
      ...groups.map((group) => element("th", { scope: "col" }, proper(group.label),
        element("small", {}, `${group.count} files`))))),
    element("tbody", {}, ...systems.map((system) => element("tr", {},
      element("th", { scope: "row" }, system.name),
      ...groups.map((group) => conditionCell(group, system, column))))));
}

function extremeTable(rows, column) {
  const known = new Set(report.examples.map((example) => example.name));
  return element("table", {},
    element("thead", {}, element("tr", {},
      element("th", { scope: "col" }, "File"), element("th", { scope: "col" }, withUnit(column)))),
    element("tbody", {}, ...rows.map(([name, value, about]) => element("tr", {},
      element("td", { class: "name" },
        known.has(name)
          ? element("button", { class: "link", type: "button", onclick: () => choose(name) }, name)
          : name,
        about ? element("small", {}, about) : ""),
      element("td", {}, number(value, column.decimals))))));
}
