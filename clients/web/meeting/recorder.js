// Films what one sees and hears, with one's own voice, into a file of the browser's.

const OWN_VOICE_DELAY_S = 0.4; // until one's own lips move, where nothing better is known
const MOST_DELAY_S = 2;

export class Recorder {
  /** Whether this browser can. */
  static get isPossible() {
    return typeof MediaRecorder !== "undefined";
  }

  /** Start. @param {MediaStream} seen @param {MediaStream | null} ownVoice @param {number | null} lipsMs */
  constructor(seen, ownVoice, lipsMs) {
    this.#context = new AudioContext();
    const mix = this.#context.createMediaStreamDestination();
    this.#connect(seen, 0, mix);
    if (ownVoice) this.#connect(ownVoice, lipsMs === null ? OWN_VOICE_DELAY_S : lipsMs / 1000, mix);
    const filmed = new MediaStream([...seen.getVideoTracks(), ...mix.stream.getAudioTracks()]);
    this.#recorder = new MediaRecorder(filmed);
    this.#recorder.addEventListener("dataavailable", ({ data }) => this.#parts.push(data));
    this.#recorder.start(1000);
  }

  #context;
  #recorder;
  /** @type {Blob[]} */
  #parts = [];

  /** Stop, and give the file. */
  async stop() {
    const stopped = new Promise((done) => this.#recorder.addEventListener("stop", done, { once: true }));
    if (this.#recorder.state !== "inactive") {
      this.#recorder.stop();
      await stopped;
    }
    await this.#context.close();
    return new Blob(this.#parts, { type: this.#recorder.mimeType });
  }

  /** @param {MediaStream} stream @param {number} delay seconds @param {AudioNode} mix */
  #connect(stream, delay, mix) {
    if (!stream.getAudioTracks().length) return;
    const later = this.#context.createDelay(MOST_DELAY_S);
    later.delayTime.value = Math.min(delay, MOST_DELAY_S);
    this.#context.createMediaStreamSource(stream).connect(later).connect(mix);
  }
}

/** Offer a file for download. @param {Blob} file @param {string} name without its ending */
export function download(file, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = `${name}.${file.type.includes("mp4") ? "mp4" : "webm"}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
