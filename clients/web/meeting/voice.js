// One's own voice: the microphone's buttons, its level, the choice of device, push to talk.
import { byId, make, notify, relabel } from "./dom.js";
import { Microphone, MicrophoneError, microphones } from "./microphone.js";
import { TEXT } from "./text.js";

const LEVEL_MS = 60;

export class Voice {
  /** @param {(track: MediaStreamTrack) => Promise<void>} onTrack another microphone was chosen */
  constructor(onTrack) {
    this.#onTrack = onTrack;
    const { signal } = this.#listening;
    const on = (/** @type {EventTarget} */ target, /** @type {string} */ kind, /** @type {(event: any) => void} */ what) =>
      target.addEventListener(kind, what, { signal });
    on(this.#button, "click", () => this.#clicked());
    on(this.#button, "pointerdown", () => this.#hold(true));
    for (const kind of ["pointerup", "pointerleave", "pointercancel", "blur"]) on(this.#button, kind, () => this.#hold(false));
    on(document, "keydown", (event) => this.#key(event, true));
    on(document, "keyup", (event) => this.#key(event, false));
    on(byId("mic-settings"), "click", () => this.#togglePanel());
    on(this.#devices, "change", () => this.#choose());
    on(this.#pushToTalk, "change", () => {
      this.microphone?.pushToTalk(this.#pushToTalk.checked);
      this.#show();
    });
  }

  /** @type {Microphone | null} */
  microphone = null;
  #onTrack;
  #listening = new AbortController();
  #button = byId("mute", "button");
  #devices = byId("device", "select");
  #pushToTalk = byId("push-to-talk", "input");
  #timer = 0;

  /** Ask for the microphone; says what to do when there is none.
   * @returns {Promise<MediaStreamTrack | null>} */
  async open() {
    try {
      this.microphone ??= await Microphone.open();
    } catch (error) {
      if (!(error instanceof MicrophoneError)) throw error;
      notify(TEXT.microphone[error.why]);
      return null;
    }
    this.#watchTrack();
    this.microphone.pushToTalk(this.#pushToTalk.checked);
    this.#timer = window.setInterval(() => this.#showLevel(), LEVEL_MS);
    byId("own").hidden = false;
    this.#show();
    this.#list();
    return this.microphone.track;
  }

  close() {
    clearInterval(this.#timer);
    this.microphone?.close();
    this.microphone = null;
    byId("own").hidden = true;
    byId("mic-panel").hidden = true;
    byId("mic-settings").setAttribute("aria-expanded", "false");
  }

  /** Give the page back. */
  forget() {
    this.close();
    this.#listening.abort();
  }

  #clicked() {
    const microphone = this.microphone;
    if (!microphone || microphone.isPushToTalk) return;
    microphone.mute(!microphone.isMuted);
    this.#show();
  }

  /** @param {boolean} isHeld */
  #hold(isHeld) {
    if (!this.microphone?.isPushToTalk) return;
    this.microphone.hold(isHeld);
    this.#show();
  }

  /** @param {KeyboardEvent} event @param {boolean} isDown */
  #key(event, isDown) {
    const target = /** @type {HTMLElement} */ (event.target);
    if (event.code !== "Space" || !this.microphone?.isPushToTalk) return;
    if (target !== this.#button && target.closest("input, select, textarea, button, a, dialog")) return;
    event.preventDefault();
    if (!event.repeat) this.#hold(isDown);
  }

  #togglePanel() {
    const panel = byId("mic-panel");
    panel.hidden = !panel.hidden;
    byId("mic-settings").setAttribute("aria-expanded", String(!panel.hidden));
    if (!panel.hidden) this.#list();
  }

  async #choose() {
    try {
      await this.microphone?.choose(this.#devices.value);
    } catch (error) {
      if (!(error instanceof MicrophoneError)) throw error;
      notify(TEXT.microphone[error.why]);
      await this.#list();
      return;
    }
    notify("");
    this.#watchTrack();
    if (this.microphone) await this.#onTrack(this.microphone.track);
  }

  #watchTrack() {
    const track = this.microphone?.track;
    track?.addEventListener("ended", () => {
      if (track === this.microphone?.track) notify(TEXT.microphone.unplugged);
      this.#list();
    });
  }

  async #list() {
    const found = await microphones();
    const chosen = this.microphone?.deviceId;
    this.#devices.replaceChildren(
      ...found.map(({ deviceId, label }, index) =>
        make("option", { value: deviceId, selected: deviceId === chosen }, label || TEXT.deviceName(index + 1)),
      ),
    );
  }

  #show() {
    const microphone = this.microphone;
    if (!microphone) return;
    const isOpen = microphone.isOpen;
    const waits = microphone.isPushToTalk ? TEXT.hold : TEXT.unmute;
    relabel(this.#button, isOpen ? "mic" : "mic-off", isOpen ? (microphone.isPushToTalk ? TEXT.talking : TEXT.mute) : waits);
    this.#button.classList.toggle("off", !isOpen);
  }

  #showLevel() {
    const level = this.microphone?.level() ?? 0;
    const shown = byId("level");
    shown.style.setProperty("--level", level.toFixed(2));
    shown.setAttribute("aria-valuenow", String(Math.round(level * 100)));
  }
}
