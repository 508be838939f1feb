// Before a room: the rooms there are, the scenes to open one with, and one's own picture.
import { byId, icon, make, notify } from "./dom.js";
import { initials } from "./seats.js";
import { TEXT } from "./text.js";

/** @typedef {import("./server.js").Server} Server */
/** @typedef {import("./protocol.js").Room} Room */
/** @typedef {import("./protocol.js").Scene} Scene */

const PICTURES = ["image/jpeg", "image/png", "image/webp"];
const LOOK_MS = 3000;

export class Lobby {
  /** @param {Server} server @param {(room: string) => void} enter @param {(scene: Scene) => void} edit */
  constructor(server, enter, edit) {
    this.#server = server;
    this.#enter = enter;
    this.#edit = edit;
    const { signal } = this.#gone;
    const drop = byId("drop"), input = byId("picture-file", "input");
    byId("choose").addEventListener("click", () => this.#hasConsent() && input.click(), { signal });
    input.addEventListener("change", () => { this.#upload(input.files?.[0]); input.value = ""; }, { signal });
    drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); }, { signal });
    drop.addEventListener("dragleave", () => drop.classList.remove("over"), { signal });
    drop.addEventListener("drop", (event) => {
      event.preventDefault();
      drop.classList.remove("over");
      if (this.#hasConsent()) this.#upload(event.dataTransfer?.files[0]);
    }, { signal });
    this.#timer = setInterval(() => this.#showRooms().catch(() => {}), LOOK_MS); // tried again
  }

  #server;
  #enter;
  #edit;
  #timer;
  #gone = new AbortController();
  #shown = "";
  /** @type {Map<string, Promise<string | null>>} */
  #pictures = new Map();

  /** Show everything. */
  async open() {
    byId("lobby").hidden = false;
    const scenes = this.#showScenes();
    await Promise.all([this.#showRooms(), scenes]);
  }

  close() {
    this.#gone.abort();
    clearInterval(this.#timer);
    byId("lobby").hidden = true;
    for (const picture of this.#pictures.values()) picture.then((url) => url && URL.revokeObjectURL(url), () => {});
  }

  async #showRooms() {
    const rooms = await this.#server.rooms();
    byId("no-rooms").hidden = rooms.length > 0;
    const now = JSON.stringify(rooms.map(({ id, viewers, seats }) => [id, viewers, seats.map((seat) => seat.kind)]));
    if (now === this.#shown) return;
    this.#shown = now;
    byId("rooms").replaceChildren(...rooms.map((room) => this.#roomCard(room)));
  }

  async #showScenes() {
    const scenes = await this.#server.scenes();
    byId("scenes").replaceChildren(...scenes.map((scene) => this.#sceneCard(scene)));
    byId("drop").hidden = scenes.some((scene) => scene.origin === "null"); // draws no pictures
  }

  /** @param {Room} room */
  #roomCard(room) {
    const names = room.seats.map((seat) => seat.name).join(", ");
    const free = room.seats.filter((seat) => !seat.is_taken).length;
    const facts = `${TEXT.watching(room.viewers)}, ${TEXT.freeSeats(free)}`;
    return card(TEXT.sceneName(room.scene), names, facts, this.#pictureOf(`rooms/${room.id}/thumbnail.jpg`, names), [
      make("button", { type: "button", class: "primary", "aria-label": `${TEXT.enter}: ${TEXT.sceneName(room.scene)}`, onclick: () => this.#enter(room.id) }, TEXT.enter),
    ]);
  }

  /** @param {Scene} scene */
  #sceneCard(scene) {
    const names = scene.people_names.join(", ") || TEXT.people(scene.people);
    const open = make("button", { type: "button", class: "primary", "aria-label": `${TEXT.openRoom}: ${TEXT.sceneName(scene.name)}`, onclick: () => this.#open(scene, open) }, TEXT.openRoom);
    const own = [
      make("button", { type: "button", "aria-label": `${TEXT.correct}: ${scene.name}`, onclick: () => this.#edit(scene) }, TEXT.correct),
      make("button", { type: "button", "aria-label": `${TEXT.forget}: ${scene.name}`, onclick: () => this.#forget(scene) }, TEXT.forget),
    ];
    const deeds = [...(scene.is_ready ? [open] : []), ...(scene.origin === "upload" ? own : [])];
    const picture = scene.origin === "null" ? icon("stats") : this.#pictureOf(`scenes/${scene.id}/picture.jpg`, names);
    const size = scene.width ? `${scene.width} × ${scene.height}` : TEXT.notReady;
    return card(TEXT.sceneName(scene.name), names, size, picture, deeds);
  }

  /** @param {string} path @param {string} names */
  #pictureOf(path, names) {
    const shown = make("span", { class: "blank", "aria-hidden": "true" }, initials(names));
    const asked = this.#server.picture(path);
    this.#pictures.set(path, asked);
    asked.then((url) => url && shown.replaceWith(make("img", { src: url, alt: "" })), () => {}); // its letters stay
    return shown;
  }

  /** @param {Scene} scene @param {HTMLButtonElement} button */
  async #open(scene, button) {
    notify("");
    button.disabled = true;
    try {
      this.#enter((await this.#server.openRoom({ scene: scene.id })).id);
    } catch (error) {
      notify(error instanceof Error ? error.message : String(error));
    } finally {
      button.disabled = false;
    }
  }

  /** @param {Scene} scene */
  async #forget(scene) {
    await this.#server.forget(scene.id).catch((error) => notify(error.message));
    await this.#showScenes();
  }

  #hasConsent() {
    const field = byId("consent", "input"), has = Boolean(field.value.trim());
    field.setAttribute("aria-invalid", String(!has));
    notify(has ? "" : TEXT.consentNeeded);
    if (!has) field.focus();
    return has;
  }

  /** @param {File | undefined} picture */
  async #upload(picture) {
    if (!picture) return;
    if (!PICTURES.includes(picture.type)) return notify(TEXT.wrongPicture);
    const drop = byId("drop");
    drop.classList.add("busy");
    try {
      const name = picture.name.replace(/\.[^.]*$/, "").slice(0, 100) || "picture";
      this.#edit(await this.#server.upload(picture, { name, consent: byId("consent", "input").value.trim() }));
    } catch (error) {
      notify(error instanceof Error ? error.message : String(error));
    } finally {
      drop.classList.remove("busy");
    }
  }
}

/** @param {string} title @param {string} names @param {string} facts @param {Node | string} picture @param {Node[]} deeds */
function card(title, names, facts, picture, deeds) {
  return make(
    "li",
    { class: "card" },
    make("div", { class: "thumb" }, picture),
    make("div", { class: "said" }, make("strong", {}, title), make("span", {}, names), make("span", { class: "muted" }, facts)),
    make("p", { class: "deeds" }, ...deeds),
  );
}
