// What was measured, as elements: shown in the page, and saved as one file that needs nothing else.
import { make } from "../meeting/dom.js";
import { TEXT } from "./text.js";

/** @typedef {import("./measure.js").Result} Result */

const FIGURES = /** @type {const} */ (["mic_to_lips_ms", "mic_to_ear_ms", "av_skew_ms", "first_frame_ms", "frame_interval_ms"]);
const WIDTH = 720, HEIGHT = 240, LEFT = 52, BOTTOM = 24, TOP = 12;
const ROW = 24, NAMES = 232, NUMBERS = 80;
const OTHERS = new Set(["unexplained", "server_and_unexplained"]);

/** Make the report. @param {Result} result @param {Record<string, string>} about hardware, browser, commit and such */
export function makeReport(result, about) {
  const report = make("div", { class: "report" }, make("p", { class: "note" }, TEXT.note), figures(result));
  if (result.seen || result.heard) report.append(figure(TEXT.plotBursts, burstsPlot(result)));
  if (result.mic_to_lips_ms) report.append(figure(TEXT.plotParts, partsPlot(result.parts_ms, result.mic_to_lips_ms.p50)));
  report.append(settings(result, about));
  return report;
}

/** Write a report as a page of its own. @param {Result} result @param {Record<string, string>} about */
export async function standalone(result, about) {
  const css = await (await fetch(new URL("report.css", import.meta.url))).text();
  // Put together as text: the page's own policy forbids it to make a style element.
  const body = make("main", {}, make("h1", {}, TEXT.title), makeReport(result, about)).outerHTML;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>${TEXT.title}</title>
<style>
${css}</style></head>
<body>${body}</body></html>
`;
}

/** @param {Result} result */
function figures(result) {
  const rows = FIGURES.map((name) => {
    const found = result[name];
    const numbers = [found?.p50, found?.p95, found?.p99].map((ms) => make("td", {}, ms === undefined ? "–" : TEXT.ms(ms)));
    return make("tr", { class: name === "mic_to_lips_ms" ? "first" : "" }, make("th", { scope: "row" }, TEXT.figures[name]), ...numbers);
  });
  const heads = [TEXT.measured, "p50", "p95", "p99"].map((text) => make("th", { scope: "col" }, text));
  return make("table", { class: "figures" }, make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...rows));
}

/** @param {Result} result @param {Record<string, string>} about */
function settings(result, about) {
  const { freezes, seen, heard, sent } = result;
  const told = {
    [TEXT.about.told]: TEXT.told(seen, heard, sent),
    [TEXT.about.freezes]: TEXT.freezes(freezes.count, freezes.total_ms),
    [TEXT.about.clock_error_ms]: String(result.clock_error_ms),
    [TEXT.about.output_ms]: String(result.output_ms),
    ...Object.fromEntries(Object.entries(result.config).map(([name, value]) => [name.replaceAll("_", " "), said(value)])),
    ...about,
  };
  const rows = Object.entries(told).map(([name, value]) => make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, value)));
  const heads = [TEXT.setting, TEXT.value].map((text) => make("th", { scope: "col" }, text));
  return make("table", { class: "settings" }, make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...rows));
}

/** @param {unknown} value */
function said(value) {
  return Array.isArray(value) ? value.join(", ") : value === true ? "yes" : value === false ? "no" : String(value ?? "–");
}

/** @param {string} caption @param {SVGElement} plot */
function figure(caption, plot) {
  plot.setAttribute("role", "img");
  plot.setAttribute("aria-label", caption);
  return make("figure", {}, make("figcaption", {}, caption), plot);
}

/** @param {string} tag @param {Record<string, string | number>} how @param {...(Node | string)} inside */
function draw(tag, how, ...inside) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(how)) {
    made.setAttribute(name, typeof value === "number" ? String(Math.round(value * 10) / 10) : value);
  }
  made.append(...inside);
  return made;
}

/** @param {Result} result */
function burstsPlot({ bursts, mic_to_lips_ms: lips }) {
  const values = bursts.flatMap(({ lips_ms, ear_ms }) => [lips_ms, ear_ms]).filter((ms) => ms !== null);
  const most = roundUp(Math.max(...values)), wide = WIDTH - LEFT - 8;
  const y = (/** @type {number} */ ms) => HEIGHT - BOTTOM - (ms / most) * (HEIGHT - BOTTOM - TOP);
  const x = (/** @type {number} */ i) => LEFT + ((i + 0.5) / bursts.length) * wide;
  const plot = draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}` });
  for (let i = 0; i <= 4; i += 1) {
    const ms = (most * i) / 4;
    plot.append(draw("line", { class: "grid", x1: LEFT, x2: WIDTH - 8, y1: y(ms), y2: y(ms) }));
    plot.append(draw("text", { class: "tick", x: LEFT - 6, y: y(ms) + 4 }, String(ms)));
  }
  if (lips) plot.append(draw("line", { class: "middle", x1: LEFT, x2: WIDTH - 8, y1: y(lips.p50), y2: y(lips.p50) }));
  bursts.forEach(({ lips_ms, ear_ms }, i) => {
    const title = (/** @type {string} */ what, /** @type {number} */ ms) => draw("title", {}, `${what}, ${i + 1}: ${TEXT.ms(ms)}`);
    if (ear_ms !== null) plot.append(draw("rect", { class: "ear", x: x(i) - 4, y: y(ear_ms) - 4, width: 8, height: 8 }, title(TEXT.ear, ear_ms)));
    if (lips_ms !== null) plot.append(draw("circle", { class: "lips", cx: x(i), cy: y(lips_ms), r: 4.5 }, title(TEXT.lips, lips_ms)));
  });
  const key = HEIGHT - 6;
  plot.append(
    draw("circle", { class: "lips", cx: LEFT + 6, cy: key - 4, r: 4.5 }), draw("text", { class: "key", x: LEFT + 16, y: key }, TEXT.lips),
    draw("rect", { class: "ear", x: LEFT + 60, y: key - 8, width: 8, height: 8 }), draw("text", { class: "key", x: LEFT + 74, y: key }, TEXT.ear),
  );
  return plot;
}

