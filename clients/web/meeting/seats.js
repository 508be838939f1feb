// The people under the picture, left to right as in it: who speaks, who is free, what one can do with each.
import { byId, icon, make } from "./dom.js";
import { TEXT } from "./text.js";

/** @typedef {import("./protocol.js").Seat} Seat */
/** @typedef {{own: number | null, files: Map<number, number | null>, maySpeak: (seat: number) => boolean, isBusy: boolean}} Situation `files`: how much of a file each seat has said, null while it is read */
/** @typedef {{speak: (seat: number) => void, say: (seat: number) => void, stop: (seat: number) => void, interrupt: (seat: number) => void}} Deeds */

/** What a seat's card can look like; it is only made anew when that changes, so that focus stays.
 * @param {Seat} seat @param {Situation} now */
function shapeOf(seat, now) {
  const isOwn = seat.number === now.own, isFile = now.files.has(seat.number);
  const may = now.maySpeak(seat.number);
  return {
    canSpeak: may && !seat.is_taken && now.own === null && !now.isBusy,
    canSay: may && !seat.is_taken,
    canStop: isFile,
    canInterrupt: may && seat.is_taken && !isFile && !isOwn,
    isOwn,
  };
}

/** @param {Seat} seat @param {Situation} now */
function lineOf(seat, now) {
  if (now.files.has(seat.number)) {
    const share = now.files.get(seat.number);
    return share === null || share === undefined ? TEXT.reading : TEXT.fileSaid(Math.round(share * 100));
  }
  if (seat.number === now.own) return TEXT.seat.you;
  if (!seat.is_taken) return TEXT.seat.free;
  if (!seat.is_connected) return TEXT.seat.away;
  return seat.kind === "live" ? TEXT.seat.live : TEXT.seat.bot;
}

export class SeatList {
  /** @param {Deeds} deeds */
  constructor(deeds) {
    this.#deeds = deeds;
  }

  #deeds;
  #list = byId("seats", "ul");
  /** @type {string[]} */
  #shapes = [];

  /** @param {Seat[]} seats @param {Situation} now */
  show(seats, now) {
    const isShut = now.own === null && seats.every((seat) => seat.is_taken && !now.files.has(seat.number));
    byId("seats-hint").hidden = !isShut;
    while (this.#list.children.length > seats.length) this.#list.lastElementChild?.remove();
    this.#shapes.length = seats.length;
    seats.forEach((seat, index) => {
      const shape = shapeOf(seat, now), key = JSON.stringify([seat.name, shape]);
      if (this.#shapes[index] !== key) {
        this.#shapes[index] = key;
        const made = this.#card(seat, shape);
        const old = this.#list.children[index];
        if (old) old.replaceWith(made);
        else this.#list.append(made);
      }
      const card = this.#list.children[index];
      card.classList.toggle("speaking", seat.is_speaking);
      const line = card.querySelector(".line");
      const words = lineOf(seat, now) + (seat.is_speaking ? ` · ${TEXT.seat.speaking}` : "");
      if (line && line.textContent !== words) line.textContent = words;
    });
  }

  /** @param {Seat} seat @param {ReturnType<typeof shapeOf>} shape */
  #card(seat, shape) {
    const { number, name } = seat;
    /** @param {string} what @param {string} words @param {string} long @param {(seat: number) => void} deed @param {string} looks */
    const button = (what, words, long, deed, looks) =>
      make("button", { type: "button", class: looks, "aria-label": long, title: long, onclick: () => deed(number) }, icon(what), words);
    const deeds = [
      shape.canSpeak && button("mic", TEXT.speakAs, TEXT.speakAsLong(name), this.#deeds.speak, "primary"),
      shape.canSay && button("file", TEXT.sayFile, TEXT.sayFileLong(name), this.#deeds.say, ""),
      shape.canStop && button("stop", TEXT.stopFile, TEXT.stopFileLong(name), this.#deeds.stop, ""),
      shape.canInterrupt && button("stop", TEXT.interrupt, TEXT.interruptLong(name), this.#deeds.interrupt, ""),
    ].filter((each) => each !== false);
    return make(
      "li",
      { class: shape.isOwn ? "seat own-seat" : "seat" },
      make("span", { class: "face", "aria-hidden": "true" }, initials(name)),
      make("p", { class: "who" }, make("strong", {}, name), make("span", { class: "line" })),
      make("p", { class: "deeds" }, ...deeds),
    );
  }
}

/** Two letters for a name, as "AB" for "Anna Berg". @param {string} name */
export function initials(name) {
  const words = name.trim().split(/\s+/);
  return words.map((word) => [...word][0] ?? "").slice(0, 2).join("").toUpperCase();
}
