// A seat that this page speaks for, over the seat's websocket: says one thing after the other, and hears what became of it.
import { readSocketMessage } from "../meeting/protocol.js";
import { SAMPLE_RATE, sendSpeech } from "../meeting/speak_file.js";
import { TEXT } from "./text.js";

/** @typedef {import("../meeting/server.js").Server} Server */

const KEEP_ALIVE_MS = 60_000;
const OPEN = 1;
const DONE = 1000;

/** One thing to say, from asking for it to its end. */
export class Utterance {
  /** @param {string} title */
  constructor(title) {
    this.title = title;
    this.askedAt = performance.now();
  }

  /** @type {"making" | "waiting" | "speaking" | "said" | "interrupted" | "failed"} */
  state = "making";
  /** @type {number | null} */
  segment = null; // the server's number for it
  hasSound = false; // the server got some of it
  isSent = false; // the server got all of it
  positionMs = 0; // how much of it was really sent to the viewers
  /** @type {number | null} */
  beganMs = null; // from asking for it to its first sound
  why = "";
  #stop = new AbortController();

  get isOver() {
    return this.state === "said" || this.state === "interrupted" || this.state === "failed";
  }

  /** Aborted when nobody wants it any more. */
  get signal() {
    return this.#stop.signal;
  }

  /** Make and send no more of it. */
  cancel() {
    this.#stop.abort();
  }

  /** @param {"said" | "interrupted" | "failed"} state @param {string} [why] */
  end(state, why = this.why) {
    this.state = state;
    this.why = why;
    this.cancel();
  }
}

export class BotSeat {
  /** @param {Server} server @param {string} room @param {number} seat @param {() => void} onChange */
  constructor(server, room, seat, onChange) {
    this.room = room;
    this.seat = seat;
    this.#server = server;
    this.#onChange = onChange;
    this.#timer = setInterval(() => this.#send({ type: "keep_alive" }), KEEP_ALIVE_MS);
  }

  #server;
  #onChange;
  #timer;
  #holder = crypto.randomUUID();
  /** @type {Promise<WebSocket> | null} */
  #opening = null;
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {Utterance[]} */
  #open = []; // not over, in order
  #reason = "";
  #sending = Promise.resolve();

  /** Whether the seat is held now. */
  get isHeld() {
    return this.#socket?.readyState === OPEN;
  }

  /** Say something after everything that was asked for before.
   * @param {string} title @param {(signal: AbortSignal) => AsyncIterable<ArrayBuffer>} pieces of PCM @returns {Utterance} */
  say(title, pieces) {
    const utterance = new Utterance(title);
    this.#open.push(utterance);
    this.#sending = this.#sending.then(() => this.#deliver(utterance, pieces));
    return utterance;
  }

  /** Barge in: the mouth shuts at once, and nothing that was asked for is said any more. */
  interrupt() {
    this.#send({ type: "clear" });
    this.#dropUnsaid();
  }

  /** Give the seat back. */
  close() {
    clearInterval(this.#timer);
    this.interrupt();
    for (const each of [...this.#open]) this.#end(each, "interrupted"); // nobody will tell where it stopped
    this.#socket?.close(DONE);
  }

  /** @param {Utterance} utterance @param {(signal: AbortSignal) => AsyncIterable<ArrayBuffer>} pieces */
  async #deliver(utterance, pieces) {
    const { signal } = utterance;
    try {
      const socket = await this.#connected();
      for await (const pcm of pieces(signal)) {
        if (signal.aborted) return;
        utterance.hasSound ||= pcm.byteLength > 0;
        await sendSpeech(socket, pcm, () => !signal.aborted);
      }
      if (signal.aborted) return;
      if (!utterance.hasSound) throw new Error(TEXT.noSound);
      if (utterance.state === "making") utterance.state = "waiting";
    } catch (error) {
      if (signal.aborted) return;
      utterance.why = error instanceof Error ? error.message : String(error);
      if (!utterance.hasSound) this.#end(utterance, "failed");
    }
    utterance.isSent = true;
    if (utterance.hasSound) this.#send({ type: "segment_end" }); // also when the rest of it could not be made
    this.#onChange();
  }

  /** @returns {Promise<WebSocket>} */
  #connected() {
    if (this.isHeld && this.#opening) return this.#opening;
    this.#opening = this.#connect();
    return this.#opening;
  }

  async #connect() {
    const socket = await this.#server.seatSocket(this.room, this.seat, SAMPLE_RATE, this.#holder);
    socket.addEventListener("message", ({ data }) => this.#heard(data));
    socket.addEventListener("close", () => this.#closed(socket));
    const isOpen = await new Promise((done) => {
      socket.addEventListener("open", () => done(true), { once: true });
      socket.addEventListener("error", () => done(false), { once: true }); // a browser does not tell why
    });
    if (!isOpen) throw new Error(await this.#whyNot());
    this.#socket = socket;
    this.#reason = "";
    this.#onChange();
    return socket;
  }

  async #whyNot() {
    const { seats } = await this.#server.room(this.room);
    return seats[this.seat]?.is_taken ? TEXT.seatTaken : TEXT.seatGone;
  }

  /** @param {WebSocket} socket */
  #closed(socket) {
    if (socket !== this.#socket) return;
    this.#socket = null;
    for (const each of this.#open.splice(0)) each.end("failed", TEXT.closing[this.#reason] ?? TEXT.seatGone);
    this.#onChange();
  }

  /** @param {string} text */
  #heard(text) {
    const message = readSocketMessage(text);
    if (message.type === "metrics") return;
    if (message.type === "closing") this.#reason = message.reason;
    if (message.type === "error") console.error(message.message);
    if (message.type === "cleared") this.#dropUnsaid();
    const spoken = message.type.startsWith("speak_") ? this.#of(message.segment) : null;
    if (spoken && message.type === "speak_started") {
      spoken.state = "speaking";
      spoken.beganMs = performance.now() - spoken.askedAt;
    } else if (spoken && message.type === "speak_ended") {
      spoken.positionMs = message.position_ms;
      // Somebody else barged in while this page was still sending: what was on its way is dropped, too.
      if (message.interrupted && !spoken.isSent && !spoken.signal.aborted) this.#send({ type: "clear" });
      this.#end(spoken, message.interrupted ? "interrupted" : spoken.why ? "failed" : "said");
    }
    this.#onChange();
  }

  /** Find what a segment of the server's is: segments begin in the order of asking. @param {number} segment */
  #of(segment) {
    const known = this.#open.find((each) => each.segment === segment);
    const found = known ?? this.#open.find((each) => each.segment === null && each.hasSound);
    if (found) found.segment = segment;
    return found ?? null;
  }

  /** Stop making and sending; of what the server has some sound of, it tells itself where it stopped. */
  #dropUnsaid() {
    for (const each of [...this.#open]) {
      if (each.hasSound) each.cancel();
      else this.#end(each, "interrupted");
    }
    this.#onChange();
  }

  /** @param {Utterance} utterance @param {"said" | "interrupted" | "failed"} state */
  #end(utterance, state) {
    utterance.end(state);
    this.#open = this.#open.filter((each) => each !== utterance);
  }

  /** @param {Record<string, unknown>} message */
  #send(message) {
    if (this.#socket?.readyState === OPEN) this.#socket.send(JSON.stringify(message));
  }
}
