// What was asked for, newest first, and what became of it.
import { byId, make } from "../meeting/dom.js";
import { TEXT } from "./text.js";

/** @typedef {import("./bot_seat.js").Utterance} Utterance */

const MOST_LINES = 50;

/** @param {Utterance} utterance */
function lineOf({ state, positionMs, beganMs, why }) {
  if (state === "said") return TEXT.said(positionMs, beganMs);
  if (state === "interrupted") return TEXT.interrupted(positionMs, beganMs !== null);
  if (state === "failed") return TEXT.failed(why);
  return TEXT.state[state];
}

export class Log {
  #list = byId("log", "ol");
  /** @type {Map<Utterance, {item: HTMLElement, line: HTMLElement}>} */
  #shown = new Map();

  /** @param {string} who @param {Utterance} utterance */
  add(who, utterance) {
    const line = make("span");
    const item = make("li", {}, make("strong", {}, `${who}: ${utterance.title}`), line);
    this.#shown.set(utterance, { item, line });
    this.#list.prepend(item);
    byId("log-empty").hidden = true;
    const [oldest] = this.#shown;
    if (this.#shown.size > MOST_LINES) {
      oldest[1].item.remove();
      this.#shown.delete(oldest[0]);
    }
    this.show();
  }

  /** Show every change. */
  show() {
    for (const [utterance, { item, line }] of this.#shown) {
      const words = lineOf(utterance);
      if (line.textContent !== words) line.textContent = words;
      item.className = utterance.state;
    }
  }
}
