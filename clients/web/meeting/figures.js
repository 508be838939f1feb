// The overlay with the figures of the connection, and the estimate of mic-to-lips.
import { byId, make } from "./dom.js";
import { LipWatch } from "./lips.js";
import { Meter } from "./stats.js";
import { TEXT } from "./text.js";

/** @typedef {import("./stats.js").Figures} Numbers */

const EVERY_MS = 1000;

export class FigureOverlay {
  /** @param {HTMLVideoElement} video @param {() => RTCPeerConnection | null} pc */
  constructor(video, pc) {
    this.#video = video;
    this.#pc = pc;
    this.#timer = setInterval(() => this.#look(), EVERY_MS);
  }

  #video;
  #pc;
  #timer;
  #meter = new Meter();
  #list = byId("stats", "dl");
  /** @type {LipWatch | null} */
  #lips = null;
  /** What the server said of itself last. @type {Record<string, any>} */
  server = {};

  /** Estimate mic-to-lips from now on. @param {() => number} loudness @param {number} seat @param {number} seats */
  watchLips(loudness, seat, seats) {
    this.forgetLips();
    this.#lips = new LipWatch(this.#video, loudness, seat, seats);
  }

  forgetLips() {
    this.#lips?.close();
    this.#lips = null;
  }

  get lipsMs() {
    return this.#lips?.estimate() ?? null;
  }

  /** @param {boolean} isShown */
  show(isShown) {
    this.#list.hidden = !isShown;
    if (isShown) this.#look();
  }

  close() {
    clearInterval(this.#timer);
    this.forgetLips();
    this.#list.hidden = true;
  }

  async #look() {
    const pc = this.#pc();
    if (this.#list.hidden || !pc || pc.connectionState === "closed") return;
    const found = await this.#meter.measure(pc);
    this.#list.replaceChildren(...this.#rows(found).map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))));
  }

  /** @param {Numbers | null} found @returns {[string, string][]} */
  #rows(found) {
    const none = TEXT.unknown, named = TEXT.figures, lips = this.lipsMs, load = this.server.load;
    return [
      [named.fps, found ? `${Math.round(found.fps)}` : none],
      [named.size, found ? `${found.width} × ${found.height}` : none],
      [named.bitrate, found ? `${Math.round(found.videoKbps)}, ${Math.round(found.audioKbps)} kbit/s` : none],
      [named.jitter, found ? `${found.jitterMs.toFixed(1)} ms` : none],
      [named.buffer, found ? `${Math.round(found.bufferMs)} ms` : none],
      [named.rtt, found && found.rttMs !== null ? `${Math.round(found.rttMs)} ms` : none],
      [named.lost, found ? `${found.lost}` : none],
      [named.lips, lips === null ? none : `${lips} ms`],
      [named.load, typeof load === "number" ? `${Math.round(load * 100)} %` : none],
      [named.dropped, String(this.server.dropped_frames ?? none)],
    ];
  }
}
