// A clip from the microphone, to be said as a whole: no live voice, the seat stays a program's.
import { Microphone } from "../meeting/microphone.js";

export class Clip {
  /** Ask for the microphone and record; throws MicrophoneError. */
  static async start() {
    return new Clip(await Microphone.open());
  }

  /** @param {Microphone} microphone */
  constructor(microphone) {
    this.#microphone = microphone;
    this.#recorder = new MediaRecorder(microphone.stream);
    this.#recorder.addEventListener("dataavailable", ({ data }) => this.#parts.push(data));
    this.#recorder.start();
  }

  #microphone;
  #recorder;
  /** @type {Blob[]} */
  #parts = [];

  /** Stop, and give what was recorded. */
  async stop() {
    const stopped = new Promise((done) => this.#recorder.addEventListener("stop", done, { once: true }));
    this.#recorder.stop();
    await stopped;
    this.#microphone.close();
    return new Blob(this.#parts, { type: this.#recorder.mimeType });
  }
}
