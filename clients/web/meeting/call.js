// Stays in a room: connects, notices when the connection breaks, and connects again until told to stop.
import { Connection } from "./connection.js";
import { pause } from "./dom.js";
import { Problem } from "./server.js";

/** @typedef {import("./server.js").Server} Server */
/** @typedef {"connecting" | "live" | "full" | "lost" | "ended" | "refused"} CallState */
/** @typedef {{state: CallState, seconds: number, why: string}} Standing `seconds` until the next try */

const FIRST_WAIT_S = 1;
const LONGEST_WAIT_S = 8;
const FULL = new Set(["full", "draining", "too_many_requests", "too_many_sessions", "not_live"]);
const OVER = new Set(["not_found", "ended"]);
const REFUSED = new Set(["token_missing", "token_invalid", "not_allowed", "origin_refused", "wrong_host"]);

export class Call {
  /** @param {Server} server @param {string} room
   * @param {{onStanding: (standing: Standing) => void, onConnection: (connection: Connection) => void, onSeatLost: (why: string) => void}} told */
  constructor(server, room, told) {
    this.room = room;
    this.#server = server;
    this.#told = told;
  }

  #server;
  #told;
  /** @type {Connection | null} */
  #connection = null;
  /** @type {{seat: number, track: MediaStreamTrack} | null} */
  #voice = null;
  /** @type {string | null} */
  #lastId = null; // of the last join: the next one says that it replaces it
  /** @type {Promise<void> | null} */
  #joining = null;
  #isOver = false;
  #wake = new AbortController();

  get seat() {
    return this.#connection?.seat ?? null;
  }

  get connection() {
    return this.#connection;
  }

  /** Watch until `close`, or until the room or the right to be in it ends. */
  async run() {
    let wait = FIRST_WAIT_S;
    this.#tell("connecting");
    while (!this.#isOver) {
      try {
        this.#connection ??= await this.#open();
        wait = FIRST_WAIT_S;
        const mine = this.#connection;
        const why = await mine.over;
        await this.#joining;
        if (this.#isOver || mine !== this.#connection) continue; // another one took over
        mine.close();
        this.#connection = null;
        this.#tell("lost", 0, why);
      } catch (error) {
        if (this.#isOver) return;
        wait = await this.#stumble(error, wait);
      }
    }
  }

  /** Speak from a seat; what is watched goes on until that works.
   * @param {number} seat @param {MediaStreamTrack} track */
  async join(seat, track) {
    const joining = this.#join(seat, track);
    this.#joining = joining.catch(() => {}); // whoever called join hears of it
    await joining;
  }

  /** @param {number} seat @param {MediaStreamTrack} track */
  async #join(seat, track) {
    const voice = { seat, track, replaces: this.#lastId };
    const open = () => Connection.open(this.#server, this.room, voice);
    const next = await open().catch(async (error) => {
      if (!(error instanceof Problem) || error.code !== "full" || !this.#connection) throw error;
      await this.#connection.close("replaced"); // one's own place was the last one
      return open();
    });
    this.#voice = { seat, track };
    this.#swap(next);
  }

  /** Only watch from now on. */
  async leaveSeat() {
    this.#voice = null;
    this.#swap(await Connection.open(this.#server, this.room, null));
  }

  /** Speak with another microphone. @param {MediaStreamTrack} track */
  async replaceTrack(track) {
    if (this.#voice) this.#voice.track = track;
    await this.#connection?.replaceTrack(track);
  }

  /** Try again now instead of later. */
  retry() {
    this.#wake.abort();
  }

  /** The server was noticed to be gone before the connection noticed it. */
  breakOff() {
    this.#connection?.close("server");
  }

  /** Stop, because the room is over. @param {string} reason */
  end(reason) {
    if (this.#isOver) return;
    this.close("ended");
    this.#tell("ended", 0, reason);
  }

  /** @param {string} [why] */
  close(why) {
    this.#isOver = true;
    this.#connection?.close(why);
    this.#wake.abort();
  }

  /** @param {Connection} next */
  #swap(next) {
    const old = this.#connection;
    this.#connection = next;
    this.#lastId = next.id;
    this.#told.onConnection(next);
    this.#tell("live");
    old?.close("replaced");
  }

  async #open() {
    const voice = this.#voice && { ...this.#voice, replaces: this.#lastId };
    const made = await Connection.open(this.#server, this.room, voice);
    if (this.#isOver) made.close();
    this.#lastId = made.id;
    this.#told.onConnection(made);
    this.#tell("live");
    return made;
  }

  /** Say what went wrong and wait; gives how long to wait next time. @param {unknown} error @param {number} wait */
  async #stumble(error, wait) {
    const code = error instanceof Problem ? error.code : "offline";
    const why = error instanceof Error ? error.message : String(error);
    if (OVER.has(code)) this.end("gone");
    else if (REFUSED.has(code)) {
      this.close();
      this.#tell("refused", 0, why);
    } else if (code === "seat_taken" && this.#voice) {
      this.#voice = null;
      this.#told.onSeatLost(why);
    } else if (FULL.has(code) && error instanceof Problem) {
      await this.#countDown("full", Math.min(error.retryAfter, 30), code);
    } else {
      await this.#countDown("lost", wait, why);
      return Math.min(wait * 2, LONGEST_WAIT_S);
    }
    return wait;
  }

  /** @param {CallState} state @param {number} seconds @param {string} why */
  async #countDown(state, seconds, why) {
    this.#wake = new AbortController();
    const { signal } = this.#wake;
    for (let left = Math.ceil(seconds); left > 0 && !signal.aborted; left -= 1) {
      this.#tell(state, left, why);
      await pause(1000, signal);
    }
    if (!this.#isOver) this.#tell(state, 0, why);
  }

  /** @param {CallState} state @param {number} [seconds] @param {string} [why] */
  #tell(state, seconds = 0, why = "") {
    this.#told.onStanding({ state, seconds, why });
  }
}
