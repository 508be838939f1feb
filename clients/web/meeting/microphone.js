// The microphone: what is sent, how loud it is, muted or not, and which one.

const SMOOTHING = 0.6;
const LOUDEST_RMS = 0.25;

/** No microphone, and why: a key of TEXT.microphone. */
export class MicrophoneError extends Error {
  /** @param {"denied" | "missing" | "busy" | "insecure"} why */
  constructor(why) {
    super(why);
    this.why = why;
  }
}

export class Microphone {
  /** Ask for a microphone. @param {string} [deviceId] */
  static async open(deviceId) {
    return new Microphone(await ask(deviceId));
  }

  /** @param {MediaStream} stream */
  constructor(stream) {
    this.track = stream.getAudioTracks()[0];
    this.isPushToTalk = false;
    this.#stream = stream;
    this.#context = new AudioContext();
    this.#analyser = this.#context.createAnalyser();
    this.#analyser.fftSize = 1024;
    this.#source = this.#context.createMediaStreamSource(stream);
    this.#source.connect(this.#analyser);
    this.#window = new Float32Array(this.#analyser.fftSize);
  }

  #stream;
  #context;
  #analyser;
  #source;
  #window;
  #level = 0;
  #isMuted = false;
  #isHeld = false;

  get stream() {
    return this.#stream;
  }

  get deviceId() {
    return this.track.getSettings().deviceId ?? "";
  }

  get isMuted() {
    return this.#isMuted;
  }

  /** Whether what is said now is sent. */
  get isOpen() {
    return this.isPushToTalk ? this.#isHeld : !this.#isMuted;
  }

  /** @param {boolean} isMuted */
  mute(isMuted) {
    this.#isMuted = isMuted;
    this.#apply();
  }

  /** @param {boolean} isOn */
  pushToTalk(isOn) {
    this.isPushToTalk = isOn;
    this.#isHeld = false;
    this.#apply();
  }

  /** @param {boolean} isHeld */
  hold(isHeld) {
    this.#isHeld = isHeld;
    this.#apply();
  }

  /** Root mean square of the last 20 ms of what is sent. */
  rms() {
    if (this.#context.state === "suspended") this.#context.resume();
    this.#analyser.getFloatTimeDomainData(this.#window);
    let sum = 0;
    for (const sample of this.#window) sum += sample * sample;
    return this.isOpen ? Math.sqrt(sum / this.#window.length) : 0;
  }

  /** How loud it is for the eye, 0 to 1, with a slow fall. */
  level() {
    const now = Math.min(1, Math.sqrt(this.rms() / LOUDEST_RMS));
    this.#level = Math.max(now, this.#level * SMOOTHING);
    return this.#level;
  }

  /** Change to another microphone; the old one goes on when that fails. @param {string} deviceId */
  async choose(deviceId) {
    const stream = await ask(deviceId);
    this.track.stop();
    this.#source.disconnect();
    this.#stream = stream;
    this.track = stream.getAudioTracks()[0];
    this.#source = this.#context.createMediaStreamSource(stream);
    this.#source.connect(this.#analyser);
    this.#apply();
  }

  close() {
    this.track.stop();
    this.#context.close();
  }

  #apply() {
    this.track.enabled = this.isOpen;
  }
}

/** Every microphone there is, by name. */
export async function microphones() {
  const all = await navigator.mediaDevices.enumerateDevices();
  return all.filter((device) => device.kind === "audioinput");
}

/** @param {string} [deviceId] */
async function ask(deviceId) {
  if (!navigator.mediaDevices) throw new MicrophoneError("insecure");
  const wish = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
  try {
    return await navigator.mediaDevices.getUserMedia({
      audio: deviceId ? { ...wish, deviceId: { exact: deviceId } } : wish,
    });
  } catch (error) {
    const name = error instanceof DOMException ? error.name : "";
    if (name === "NotAllowedError" || name === "SecurityError") throw new MicrophoneError("denied");
    if (name === "NotFoundError" || name === "OverconstrainedError") throw new MicrophoneError("missing");
    throw new MicrophoneError("busy");
  }
}
