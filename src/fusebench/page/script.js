/* Draws the charts, switches fusions off and on, and changes between the light and the dark page. */
"use strict";
const fusions = JSON.parse(document.getElementById("fusions").textContent);

/* Makes rows of columns, in which each text stands once. */
function rowsOf(columns) {
  const cells = Object.entries(columns).map(([name, column]) => [
    name, column.codes ? column.codes.map((code) => column.names[code]) : column,
  ]);
  return cells[0][1].map((_, row) => Object.fromEntries(cells.map(([name, column]) => [name, column[row]])));
}

const charts = [...document.querySelectorAll("script.spec")].map((data) => {
  const { spec, columns } = JSON.parse(data.textContent);
  return {
    place: document.getElementById(data.dataset.chart), spec: { data: { values: rowsOf(columns) }, ...spec },
    follows: "ofFusions" in data.closest("figure").dataset, view: null,
  };
});
const hidden = new Set();
for (const chart of charts) {
  chart.empty = document.createElement("p");
  chart.empty.className = "absent";
  chart.empty.textContent = "Every fusion of this chart is switched off.";
  chart.empty.hidden = true;
  chart.place.after(chart.empty);
}
const system = matchMedia("(prefers-color-scheme: dark)");

const isDark = () => (document.documentElement.dataset.theme || (system.matches ? "dark" : "light")) === "dark";
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/* Puts what names of colours stand for into a specification; data stay as they are. */
function themed(node, key) {
  if (key === "data") return node;
  if (node === "@fusions") {
    return { domain: fusions.map((one) => one.name), range: fusions.map((one) => one[isDark() ? "dark" : "light"]) };
  }
  if (typeof node === "string" && node.startsWith("@")) return colour(node.slice(1));
  if (Array.isArray(node)) return node.map((inner) => themed(inner));
  if (node === null || typeof node !== "object") return node;
  return Object.fromEntries(Object.entries(node).map(([name, inner]) => [name, themed(inner, name)]));
}

function look() {
  const [ink, muted, line, faint] = ["ink", "muted", "line", "faint"].map(colour);
  return {
    background: null, font: getComputedStyle(document.body).fontFamily, view: { stroke: null },
    axis: {
      labelColor: muted, titleColor: muted, gridColor: line, domainColor: faint, tickColor: faint, labelFontSize: 12,
      titleFontSize: 12, titleFontWeight: 400, titlePadding: 10, labelLimit: 0, titleLimit: 0, labelPadding: 6, ticks: false, labelFlush: false,
    },
    axisX: { titleAnchor: "end" }, axisQuantitative: { tickCount: 6 },
    axisYDiscrete: { grid: false, domain: false, labelColor: ink, labelFontSize: 12.5 },
    legend: { labelColor: muted, titleColor: muted, labelFontSize: 12, titleFontSize: 12, titleFontWeight: 400, labelLimit: 0, symbolLimit: 0 },
    text: { color: ink }, tooltip: { content: "data" },
  };
}

async function draw(chart) {
  if (chart.view) chart.view.finalize();
  chart.place.hidden = false;
  /* Compiled here, since there the console need hear only of errors. */
  const { spec } = vegaLite.compile(themed(chart.spec), { config: look(), logger: vega.logger(vega.Error) });
  const { view } = await vegaEmbed(chart.place, spec, {
    mode: "vega", actions: false, renderer: "svg", ast: true, logLevel: vega.Error,
  });
  chart.view = view;
  await hide(chart);
}

/* A chart of nothing has no axes: in its place stands a line. */
async function hide(chart) {
  if (!chart.follows) return;
  const seen = chart.spec.data.values.some((row) => ![row.fusion, row.first, row.second].some((name) => hidden.has(name)));
  chart.place.hidden = !seen;
  chart.empty.hidden = seen;
  if (seen) await chart.view.signal("hidden", [...hidden]).runAsync();
}

async function drawAll() {
  for (const chart of charts) await draw(chart);
  document.documentElement.dataset.drawn = isDark() ? "dark" : "light";
}

/* One change after another: a chart that is being drawn is not to be changed. */
let work = Promise.resolve();
const after = (next) => { work = work.then(next); return work; };

for (const button of document.querySelectorAll("[data-switch]")) {
  button.addEventListener("click", () => {
    const name = button.dataset.switch, off = !hidden.has(name);
    if (off) hidden.add(name); else hidden.delete(name);
    button.setAttribute("aria-pressed", String(!off));
    for (const row of document.querySelectorAll("[data-fusion]")) {
      if (row.dataset.fusion === name) row.hidden = off;
    }
    after(async () => { for (const chart of charts) await hide(chart); });
  });
}

const themeChanged = () => after(drawAll);
document.getElementById("theme").addEventListener("click", () => {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  themeChanged();
});
system.addEventListener("change", themeChanged);

/* A table of the comparison is sorted by a column when its heading is pressed. */
function figureOf(cell) {
  const text = cell.textContent.replace(/[,*]/g, "").trim(), figure = parseFloat(text);
  return Number.isNaN(figure) ? text : figure;
}

function sort(table, column, heading) {
  const falls = heading.getAttribute("aria-sort") === "ascending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", falls ? "descending" : "ascending");
  const rows = [...table.tBodies[0].rows].map((row) => [figureOf(row.cells[column]), row]);
  rows.sort(([one], [other]) => {
    if (one === "" || other === "") return (one === "") - (other === "");
    const order = typeof one === "number" && typeof other === "number" ? one - other : String(one).localeCompare(String(other));
    return falls ? -order : order;
  });
  table.tBodies[0].append(...rows.map(([, row]) => row));
}

for (const table of document.querySelectorAll(".sortable table")) {
  [...table.tHead.rows[0].cells].forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = heading.textContent;
    heading.replaceChildren(button);
    button.addEventListener("click", () => sort(table, column, heading));
  });
}

/* The list of sections marks the one that is being read. */
const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
const reading = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    for (const link of links.values()) link.removeAttribute("aria-current");
    links.get(entry.target.id).setAttribute("aria-current", "true");
  }
}, { rootMargin: "-80px 0px -75% 0px" });
for (const section of document.querySelectorAll("main > section")) reading.observe(section);

/* Paper shows what is folded, too. */
addEventListener("beforeprint", () => { for (const one of document.querySelectorAll("details")) one.open = true; });

after(drawAll);
