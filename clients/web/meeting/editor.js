// An uploaded picture: where the people are in it and who they are, until a room can be opened with it.
import { BoxLayer } from "./boxes.js";
import { byId, icon, make } from "./dom.js";
import { TEXT } from "./text.js";

/** @typedef {import("./server.js").Server} Server */
/** @typedef {import("./protocol.js").Scene} Scene */
/** @typedef {import("./boxes.js").Face} Face */

const NEW_SHARE = 0.3; // of the picture's shorter side

export class SceneEditor {
  /** @param {Server} server @param {Scene} scene @param {(room: string) => void} enter @param {() => void} back */
  constructor(server, scene, enter, back) {
    this.#server = server;
    this.#scene = scene;
    this.#enter = enter;
    this.#faces = scene.boxes.map((box, index) => ({ box, name: scene.people_names[index] ?? "" }));
    this.#layer = new BoxLayer(byId("canvas"), { width: scene.picture_width, height: scene.picture_height }, {
      onChange: () => this.#say(""),
      onRemove: (index) => this.#remove(index),
    });
    const { signal } = this.#gone;
    byId("add-person").addEventListener("click", () => this.#add(), { signal });
    byId("editor-back").addEventListener("click", back, { signal });
    byId("editor-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#open();
    }, { signal });
  }

  #server;
  #scene;
  #enter;
  /** @type {Face[]} */
  #faces;
  #layer;
  #gone = new AbortController();
  #url = "";

  async open() {
    byId("editor").hidden = false;
    byId("editor-text").textContent = TEXT.facesFound(this.#faces.length);
    byId("editor-prompt", "input").value = this.#scene.prompt;
    byId("editor-prompt", "input").placeholder = TEXT.promptPlaceholder;
    this.#show();
    this.#say(this.#faces.length ? (this.#scene.problem ?? "") : "");
    this.#url = (await this.#server.picture(`scenes/${this.#scene.id}/picture.jpg`)) ?? "";
    byId("editor-picture", "img").src = this.#url;
  }

  close() {
    this.#gone.abort();
    byId("editor").hidden = true;
    byId("editor-picture").removeAttribute("src");
    if (this.#url) URL.revokeObjectURL(this.#url);
  }

  #show() {
    this.#layer.show(this.#faces);
    byId("people").replaceChildren(...this.#faces.map((face, index) => this.#line(face, index)));
  }

  /** @param {Face} face @param {number} index */
  #line(face, index) {
    const who = TEXT.person(index + 1);
    const name = make("input", {
      type: "text", maxlength: "100", autocomplete: "off", placeholder: who, "aria-label": TEXT.nameOf(index + 1), value: face.name,
      oninput: () => {
        face.name = name.value;
        this.#layer.show(this.#faces);
      },
    });
    const remove = make("button", { type: "button", class: "small", "aria-label": TEXT.removeOf(face.name || who), onclick: () => this.#remove(index) }, icon("remove"));
    return make("li", {}, name, remove);
  }

  #add() {
    const { picture_width: width, picture_height: height } = this.#scene;
    const side = NEW_SHARE * Math.min(width, height), left = (width - side) / 2, top = (height - side) / 2;
    this.#faces.push({ box: [left, top, left + side, top + side], name: "" });
    this.#show();
    /** @type {HTMLElement | null} */ (byId("canvas").querySelector(".box:last-child"))?.focus();
  }

  /** @param {number} index */
  #remove(index) {
    this.#faces.splice(index, 1);
    this.#show();
    byId("add-person").focus();
  }

  /** @param {string} problem @param {boolean} [isCalm] it is none */
  #say(problem, isCalm = false) {
    const line = byId("editor-problem");
    line.classList.toggle("calm", isCalm);
    line.textContent = problem;
    line.hidden = !problem;
  }

  /** Keep what was corrected, and open a room when the server can use it. */
  async #open() {
    this.#faces.sort((a, b) => a.box[0] + a.box[2] - b.box[0] - b.box[2]);
    this.#show();
    this.#say(TEXT.opening, true);
    try {
      const names = this.#faces.map((face, index) => face.name.trim() || TEXT.person(index + 1));
      const prompt = byId("editor-prompt", "input").value.trim();
      const boxes = this.#faces.map((face) => face.box);
      const scene = await this.#server.correct(this.#scene.id, { boxes, people_names: names, prompt });
      if (!scene.is_ready) return this.#say(scene.problem ?? TEXT.notReady);
      const room = await this.#server.openRoom({ scene: scene.id });
      this.#enter(room.id);
    } catch (error) {
      this.#say(error instanceof Error ? error.message : String(error));
    }
  }
}
