// The measurement: connects, sends bursts at known moments, watches the mouth, listens, and adds up.
import { evenness, median, mouthMoves, mouthOf, spread } from "./arithmetic.js";
import { Link } from "./endpoints.js";
import { Mouth } from "./mouth.js";
import { PartsWatch } from "./parts.js";
import { Sound } from "./sound.js";

/** @typedef {import("../meeting/server.js").Server} Server */
/** @typedef {import("./arithmetic.js").Shares} Shares */
/** @typedef {import("./arithmetic.js").Spread} Spread */
/** @typedef {{room?: string, scene?: string, seat: number, bursts: number, views: number, mouth?: Shares, microphone?: boolean,
 *   play?: string, publish?: string, join?: string}} Wishes */
/** @typedef {{lips_ms: number | null, ear_ms: number | null, skew_ms: number | null, sent_at: number, clock_error_ms: number,
 *   mouth_rise: number | null, mouth_noise: number | null}} Burst `sent_at` in ms since 1970 */
/** @typedef {{mic_to_lips_ms: Spread | null, mic_to_ear_ms: Spread | null, av_skew_ms: Spread | null,
 *   first_frame_ms: Spread | null, frame_interval_ms: Spread | null, freezes: {count: number, total_ms: number},
 *   parts_ms: Record<string, number>, bursts: Burst[], first_frames_ms: number[], sent: number, seen: number, heard: number,
 *   clock_error_ms: number, stream_skew_ms: number | null, output_ms: number, config: Record<string, unknown>}} Result */
/** @typedef {(step: string, done: number, of: number, bursts: Burst[]) => void} Tell */

const SETTLE_MS = 4000; // the jitter buffers find their size
const EVERY_MS = 3000;
const UNEVEN_MS = 400; // so that bursts meet every place in a chunk, a packet and a frame
const LATEST_MS = 2200; // what comes later is not told from the next burst
const SOONEST_MS = 25;
const REST_MS = 900;
const VIEW_MS = 15_000;

/** Why nothing could be measured; its message says what to do. */
export class BenchError extends Error {}

/** @param {Server} server @param {Wishes} wishes @param {HTMLVideoElement} video @param {Tell} tell
 * @param {AbortSignal} signal @returns {Promise<Result>} */
export async function measure(server, wishes, video, tell, signal) {
  const run = new Run(server, wishes, video, tell, signal);
  try {
    return await run.measure();
  } finally {
    await run.close();
  }
}

class Run {
  /** @param {Server} server @param {Wishes} wishes @param {HTMLVideoElement} video @param {Tell} tell
   * @param {AbortSignal} signal */
  constructor(server, wishes, video, tell, signal) {
    this.server = server;
    this.wishes = wishes;
    this.video = video;
    this.tell = tell;
    this.signal = signal;
    this.isForeign = Boolean(wishes.join || wishes.play || wishes.publish);
  }

  /** @type {(() => unknown)[]} */
  #undo = [];
  /** @type {any} */
  #room = null;
  /** @type {Burst[]} */
  #bursts = [];
  /** @type {number[]} */
  #legs = [];

