// The calls to the server. Tokens go into headers and websocket subprotocols, never into a URL.
import { readClaims, readEvent } from "./protocol.js";

/** @typedef {import("./protocol.js").Room} Room */
/** @typedef {import("./protocol.js").Scene} Scene */
/** @typedef {import("./protocol.js").Box} Box */

const JSON_TYPE = { "Content-Type": "application/json" };
const KEPT = "parley-token";
const RETRY_SECONDS = 5;

/** What the server said no to, RFC 9457; `offline` when it said nothing. */
export class Problem extends Error {
  /** @param {string} code @param {string} detail @param {number} status @param {number} retryAfter seconds */
  constructor(code, detail, status = 0, retryAfter = RETRY_SECONDS) {
    super(detail);
    this.code = code;
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

export class Server {
  /** @param {string} token empty where none is needed */
  constructor(token) {
    this.base = new URL(".", document.baseURI);
    this.token = token;
    this.claims = token ? readClaims(token) : null;
  }

  /** Open it with the token of the link, which leaves the address bar, or the one of before. */
  static fromPage() {
    const given = new URLSearchParams(location.hash.slice(1)).get("token");
    if (given) {
      sessionStorage.setItem(KEPT, given);
      history.replaceState(null, "", location.pathname + location.search);
    }
    return new Server(sessionStorage.getItem(KEPT) ?? "");
  }

  /** @param {string} token */
  static remember(token) {
    sessionStorage.setItem(KEPT, token);
  }

  /** Whether this page may open rooms and upload pictures. */
  get isAdmin() {
    return !this.claims || (this.claims.role === "admin" && this.claims.room === "*");
  }

  /** Whether this page may speak. @param {number} seat */
  maySpeak(seat) {
    if (!this.claims) return true;
    const bound = this.claims.seat;
    return this.claims.role !== "view" && (bound === undefined || bound === null || bound === seat);
  }

  /** Ask; a refusal becomes a Problem. @param {string} path @param {RequestInit} [init] */
  async ask(path, init = {}) {
    const headers = new Headers(init.headers);
    if (this.token) headers.set("Authorization", `Bearer ${this.token}`);
    let answer;
    try {
      answer = await fetch(new URL(path, this.base), { ...init, headers });
    } catch (error) {
      if (error instanceof DOMException) throw error; // we gave up ourselves
      throw new Problem("offline", "the server does not answer");
    }
    if (answer.ok) return answer;
    const said = await answer.json().catch(() => ({}));
    const wait = Number(answer.headers.get("Retry-After")) || RETRY_SECONDS;
    throw new Problem(said.code ?? "unknown", said.detail ?? `status ${answer.status}`, answer.status, wait);
  }

  /** @param {string} path @param {string} method @param {unknown} body */
  send(path, method, body) {
    return this.ask(path, { method, body: JSON.stringify(body), headers: JSON_TYPE });
  }

  /** @returns {Promise<Room[]>} */
  async rooms() {
    return (await (await this.ask("rooms")).json()).rooms;
  }

  /** @param {string} id @param {AbortSignal} [signal] @returns {Promise<Room>} */
  async room(id, signal) {
    return (await this.ask(`rooms/${encodeURIComponent(id)}`, { signal })).json();
  }

  /** @param {{scene: string, people_names?: string[]}} wish @returns {Promise<Room>} */
  async openRoom(wish) {
    return (await this.send("rooms", "POST", wish)).json();
  }

  /** @returns {Promise<Scene[]>} */
  async scenes() {
    return (await this.ask("scenes")).json();
  }

  /** Give a picture of the server as an object URL, which the caller revokes; null when there is none.
   * @param {string} path */
  async picture(path) {
    const answer = await this.ask(path);
    return answer.status === 204 ? null : URL.createObjectURL(await answer.blob());
  }

  /** @param {Blob} picture @param {{name: string, consent: string}} said @returns {Promise<Scene>} */
  async upload(picture, said) {
    const query = new URLSearchParams(said);
    const init = { method: "POST", body: picture, headers: { "Content-Type": picture.type } };
    return (await this.ask(`scenes?${query}`, init)).json();
  }

  /** @param {string} id @param {{boxes?: Box[], people_names?: string[], prompt?: string}} better @returns {Promise<Scene>} */
  async correct(id, better) {
    return (await this.send(`scenes/${id}`, "PATCH", better)).json();
  }

  /** @param {string} id */
  async forget(id) {
    await this.ask(`scenes/${id}`, { method: "DELETE" });
  }

  /** @param {string} room @param {string} text */
  async prompt(room, text) {
    await this.send(`rooms/${room}/prompt`, "POST", { prompt: text });
  }

  /** @param {string} room @param {number} seat */
  async interrupt(room, seat) {
    await this.ask(`rooms/${room}/seats/${seat}/clear`, { method: "POST" });
  }

  /** Hear what happens in a room, until it ends or the connection does.
   * @param {string} room @param {AbortSignal} signal */
  async *events(room, signal) {
    const answer = await this.ask(`rooms/${room}/events`, { signal });
    const reader = /** @type {ReadableStream<Uint8Array>} */ (answer.body).getReader();
    const decoder = new TextDecoder();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text += decoder.decode(value, { stream: true });
      const blocks = text.split("\n\n");
      text = blocks.pop() ?? "";
      for (const block of blocks) {
        const event = readEvent(block);
        if (event) yield event;
      }
    }
  }

  /** Open the websocket of a seat, where the room is: a browser's websocket follows no redirect, so the room is asked for first.
   * @param {string} room @param {number} seat @param {number} sampleRate
   * @param {string} [holder] a name by which to come back to the seat @returns {Promise<WebSocket>} */
  async seatSocket(room, seat, sampleRate, holder) {
    const answer = await this.ask(`rooms/${encodeURIComponent(room)}`);
    const url = new URL(`${encodeURIComponent(room)}/seats/${seat}/audio?sample_rate=${sampleRate}`, answer.url);
    if (holder) url.searchParams.set("holder", holder);
    url.protocol = url.protocol.replace("http", "ws");
    const protocols = ["parley.v1", ...(this.token ? [`bearer.${this.token}`] : [])];
    const socket = new WebSocket(url, protocols);
    socket.binaryType = "arraybuffer";
    return socket;
  }
}