/** @param {number} most */
function roundUp(most) {
  const step = [100, 200, 400, 800, 1000, 1200, 1600, 2000, 2400].find((each) => each >= most);
  return step ?? Math.ceil(most / 1000) * 1000;
}

/** Draw parts below each other, each beginning where the one before ends.
 * @param {Record<string, number>} parts @param {number} whole */
function partsPlot(parts, whole) {
  const shown = [...Object.entries(parts), ["whole", whole]];
  const plot = draw("svg", { viewBox: `0 0 ${WIDTH} ${shown.length * ROW + 4}` });
  const known = Object.entries(parts).reduce((sum, [, ms]) => sum + Math.max(0, ms), 0);
  const scale = (WIDTH - NAMES - NUMBERS) / Math.max(known, whole, 1);
  let start = 0;
  shown.forEach(([name, value], i) => {
    const ms = Number(value), isWhole = name === "whole", middle = i * ROW + ROW / 2 + 4;
    const from = isWhole ? 0 : Math.min(start, start + ms);
    const kind = isWhole ? "whole" : ms < 0 || OTHERS.has(String(name)) ? "other" : "part";
    plot.append(draw("text", { class: `name ${kind}`, x: NAMES - 10, y: middle }, isWhole ? TEXT.whole : (TEXT.parts[name] ?? String(name))));
    plot.append(draw("rect", { class: kind, x: NAMES + from * scale, y: i * ROW + 4, width: Math.max(1, Math.abs(ms) * scale), height: ROW - 8, rx: 3 }));
    plot.append(draw("text", { class: "number", x: NAMES + (from + Math.abs(ms)) * scale + 6, y: middle }, TEXT.ms(ms)));
    start += ms;
  });
  return plot;
}
