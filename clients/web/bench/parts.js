// What mic-to-lips is made of: figures of the server's /metrics and of the browser's getStats, burst by burst.
import { median, readMetrics } from "./arithmetic.js";

/** @typedef {import("./arithmetic.js").Readings} Readings */
/** @typedef {{received: any, skewMs: number | null, rttMs: number | null, metrics: Readings | null}} Look */
/** @typedef {Record<string, number>} Parts in ms, in the order of the way; they and `unexplained` make the whole */

const PACKET_MS = 20; // of Opus as browsers send it: a packet leaves when its last sample is there
const FRAME_MS = 40;
const UNSEEN = ["late", "half_rate", "cleared"]; // pictures that were made and not sent

export class PartsWatch {
  /** @param {{publisher: RTCPeerConnection, viewer: RTCPeerConnection}} links @param {() => Promise<string | null>} askMetrics */
  constructor(links, askMetrics) {
    this.#links = links;
    this.#ask = askMetrics;
  }

  #links;
  #ask;
  /** @type {Look[]} */
  #looks = [];

  /** Read every counter once. */
  async look() {
    const [metrics, viewer, publisher] = await Promise.all([
      this.#ask(), this.#links.viewer.getStats(), this.#links.publisher.getStats(),
    ]);
    const all = [...viewer.values()];
    const inbound = (/** @type {string} */ kind) => all.find((each) => each.type === "inbound-rtp" && each.kind === kind) ?? {};
    const received = inbound("video");
    const playing = [inbound("audio"), received].map((each) => each.estimatedPlayoutTimestamp);
    this.#looks.push({
      received,
      skewMs: playing.every(Boolean) ? playing[0] - playing[1] : null,
      rttMs: tripOf([...publisher.values()]) ?? tripOf(all),
      metrics: metrics === null ? null : readMetrics(metrics),
    });
  }

  /** Whether the server told its figures. */
  get hasServer() {
    return this.#looks.some(({ metrics }) => metrics?.has("parley_chunks_total"));
  }

  /** How much later than its sound the browser plays a picture, as it says itself; null where it does not. */
  get streamSkewMs() {
    return middle(this.#looks.map(({ skewMs }) => skewMs));
  }

  /** @param {{wholeMs: number, legsMs: number[], leadMs: number | null, room: any}} found @returns {Parts} */
  parts({ wholeMs, legsMs, leadMs, room }) {
    const buffered = this.#browser("jitterBufferDelay", "jitterBufferEmittedCount");
    const decoded = this.#browser("totalDecodeTime", "framesDecoded");
    const legMs = legsMs.length ? median(legsMs) : buffered + decoded;
    /** @type {Parts} */
    const parts = {
      capture: PACKET_MS,
      network: middle(this.#looks.map(({ rttMs }) => rttMs)) ?? 0,
      ...(this.hasServer ? this.#server(room) : {}),
      browser_jitter_buffer: buffered,
      browser_decode: decoded,
      browser_display: Math.max(0, legMs - buffered - decoded),
    };
    // The server's figures follow the sound. A mouth that has heard ahead opens before it; late pictures show it after.
    if (this.hasServer && leadMs !== null) parts.lips_against_sound = -leadMs;
    const known = Object.values(parts).reduce((sum, each) => sum + each, 0);
    parts[this.hasServer ? "unexplained" : "server_and_unexplained"] = wholeMs - known;
    return Object.fromEntries(Object.entries(parts).map(([name, ms]) => [name, Math.round(ms * 10) / 10]));
  }

  /** @param {any} room with `chunk_ms` and `look_ahead_ms` where the server tells them @returns {Parts} */
  #server(room) {
    const inRoomMs = this.#mean("parley_mic_to_send_seconds_sum", "parley_mic_to_send_seconds_count");
    const chunkMs = room?.chunk_ms ?? this.#chunkMs();
    const made = ["audio", "denoise", "cache", "decode"].map((part) => this.#perChunk(`{part="${part}"}`));
    const makingMs = this.#mean("parley_real_time_factor_sum", "parley_real_time_factor_count") * chunkMs / 1000;
    const [audio, denoise, cache, decode] = made;
    const other = Math.max(0, makingMs - audio - denoise - cache - decode);
    // A sample waits for the rest of its chunk and for the look-ahead behind it; then the chunk is made, and held until it
    // is due. All samples of a voice leave equally late, whatever their place in the chunk.
    const lookAheadMs = room?.look_ahead_ms;
    const restMs = inRoomMs - chunkMs - (lookAheadMs ?? 0) - makingMs;
    return {
      server_jitter_buffer: (this.#gauge("parley_peer_voice_delay_seconds_most") ?? 0) * 1000,
      wait_for_chunk: chunkMs,
      ...(lookAheadMs === undefined ? { look_ahead_and_waiting: restMs } : { look_ahead: lookAheadMs }),
      audio_encoder: audio,
      dit: denoise,
      cache_pass: cache,
      vae_decoder: decode,
      paste_and_queue: other,
      ...(lookAheadMs === undefined ? {} : { held_until_due: restMs }),
      encode: this.#mean("parley_skew_seconds_sum", "parley_skew_seconds_count"),
    };
  }

  /** @param {string} sum @param {string} count milliseconds each, the median of the intervals */
  #browser(sum, count) {
    return 1000 * (this.#ratios(({ received }) => received[sum], ({ received }) => received[count]) ?? 0);
  }

  /** @param {string} sum @param {string} count */
  #mean(sum, count) {
    return 1000 * (this.#ratios(({ metrics }) => metrics?.get(sum), ({ metrics }) => metrics?.get(count)) ?? 0);
  }

  /** @param {string} labels */
  #perChunk(labels) {
    return this.#mean(`parley_part_seconds_total${labels}`, "parley_chunks_total");
  }

  /** How long a chunk is, by the pictures that were made of it, shown or not. */
  #chunkMs() {
    const names = ["frames_sent_total", ...UNSEEN.map((reason) => `frames_dropped_total{reason="${reason}"}`)];
    const told = this.#looks.map(({ metrics }) => metrics).filter((each) => each !== null);
    const grown = (/** @type {string} */ name) =>
      (told.at(-1)?.get(`parley_${name}`) ?? 0) - (told[0]?.get(`parley_${name}`) ?? 0);
    const chunks = grown("chunks_total");
    return chunks ? Math.round(names.reduce((sum, name) => sum + grown(name), 0) / chunks) * FRAME_MS : 0;
  }

  /** @param {string} name */
  #gauge(name) {
    return middle(this.#looks.map(({ metrics }) => metrics?.get(name) ?? null));
  }

  /** Give the median over the intervals between looks of one counter's growth over another's.
   * @param {(look: Look) => number | undefined} sum @param {(look: Look) => number | undefined} count */
  #ratios(sum, count) {
    return middle(this.#looks.slice(1).map((look, i) => {
      const grown = (sum(look) ?? 0) - (sum(this.#looks[i]) ?? 0), times = (count(look) ?? 0) - (count(this.#looks[i]) ?? 0);
      return times > 0 ? grown / times : null;
    }));
  }
}

/** @param {(number | null)[]} values */
function middle(values) {
  const told = values.filter((each) => each !== null);
  return told.length ? median(told) : null;
}

/** @param {any[]} stats */
function tripOf(stats) {
  const pair = stats.find((each) => each.type === "candidate-pair" && each.nominated && each.currentRoundTripTime !== undefined);
  return pair ? pair.currentRoundTripTime * 1000 : null;
}