  async close() {
    for (const undo of this.#undo.reverse()) await undo();
  }

  async measure() {
    this.tell("connect", 0, this.wishes.bursts, []);
    const sound = await this.#openSound();
    if (!this.isForeign) await this.#enterRoom();
    const publisher = await this.#publish(sound);
    const { viewer, firsts } = await this.#view(publisher);
    sound.hear(viewer.stream);
    const { videoWidth: width, videoHeight: height } = this.video;
    const box = this.wishes.mouth ?? (await this.#sceneMouth({ width, height })) ?? [0, 0, 1, 1];
    const mouth = new Mouth(this.video, box);
    this.#undo.push(() => mouth.close());
    const parts = new PartsWatch({ publisher: publisher.pc, viewer: viewer.pc }, () => this.#metrics());
    this.tell("settle", 0, this.wishes.bursts, []);
    await this.#pause(SETTLE_MS);
    if (!this.wishes.microphone) await sound.sendBurst(); // wakes codecs, level control and avatars; is not counted
    await this.#pause(EVERY_MS);
    mouth.frames.length = 0;
    await this.#pause(REST_MS);
    await this.#speak(sound, mouth, parts);
    return this.#result({ sound, mouth, parts, firsts, box, size: `${width}x${height}` });
  }

  async #openSound() {
    const microphone = this.wishes.microphone ? await this.#microphone() : null;
    const sound = await Sound.open(microphone);
    this.#undo.push(() => sound.close());
    return sound;
  }

  async #microphone() {
    const wish = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: wish });
      this.#undo.push(() => stream.getTracks().forEach((track) => track.stop()));
      return stream;
    } catch {
      throw new BenchError("the microphone is refused or missing: allow it, or measure with the made voice");
    }
  }

  /** Take the room that was asked for, or open one of our own. */
  async #enterRoom() {
    const { room, seat } = this.wishes;
    this.#room = room ? await this.server.room(room) : await this.#ownRoom();
    const seats = this.#room.seats.length;
    if (seat >= seats) throw new BenchError(`the room has no seat ${seat}: its seats are 0 to ${seats - 1}`);
  }

  async #ownRoom() {
    const scenes = (await this.server.scenes()).filter((each) => each.is_ready);
    const asked = this.wishes.scene;
    const scene = asked ? scenes.find(({ id }) => id === asked) : scenes[0];
    if (!scene) {
      const names = scenes.map(({ id }) => id).join(", ") || "none";
      throw new BenchError(asked ? `there is no scene ${asked}: there are ${names}` : "the server has no scene to open a room with");
    }
    const room = await this.server.openRoom({ scene: scene.id });
    this.#undo.push(() => this.server.ask(`rooms/${room.id}`, { method: "DELETE", keepalive: true }).catch(() => {}));
    return room;
  }

  /** @param {{width: number, height: number}} size */
  async #sceneMouth(size) {
    if (!this.#room) return null;
    const scenes = await this.server.scenes().catch(() => []); // a token of one room may not list them
    const scene = scenes.find(({ id }) => id === this.#room.scene);
    const { seat } = this.wishes, people = this.#room.seats.length;
    // Without a face of a known place: the part of the picture that belongs to the seat.
    return (scene && mouthOf(scene, seat, size)) ?? /** @type {Shares} */ ([seat / people, 0, (seat + 1) / people, 1]);
  }

  /** @param {"whip" | "whep"} kind */
  #address(kind) {
    const { play, publish, seat } = this.wishes;
    if (this.isForeign) return (kind === "whip" ? publish : play) ?? "";
    const place = kind === "whip" ? `seats/${seat}/whip` : "whep";
    return new URL(`rooms/${this.#room.id}/${place}`, this.server.base).href;
  }

  /** @param {Sound} sound */
  async #publish(sound) {
    const { join, seat } = this.wishes, { token } = this.server;
    const body = { requestData: { seat } };
    const link = await Link.open(join
      ? { url: join, kind: "join", track: sound.track, token, body }
      : { url: this.#address("whip"), kind: "whip", track: sound.track, token });
    this.#undo.push(() => link.close());
    return link;
  }

  /** Come in to watch, several times, and stay the last time. @param {Link} publisher */
  async #view(publisher) {
    const firsts = [], { join, views } = this.wishes;
    if (join) {
      const seenAt = await this.#show(publisher);
      return { viewer: publisher, firsts: [seenAt - publisher.startedAt] };
    }
    for (let count = 1; ; count += 1) {
      const link = await Link.open({ url: this.#address("whep"), kind: "whep", track: null, token: this.server.token });
      this.#undo.push(() => link.close());
      firsts.push((await this.#show(link)) - link.startedAt);
      if (count >= views) return { viewer: link, firsts };
      await link.close();
      await this.#pause(300);
    }
  }

  /** Play a stream; gives when its first picture is seen. @param {Link} link @returns {Promise<number>} */
  async #show(link) {
    const { video } = this;
    const seen = new Promise((done, fail) => {
      video.requestVideoFrameCallback((_, { expectedDisplayTime }) => done(expectedDisplayTime));
      const late = AbortSignal.any([this.signal, AbortSignal.timeout(VIEW_MS)]);
      late.addEventListener("abort", () => fail(new BenchError(`no picture came within ${VIEW_MS / 1000} s`)), { once: true });
    });
    video.srcObject = link.stream;
    video.play().catch(() => {}); // a muted video may play; else no picture comes, which is told
    return /** @type {Promise<number>} */ (seen);
  }

  /** @param {Sound} sound @param {Mouth} mouth @param {PartsWatch} parts */
  async #speak(sound, mouth, parts) {
    const { bursts, microphone } = this.wishes;
    await parts.look();
    while (this.#bursts.length < bursts && !this.signal.aborted) {
      const begun = performance.now();
      const sent = microphone ? await sound.awaitBurst(() => !this.signal.aborted) : await sound.sendBurst();
      if (!sent) break;
      await this.#pause(LATEST_MS + 250 - (performance.now() - sent.at));
      this.#bursts.push(this.#judge(sound, mouth, sent));
      await parts.look();
      this.tell("speak", this.#bursts.length, bursts, this.#bursts);
      if (!microphone) await this.#pause(EVERY_MS + Math.random() * UNEVEN_MS - (performance.now() - begun));
    }
  }

  /** @param {Sound} sound @param {Mouth} mouth @param {import("./sound.js").Sent} sent @returns {Burst} */
  #judge(sound, mouth, sent) {
    const when = { restMs: REST_MS, soonestMs: SOONEST_MS, latestMs: LATEST_MS };
    const moved = mouthMoves(mouth.frames, sent.at, when);
    const ear = sound.echoOf(sent, LATEST_MS);
    const lips = moved && moved.at !== null ? moved.at - sent.at : null;
    const leg = moved && lips !== null ? mouth.frames[moved.index].legMs : null;
    if (leg !== null) this.#legs.push(leg);
    const rounded = (/** @type {number | null} */ ms) => (ms === null ? null : Math.round(ms * 10) / 10);
    const skew = lips === null || ear === null ? null : lips - ear;
    const at = Math.round((performance.timeOrigin + sent.at) * 10) / 10;
    return {
      lips_ms: rounded(lips), ear_ms: rounded(ear), skew_ms: rounded(skew), sent_at: at, clock_error_ms: rounded(sent.errorMs) ?? 0,
      mouth_rise: rounded(moved && moved.rise), mouth_noise: rounded(moved && moved.noise),
    };
  }

  async #metrics() {
    if (this.isForeign || !this.server.isAdmin) return null;
    return this.server.ask("metrics").then((answer) => answer.text()).catch(() => null); // the rest is measured without
  }

  /** @param {{sound: Sound, mouth: Mouth, parts: PartsWatch, firsts: number[], box: Shares, size: string}} found
   * @returns {Result} */
  #result({ sound, mouth, parts, firsts, box, size }) {
    const numbers = (/** @type {"lips_ms" | "ear_ms" | "skew_ms"} */ name) =>
      this.#bursts.map((each) => each[name]).filter((each) => each !== null);
    const lips = numbers("lips_ms");
    const skews = numbers("skew_ms"), streams = parts.streamSkewMs;
    // How much earlier lips are seen than heard, but for what the streams are apart and the way to the loudspeaker.
    const leadMs = streams === null || !skews.length ? null : streams - median(skews) - sound.outputMs;
    const found = { wholeMs: median(lips), legsMs: this.#legs, leadMs, room: this.#room };
    const { seat } = this.wishes;
    return {
      mic_to_lips_ms: spread(lips),
      mic_to_ear_ms: spread(numbers("ear_ms")),
      av_skew_ms: spread(skews),
      first_frame_ms: spread(firsts),
      ...evenness(mouth.frames.map(({ at }) => at)),
      parts_ms: lips.length ? parts.parts(found) : {},
      bursts: this.#bursts,
      first_frames_ms: firsts.map(Math.round),
      sent: this.#bursts.length,
      seen: lips.length,
      heard: numbers("ear_ms").length,
      clock_error_ms: spread(this.#bursts.map((each) => each.clock_error_ms))?.p95 ?? 0,
      stream_skew_ms: parts.streamSkewMs === null ? null : Math.round(parts.streamSkewMs * 10) / 10,
      output_ms: Math.round(sound.outputMs * 10) / 10,
      config: {
        scene: this.#room?.scene ?? null, seat, size, people: this.#room?.seats.length ?? null,
        mouth: box.map((share) => Math.round(share * 1000) / 1000),
        voice: this.wishes.microphone ? "microphone" : "made by the page", has_server_figures: parts.hasServer,
      },
    };
  }

  /** @param {number} ms */
  async #pause(ms) {
    if (ms > 0) await new Promise((done) => {
      const timer = setTimeout(done, ms);
      this.signal.addEventListener("abort", () => { clearTimeout(timer); done(undefined); }, { once: true });
    });
  }
}
