// Lets a seat say a sound file, over the seat's websocket, without any microphone.
import { pause } from "./dom.js";
import { readSocketMessage } from "./protocol.js";

/** @typedef {import("./server.js").Server} Server */

export const SAMPLE_RATE = 24_000;
const MESSAGE_BYTES = 32_000;
const MOST_BUFFERED_BYTES = 256_000;
const OPEN = 1;

/** The file has no sound that the browser can read. */
export class NoSoundError extends Error {}

/** Read a file as 16-bit mono PCM at 24 kHz. @param {Blob} file */
export async function readSpeech(file) {
  const context = new OfflineAudioContext(1, 1, SAMPLE_RATE); // decodes to its own rate
  let sound;
  try {
    sound = await context.decodeAudioData(await file.arrayBuffer());
  } catch {
    throw new NoSoundError(file.type);
  }
  const channels = Array.from({ length: sound.numberOfChannels }, (_, i) => sound.getChannelData(i));
  return toPcm(channels);
}

/** Mix to mono and write as 16-bit, little endian. @param {Float32Array[]} channels */
export function toPcm(channels) {
  const count = channels[0].length;
  const pcm = new DataView(new ArrayBuffer(2 * count));
  for (let i = 0; i < count; i += 1) {
    let sum = 0;
    for (const channel of channels) sum += channel[i];
    const sample = Math.max(-1, Math.min(1, sum / channels.length));
    pcm.setInt16(2 * i, Math.round(sample * 32767), true);
  }
  return pcm.buffer;
}

/** Send speech over a seat's websocket, no faster than the server reads it.
 * @param {WebSocket} socket @param {ArrayBuffer} pcm @param {() => boolean} isWanted false ends it early */
export async function sendSpeech(socket, pcm, isWanted) {
  const isOn = () => socket.readyState === OPEN && isWanted();
  for (let start = 0; start < pcm.byteLength && isOn(); start += MESSAGE_BYTES) {
    while (socket.bufferedAmount > MOST_BUFFERED_BYTES && isOn()) await pause(50);
    if (isOn()) socket.send(pcm.slice(start, start + MESSAGE_BYTES));
  }
}

/** One file being said. `stop` is a barge-in: the mouth shuts at once. */
export class SpokenFile {
  /** @param {Server} server @param {string} room @param {number} seat @param {ArrayBuffer} pcm */
  constructor(server, room, seat, pcm) {
    this.seat = seat;
    this.seconds = pcm.byteLength / 2 / SAMPLE_RATE;
    this.#pcm = pcm;
    /** Ends when all is said or stopped; fails when the connection does. @type {Promise<void>} */
    this.done = this.#run(server.seatSocket(room, seat, SAMPLE_RATE));
  }

  /** @type {WebSocket | null} */
  #socket = null;
  #pcm;
  #isStopped = false;
  #startedAt = 0;

  /** How much is said, 0 to 1. */
  get progress() {
    if (!this.#startedAt) return 0;
    return Math.min(1, (performance.now() - this.#startedAt) / 1000 / this.seconds);
  }

  stop() {
    this.#isStopped = true;
    if (this.#socket?.readyState === OPEN) this.#socket.send(JSON.stringify({ type: "clear" }));
    this.#socket?.close(1000);
  }

  /** @param {Promise<WebSocket>} opening */
  async #run(opening) {
    const socket = await opening;
    this.#socket = socket;
    if (this.#isStopped) return socket.close(1000);
    const closed = new Promise((done) => socket.addEventListener("close", done, { once: true }));
    await new Promise((done, fail) => {
      socket.addEventListener("open", done, { once: true });
      socket.addEventListener("error", () => fail(new Error("refused")), { once: true });
    });
    const said = new Promise((done, fail) => {
      socket.addEventListener("message", ({ data }) => {
        const message = readSocketMessage(data);
        if (message.type === "speak_started") this.#startedAt = performance.now();
        if (message.type === "speak_ended") done(undefined);
        if (message.type === "error") fail(new Error(message.message));
      });
      closed.then(done);
    });
    await sendSpeech(socket, this.#pcm, () => true);
    if (socket.readyState === OPEN) socket.send(JSON.stringify({ type: "segment_end" }));
    try {
      await said;
    } finally {
      socket.close(1000);
    }
  }
}
