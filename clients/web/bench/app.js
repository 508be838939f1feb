// Where the latency page begins: what to measure, the run, and what it says. `parley bench latency` drives the same.
import { byId, make, notify } from "../meeting/dom.js";
import { Problem, Server } from "../meeting/server.js";
import { BenchError, measure } from "./measure.js";
import { makeReport, standalone } from "./report.js";
import { TEXT } from "./text.js";

/** @typedef {import("./measure.js").Wishes} Wishes */
/** @typedef {import("./measure.js").Result} Result */

const VIEWS = 5; // times that the first picture is waited for
const server = Server.fromPage();
/** @type {{name: string, seats: string[], wish: Partial<Wishes>}[]} */
let choices = [];
let stopping = new AbortController();
/** @type {Result | null} */
let last = null;

/** Measure, and show the run. @param {Wishes} wishes @returns {Promise<Result>} */
async function run(wishes) {
  stopping = new AbortController();
  notify("");
  lock(true);
  try {
    const result = await measure(server, wishes, byId("video", "video"), showStep, stopping.signal);
    byId("progress").textContent = stopping.signal.aborted ? TEXT.stopped : TEXT.done;
    return result;
  } catch (error) {
    byId("progress").textContent = TEXT.failed;
    throw error;
  } finally {
    lock(false);
  }
}

/** @type {import("./measure.js").Tell} */
function showStep(step, done, of, bursts) {
  const lips = bursts.at(-1)?.lips_ms ?? null;
  byId("progress").textContent = TEXT.steps[step] ?? TEXT.speaking(done, of, lips);
  byId("bar", "progress").value = done / of;
}

/** @param {boolean} isRunning */
function lock(isRunning) {
  byId("fields", "fieldset").disabled = isRunning;
  byId("start", "button").disabled = isRunning || !choices.length;
  byId("stop", "button").disabled = !isRunning;
}

/** @returns {Record<string, string>} */
function about() {
  return { browser: navigator.userAgent, cores: String(navigator.hardwareConcurrency), when: new Date().toISOString() };
}

async function start() {
  const choice = choices[byId("room", "select").selectedIndex];
  const bursts = Number(byId("bursts", "select").value), seat = byId("seat", "select").selectedIndex;
  const microphone = byId("microphone", "input").checked;
  try {
    last = await run({ ...choice.wish, seat, bursts, views: VIEWS, microphone });
  } catch (error) {
    if (!(error instanceof BenchError || error instanceof Problem)) throw error;
    return notify(error.message);
  }
  if (!last.seen) notify(TEXT.nothing);
  byId("report").replaceChildren(makeReport(last, about()));
  byId("result").hidden = false;
  byId("result").scrollIntoView({ block: "nearest" });
}

/** @param {string} name @param {string} type @param {string} text */
function save(name, type, text) {
  const href = URL.createObjectURL(new Blob([text], { type }));
  make("a", { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), 1000);
}

async function listChoices() {
  const asked = new URLSearchParams(location.search).get("room");
  const wanted = server.isAdmin ? [server.scenes(), server.rooms()] : [[], []];
  const [scenes, rooms] = /** @type {[any[], any[]]} */ (await Promise.all(wanted));
  if (asked && !rooms.some(({ id }) => id === asked)) rooms.unshift(await server.room(asked));
  const own = scenes.filter((each) => each.is_ready).map(({ id, people, people_names: names }) => ({
    name: TEXT.ownRoom(id), seats: Array.from({ length: people }, (_, i) => names[i] ?? `person ${i + 1}`), wish: { scene: id },
  }));
  const open = rooms.map((room) => ({
    name: TEXT.room(room.scene, room.id), seats: room.seats.map((/** @type {any} */ each) => each.name), wish: { room: room.id },
  }));
  choices = asked ? [...open, ...own] : [...own, ...open];
  byId("room").replaceChildren(...choices.map(({ name }) => make("option", {}, name)));
  if (!choices.length) notify(TEXT.nobody);
  listSeats();
  lock(false);
}

function listSeats() {
  const seats = choices[byId("room", "select").selectedIndex]?.seats ?? [];
  byId("seat").replaceChildren(...seats.map((name) => make("option", {}, name)));
}

byId("room").addEventListener("change", listSeats);
byId("form").addEventListener("submit", (event) => { event.preventDefault(); start(); });
byId("stop").addEventListener("click", () => stopping.abort());
byId("save-json").addEventListener("click", () => last && save("latency.json", "application/json", JSON.stringify({ ...last, about: about() }, null, 1)));
byId("save-report").addEventListener("click", async () => last && save("latency.html", "text/html", await standalone(last, about())));
byId("progress").textContent = TEXT.ready;
// What the command calls: the same run with other wishes, and the same report with what the command knows beside it.
Object.assign(globalThis, { parleyBench: { run, standalone } });
if (!new URLSearchParams(location.search).has("driven")) {
  await listChoices().catch((error) => {
    if (!(error instanceof Problem)) throw error;
    notify(error.message);
  });
}
