// Boxes over a picture, one a face: moved and resized by pointer or by keys. Numbers are pixels of the picture.
import { make } from "./dom.js";
import { TEXT } from "./text.js";

/** @typedef {import("./protocol.js").Box} Box */
/** @typedef {{box: Box, name: string}} Face */

const CORNERS = /** @type {const} */ (["nw", "ne", "sw", "se"]);
const LEAST_SHARE = 0.04; // of the picture's shorter side
const KEY_SHARE = 0.01;
/** @type {Record<string, [number, number]>} */
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** Move some edges of a box, within the picture.
 * @param {Box} box @param {number} dx @param {number} dy @param {string} grip "" for all of it, else a corner
 * @param {{width: number, height: number}} size @returns {Box} */
export function dragged([left, top, right, bottom], dx, dy, grip, size) {
  const least = LEAST_SHARE * Math.min(size.width, size.height);
  if (!grip) {
    const x = Math.max(-left, Math.min(dx, size.width - right)), y = Math.max(-top, Math.min(dy, size.height - bottom));
    return [left + x, top + y, right + x, bottom + y];
  }
  if (grip.includes("w")) left = Math.max(0, Math.min(left + dx, right - least));
  if (grip.includes("e")) right = Math.min(size.width, Math.max(right + dx, left + least));
  if (grip.includes("n")) top = Math.max(0, Math.min(top + dy, bottom - least));
  if (grip.includes("s")) bottom = Math.min(size.height, Math.max(bottom + dy, top + least));
  return [left, top, right, bottom];
}

export class BoxLayer {
  /** @param {HTMLElement} canvas holds the picture @param {{width: number, height: number}} size of the picture
   * @param {{onChange: () => void, onRemove: (index: number) => void}} told */
  constructor(canvas, size, told) {
    this.#canvas = canvas;
    this.#size = size;
    this.#told = told;
  }

  #canvas;
  #size;
  #told;

  /** Show faces; they are changed in place. @param {Face[]} faces */
  show(faces) {
    for (const old of this.#canvas.querySelectorAll(".box")) old.remove();
    faces.forEach((face, index) => this.#canvas.append(this.#box(face, index)));
  }

  /** @param {Face} face @param {number} index */
  #box(face, index) {
    const label = make("span", { class: "tag" });
    const element = make(
      "div",
      { class: "box", tabindex: "0", role: "button", "data-index": String(index) },
      label,
      ...CORNERS.map((corner) => make("span", { class: `grip ${corner}`, "data-grip": corner, "aria-hidden": "true" })),
    );
    const place = () => {
      const { width, height } = this.#size, [left, top, right, bottom] = face.box, name = face.name || TEXT.person(index + 1);
      const share = { left: left / width, top: top / height, width: (right - left) / width, height: (bottom - top) / height };
      for (const [edge, value] of Object.entries(share)) element.style.setProperty(edge, `${value * 100}%`);
      label.textContent = name;
      element.setAttribute("aria-label", TEXT.boxLabel(name, face.box));
    };
    const change = (/** @type {Box} */ box) => {
      face.box = box;
      place();
      this.#told.onChange();
    };
    element.addEventListener("pointerdown", (event) => this.#drag(event, element, face, change));
    element.addEventListener("keydown", (event) => this.#key(event, face, index, change));
    place();
    return element;
  }

  /** @param {PointerEvent} down @param {HTMLElement} element @param {Face} face @param {(box: Box) => void} change */
  #drag(down, element, face, change) {
    const grip = /** @type {HTMLElement} */ (down.target).dataset.grip ?? "";
    const scale = this.#size.width / this.#canvas.clientWidth, before = face.box;
    down.preventDefault();
    element.focus();
    element.setPointerCapture(down.pointerId);
    const move = (/** @type {PointerEvent} */ event) =>
      change(dragged(before, (event.clientX - down.clientX) * scale, (event.clientY - down.clientY) * scale, grip, this.#size));
    element.addEventListener("pointermove", move);
    element.addEventListener("lostpointercapture", () => element.removeEventListener("pointermove", move), { once: true });
  }

  /** @param {KeyboardEvent} event @param {Face} face @param {number} index @param {(box: Box) => void} change */
  #key(event, face, index, change) {
    const arrow = ARROWS[event.key];
    if (event.key === "Delete" || event.key === "Backspace") {
      event.preventDefault();
      this.#told.onRemove(index);
    } else if (arrow) {
      event.preventDefault();
      const step = Math.max(1, KEY_SHARE * this.#size.width);
      change(dragged(face.box, arrow[0] * step, arrow[1] * step, event.shiftKey ? "se" : "", this.#size));
    }
  }
}
