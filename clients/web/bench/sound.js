// Sends bursts at known moments and hears what comes back, both by the clock of one AudioContext.
import { BURST_S, makeBurst } from "./burst.js";
import { bestLag } from "./arithmetic.js";

/** @typedef {{at: number, sample: number, errorMs: number}} Sent `at`: when its first sample was handed on, by the page's
 * clock in ms, known to `errorMs`; `sample`: the same moment by the context's clock */

const BEFORE_MS = 100, AFTER_MS = 120; // silence beside a burst, which is part of its pattern
const LEAST_AGREEMENT = 0.6;
const CLOCK_WINDOW_MS = 5000;
const POLL_MS = 4;
const START_S = 0.1; // from asking for a burst to its first sample
const HISS = 0.0005; // of full scale, -71 dB RMS
const LOUD = 0.02, QUIET_MS = 400; // RMS at which a microphone's burst begins, after so much quiet

export class Sound {
  /** @param {MediaStream | null} microphone null to make the voice ourselves */
  static async open(microphone) {
    const context = new AudioContext({ sampleRate: 48_000, latencyHint: "interactive" });
    await context.audioWorklet.addModule(new URL("tap_worklet.js", import.meta.url));
    await context.resume();
    return new Sound(context, microphone);
  }

  /** @param {AudioContext} context @param {MediaStream | null} microphone */
  constructor(context, microphone) {
    this.context = context;
    this.#leaving = context.createMediaStreamDestination();
    this.#tap = new AudioWorkletNode(context, "parley-tap", { numberOfInputs: 2, numberOfOutputs: 1 });
    this.#tap.port.onmessage = ({ data }) => this.#keep(data);
    this.#tap.connect(context.destination); // which has to pull it; it is silent
    this.#voice = context.createGain();
    if (microphone) context.createMediaStreamSource(microphone).connect(this.#voice);
    else this.#hiss();
    this.#voice.connect(this.#tap, 0, 0);
    this.#voice.connect(this.#leaving);
    this.#burst = context.createBuffer(1, Math.round(BURST_S * context.sampleRate), context.sampleRate);
    this.#burst.copyToChannel(makeBurst(context.sampleRate), 0);
    /** What is sent. */
    this.track = microphone?.getAudioTracks()[0] ?? this.#leaving.stream.getAudioTracks()[0];
    this.#timer = setInterval(() => this.#readClock(), POLL_MS);
  }

  #leaving;
  #tap;
  #voice;
  #burst;
  #timer;
  /** @type {MediaStreamAudioSourceNode | null} */
  #coming = null;
  /** @type {number[][]} by side, a number for every millisecond since #firstMs */
  #levels = [[], []];
  #firstMs = -1;
  /** @type {{at: number, time: number}[]} */
  #clock = [];

  /** Hear a stream; the one before is not heard any more. @param {MediaStream} stream */
  hear(stream) {
    this.#coming?.disconnect();
    this.#coming = this.context.createMediaStreamSource(stream);
    this.#coming.connect(this.#tap, 0, 1);
  }

  /** Send a burst; ends when its first sample has left. @returns {Promise<Sent>} */
  async sendBurst() {
    const source = this.context.createBufferSource();
    const when = this.context.currentTime + START_S;
    source.buffer = this.#burst;
    source.connect(this.#voice);
    source.start(when);
    await new Promise((done) => { source.onended = done; });
    return this.#sentAt(when * 1000);
  }

  /** Wait for a sound of the microphone after a while of quiet. @param {() => boolean} isWanted @returns {Promise<Sent | null>} */
  async awaitBurst(isWanted) {
    const levels = this.#levels[0];
    let place = levels.length, quietMs = 0;
    while (isWanted()) {
      for (; place < levels.length; place += 1) {
        const isLoud = levels[place] > LOUD;
        if (isLoud && quietMs >= QUIET_MS) {
          await new Promise((done) => setTimeout(done, BURST_S * 1000));
          return this.#sentAt(this.#firstMs + place);
        }
        quietMs = isLoud ? 0 : quietMs + 1;
      }
      await new Promise((done) => setTimeout(done, 20));
    }
    return null;
  }

  /** Say how much later a burst came back, in ms up to the loudspeaker; null where it was not heard.
   * @param {Sent} sent @param {number} mostMs */
  echoOf(sent, mostMs) {
    const start = Math.round(sent.sample - this.#firstMs) - BEFORE_MS;
    const length = BEFORE_MS + BURST_S * 1000 + AFTER_MS;
    if (start < 0) return null;
    const pattern = this.#levels[0].slice(start, start + length);
    const heard = this.#levels[1].slice(start, start + length + mostMs);
    const { lag, agreement } = bestLag(pattern, heard, 0, mostMs);
    return agreement < LEAST_AGREEMENT ? null : lag + this.outputMs;
  }

  /** What the browser says it holds sound back before the loudspeaker. */
  get outputMs() {
    return (this.context.outputLatency || this.context.baseLatency || 0) * 1000;
  }

  /** Make the noise that every microphone has: in digital silence browsers and codecs stop sending. */
  #hiss() {
    const { context } = this, samples = new Float32Array(context.sampleRate);
    for (let i = 0; i < samples.length; i += 1) samples[i] = HISS * (2 * Math.random() - 1);
    const buffer = context.createBuffer(1, samples.length, context.sampleRate);
    buffer.copyToChannel(samples, 0);
    const source = context.createBufferSource();
    Object.assign(source, { buffer, loop: true });
    source.connect(this.#voice);
    source.start();
  }

  close() {
    clearInterval(this.#timer);
    this.context.close();
  }

  /** @param {{first: number, levels: Float32Array[]}} data */
  #keep({ first, levels }) {
    const firstMs = (first / this.context.sampleRate) * 1000;
    if (this.#firstMs < 0) this.#firstMs = firstMs;
    const place = Math.round(firstMs - this.#firstMs); // a browser may leave the tap out for a while
    levels.forEach((each, side) => {
      const kept = this.#levels[side];
      while (kept.length < place) kept.push(0);
      kept.push(...each);
    });
    this.#readClock();
  }

  #readClock() {
    const at = performance.now();
    this.#clock.push({ at, time: this.context.currentTime * 1000 });
    while (this.#clock[0].at < at - CLOCK_WINDOW_MS) this.#clock.shift();
  }

  /** Say when a moment of the context's time was made: the page looks every few ms how far the context is, and it was
   * between the last look that found it before that moment and the first one after. @param {number} sample @returns {Sent} */
  #sentAt(sample) {
    const next = this.#clock.findIndex(({ time }) => time > sample);
    const after = this.#clock[Math.max(next, 1)].at, before = this.#clock[Math.max(next, 1) - 1].at;
    return { at: (before + after) / 2, sample, errorMs: (after - before) / 2 };
  }
}
