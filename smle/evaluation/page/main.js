// Put the report into the page.
function heading() {
  document.title = report.title;
  byId("title").textContent = report.title;
  const pairs = report.summary.pairs;
  const facts = [
    ["files", String(pairs.scored)],
    ["audio", pairs.hours >= 1 ? `${number(pairs.hours, 1)} h` : `${number(60 * pairs.hours, 1)} min`],
    ["systems", String(systems.length)],
    ["left out", String(pairs.unusable.length + report.unmatched.length)],
    ["made", report.created.slice(0, 10)],
  ];
  byId("facts").replaceChildren(...facts.map(([term, value]) =>
    element("div", {}, element("dt", {}, term), element("dd", {}, value))));
  byId("findings").replaceChildren(...report.findings.map((text) => element("li", {}, proper(text))));
}

function charts() {
  const metric = byId("metric");
  const condition = byId("condition");
  const conditions = Object.keys(report.summary.conditions);
  const column = () => columnNamed(metric.value);
  fill(metric, columns.map((one) => [one.name, withUnit(one)]), report.primary);
  fill(condition, conditions.map((name) => [name, name]), report.condition);
  fill(byId("baseline"), systems.map((system) => [system.name, system.name]), report.baseline);
  fill(byId("cost"), costs.map(([key, label]) => [key, label]), "mmac_per_s");
  fill(byId("extreme-system"), Object.keys(report.extremes[report.primary]).map((name) => [name, name]), report.subject);
  byId("condition-figure").hidden = conditions.length === 0;
  byId("conditions").hidden = conditions.length === 0;
  byId("paired-figure").hidden = systems.length < 2;
  byId("complexity-figure").hidden = costs.length === 0;
  byId("condition-legend").replaceChildren(...systems.map((system) => {
    const button = element("button", { type: "button", "aria-pressed": String(!hidden.has(system.name)) },
      swatch(colourOf(system.name)), system.name);
    button.addEventListener("click", () => {
      const shown = hidden.delete(system.name) || !hidden.add(system.name);
      button.setAttribute("aria-pressed", shown);
      again();
    });
    return button;
  }));
  const plots = [
    drawn(byId("distribution"), (width) => distributionChart(column(), width)),
    drawn(byId("paired"), (width) => pairedChart(column(), byId("baseline").value, width)),
  ];
  if (conditions.length) {
    plots.push(drawn(byId("by-condition"), (width) => conditionChart(column(), condition.value, width)));
  }
  if (costs.length) plots.push(drawn(byId("complexity"), (width) => costChart(column(), byId("cost").value, width)));
  const again = () => {
    plots.forEach((plot) => plot());
    byId("condition-tables").replaceChildren(...conditionTables(column()));
    const { worst, best } = report.extremes[metric.value][byId("extreme-system").value];
    byId("worst").replaceChildren(extremeTable(worst, column()));
    byId("best").replaceChildren(extremeTable(best, column()));
  };
  for (const id of ["metric", "condition", "baseline", "cost", "extreme-system"]) {
    byId(id).addEventListener("change", again);
  }
  again();
}

function routing() {
  const gates = report.summary.gates ?? [];
  byId("routing").hidden = gates.length === 0;
  byId("routing-grid").replaceChildren(...gates.map((gate) => {
    const facts = [
      gate.accuracy === null ? "" : `right on ${(100 * gate.accuracy).toFixed(1)} % of files`,
      gate.accuracy === null ? "" : `${(100 * gate.whole_file_accuracy).toFixed(1)} % by the mean of its logits`,
      `margin ${number(gate.margin)}`, `entropy ${number(gate.entropy)} bit`,
      `${number(gate.switches_per_minute, 1)} switches a minute`,
    ].filter(Boolean).join("  ·  ");
    return element("div", { class: "card" }, element("h3", {}, gate.model),
      element("p", { class: "note" }, facts), element("div", { class: "scroll", tabindex: 0,
        role: "region", "aria-label": `Experts chosen by ${gate.model}` }, confusion(gate)));
  }));
}

function confusion(gate) {
  const most = Math.max(1, ...gate.rows.flatMap((row) => row.counts));
  return element("table", { class: "confusion" },
    element("thead", {}, element("tr", {}, element("th", { scope: "col" }, gate.accuracy === null ? "" : "true ↓  chosen →"),
      ...gate.experts.map((name) => element("th", { scope: "col" }, name)))),
    element("tbody", {}, ...gate.rows.map((row) => element("tr", {},
      element("th", { scope: "row" }, row.label),
      ...row.counts.map((count) => element("td", {
        style: `background:color-mix(in oklab, var(--accent) ${Math.round((70 * count) / most)}%, var(--paper))` }, count))))));
}

function problems() {
  const list = (title, items) => element("details", { open: items.length <= 5 }, element("summary", {}, title),
    element("ul", {}, ...items.map(([name, reason]) => element("li", {}, element("code", {}, name), reason ? `: ${reason}` : ""))));
  const { pairs, failures } = report.summary;
  const found = [];
  if (pairs.unusable.length) {
    found.push(list(`${pairs.unusable.length} pairs could not be used`, pairs.unusable.map((one) => [one.name, one.reason])));
  }
  if (report.unmatched.length) {
    found.push(list(`${report.unmatched.length} files have no partner`, report.unmatched.map((name) => [name, ""])));
  }
  for (const failure of failures) {
    found.push(list(`${failure.metric} of ${failure.system}: no score for ${failure.count} files`,
      failure.examples.map((one) => [one.name, one.reason])));
  }
  byId("problem-list").replaceChildren(...found);
  byId("problems").hidden = found.length === 0;
}

function method() {
  byId("method-text").replaceChildren(element("dl", {}, ...report.method.flatMap(([term, text]) => [
    element("dt", {}, term), element("dd", {}, text)])), element("p", {}, element("code", {}, report.command)));
}

function sections() {
  const shown = [...document.querySelectorAll("main > section")].filter((section) => !section.hidden);
  const links = shown.map((section) =>
    element("a", { href: `#${section.id}` }, section.querySelector("h2").textContent));
  byId("sections").replaceChildren(...links);
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((one) => one.isIntersecting)) {
      links.forEach((link, index) => link.toggleAttribute("aria-current", shown[index] === entry.target));
    }
  }, { rootMargin: "-20% 0px -70% 0px" });
  shown.forEach((section) => seen.observe(section));
}

heading();
byId("summary-table").replaceChildren(summaryTable());
charts();
routing();
problems();
method();
byId("listen").hidden = report.examples.length === 0;
sections();
if (report.examples.length) {
  fill(byId("example"), report.examples.map((one) => [one.name, `${one.name} (${one.why})`]), report.examples[0].name);
  byId("example").addEventListener("change", (event) => choose(event.target.value));
  listenToKeys();
  choose(report.examples[0].name);
}
