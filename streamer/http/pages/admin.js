// The rooms of this server, live: looks once a second, shows thumbnails, opens and ends rooms.
// @ts-check

const EVERY_MS = 1000;
const KEY = "parley-admin-token";

/** @template {HTMLElement} T @param {string} id @returns {T} */
const byId = (id) => /** @type {T} */ (document.getElementById(id));
const state = byId("state");
const login = /** @type {HTMLFormElement} */ (byId("login"));
const open = /** @type {HTMLFormElement} */ (byId("open"));
const rooms = byId("rooms");
const template = /** @type {HTMLTemplateElement} */ (byId("room"));
const scenes = /** @type {HTMLSelectElement} */ (byId("scene"));

/** @type {Map<string, {card: HTMLElement, url: string}>} */
const cards = new Map();

/** Ask the server; a problem becomes an Error with its sentence. @param {string} path @param {RequestInit} [init] */
async function ask(path, init = {}) {
  const token = sessionStorage.getItem(KEY);
  const headers = new Headers(init.headers);
  if (token) headers.set("Authorization", `Bearer ${token}`);
  const answer = await fetch(path, { ...init, headers });
  login.hidden = answer.status !== 401;
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({ detail: `status ${answer.status}` }));
  throw new Error(problem.detail);
}

/** @param {any} room */
function show(room) {
  let entry = cards.get(room.id);
  if (!entry) {
    const copy = /** @type {DocumentFragment} */ (template.content.cloneNode(true));
    const card = /** @type {HTMLElement} */ (copy.firstElementChild);
    const end = /** @type {HTMLButtonElement} */ (card.querySelector(".end"));
    end.addEventListener("click", () => act(() => ask(`/rooms/${room.id}`, { method: "DELETE" })));
    /** @type {HTMLElement} */ (card.querySelector("h2")).textContent = room.id;
    entry = { card, url: "" };
    cards.set(room.id, entry);
    rooms.append(card);
  }
  const facts = /** @type {HTMLElement} */ (entry.card.querySelector(".facts"));
  const recording = room.is_recorded ? ", recording" : "";
  facts.textContent = `${room.scene}, ${room.state}, ${room.width}x${room.height}, ${room.viewers} watching${recording}`;
  const seats = /** @type {HTMLElement} */ (entry.card.querySelector(".seats"));
  seats.replaceChildren(...room.seats.map(seatLine));
  return entry;
}

/** @param {any} seat */
function seatLine(seat) {
  const line = document.createElement("li");
  const who = seat.is_taken ? `${seat.kind}${seat.is_connected ? "" : ", lost"}` : "free";
  line.textContent = `${seat.number} ${seat.name}: ${who}${seat.is_speaking ? ", speaking" : ""}`;
  line.classList.toggle("speaking", seat.is_speaking);
  return line;
}

/** @param {string} id @param {{card: HTMLElement, url: string}} entry */
async function picture(id, entry) {
  const answer = await ask(`/rooms/${id}/thumbnail.jpg`);
  if (answer.status === 204) return;
  const url = URL.createObjectURL(await answer.blob());
  /** @type {HTMLImageElement} */ (entry.card.querySelector("img")).src = url;
  if (entry.url) URL.revokeObjectURL(entry.url);
  entry.url = url;
}

async function look() {
  const list = await (await ask("/rooms")).json();
  const living = new Set(list.rooms.map((/** @type {any} */ room) => room.id));
  for (const [id, entry] of cards) {
    if (!living.has(id)) {
      entry.card.remove();
      if (entry.url) URL.revokeObjectURL(entry.url);
      cards.delete(id);
    }
  }
  state.textContent = `${list.rooms.length} of ${list.most_rooms}`;
  await Promise.allSettled(list.rooms.map((/** @type {any} */ room) => picture(room.id, show(room))));
  if (!scenes.options.length) await listScenes();
}

async function listScenes() {
  const found = await (await ask("/scenes")).json();
  const ready = found.filter((/** @type {any} */ scene) => scene.is_ready);
  scenes.replaceChildren(...ready.map((/** @type {any} */ scene) => new Option(scene.name, scene.id)));
}

/** Do something and show why it failed, if it did. @param {() => Promise<unknown>} work */
async function act(work) {
  try {
    await work();
  } catch (error) {
    state.textContent = error instanceof Error ? error.message : String(error);
  }
}

login.addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, /** @type {HTMLInputElement} */ (byId("token")).value);
});
open.addEventListener("submit", (event) => {
  event.preventDefault();
  const body = JSON.stringify({ scene: scenes.value });
  act(() => ask("/rooms", { method: "POST", body, headers: { "Content-Type": "application/json" } }));
});

for (;;) {
  if (!document.hidden) await act(look);
  await new Promise((done) => setTimeout(done, EVERY_MS));
}
