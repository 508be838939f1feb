// The picture of a room with what is said over it: its state, what to do about it, the sound, the full screen.
import { byId, notify, relabel } from "./dom.js";
import { Player } from "./player.js";
import { TEXT } from "./text.js";

/** @typedef {import("./call.js").Standing} Standing */
/** @typedef {{retry: () => void, see: () => void, enter: () => void}} Ways out of what went wrong: try again, see the rooms, give another token */

export class Stage {
  /** @param {Ways} ways */
  constructor(ways) {
    const { signal } = this.#gone;
    const on = (/** @type {string} */ id, /** @type {() => void} */ what) => byId(id).addEventListener("click", what, { signal });
    on("sound", () => this.sound(this.video.muted));
    on("sound-on", () => this.sound(true));
    on("full", () => this.#toggleFull());
    on("curtain-act", () => {
      const { state } = this.#standing;
      if (state === "ended") ways.see();
      else if (state === "refused") ways.enter();
      else ways.retry();
    });
    document.addEventListener("fullscreenchange", () => this.#showFull(), { signal });
    this.#showSound(false);
    this.#showFull();
    this.#show();
  }

  #gone = new AbortController();
  #stage = byId("stage");
  /** @type {Standing} */
  #standing = { state: "connecting", seconds: 0, why: "" };
  #isFlowing = false;
  #isIdle = false;
  video = byId("video", "video");
  #player = new Player(this.video, {
    onFlow: (isFlowing) => {
      this.#isFlowing = isFlowing;
      this.#show();
    },
    onSilenced: (isSilenced) => this.#showSound(isSilenced),
  });

  /** @param {MediaStream} stream */
  play(stream) {
    this.#player.play(stream);
  }

  /** @param {Standing} standing */
  stand(standing) {
    this.#standing = standing;
    if (standing.state === "ended" || standing.state === "refused") this.#player.stop();
    this.#show();
  }

  /** Say what the room is like. @param {import("./protocol.js").Room} room */
  fit(room) {
    this.#stage.style.setProperty("--ratio", String(room.width / room.height));
    // A demo's people speak in seats that visitors may still take.
    this.#isIdle = room.seats.every((seat) => !seat.is_taken && seat.kind === null);
    this.#show();
  }

  /** @param {boolean} isOn */
  sound(isOn) {
    this.#player.sound(isOn);
    this.#showSound(false);
  }

  close() {
    this.#gone.abort();
    this.#player.close();
  }

  async #toggleFull() {
    try {
      await (document.fullscreenElement ? document.exitFullscreen() : this.#stage.requestFullscreen());
    } catch {
      notify(TEXT.cannotFill);
    }
  }

  /** @param {boolean} isSilenced by the browser */
  #showSound(isSilenced) {
    byId("sound-on").hidden = !isSilenced;
    relabel(byId("sound"), this.video.muted ? "muted" : "sound", this.video.muted ? TEXT.soundOn : TEXT.soundOff);
  }

  #showFull() {
    relabel(byId("full"), "full", document.fullscreenElement ? TEXT.exitFull : TEXT.full_screen);
  }

  #show() {
    const { state, seconds, why } = this.#standing;
    const isLive = state === "live" && this.#isFlowing;
    const shown = state !== "live" ? state : !isLive ? "connecting" : this.#isIdle ? "idle" : "live";
    const pill = byId("state");
    if (pill.textContent !== TEXT.pill[shown]) pill.textContent = TEXT.pill[shown];
    this.#stage.dataset.state = shown;
    if (isLive) return;
    /** @type {Record<string, () => import("./text.js").Said>} */
    const words = {
      connecting: () => TEXT.connecting,
      live: () => (this.#player.frames ? TEXT.stalled : TEXT.waiting),
      full: () => TEXT.full(seconds, why),
      lost: () => TEXT.lost(seconds),
      ended: () => TEXT.ended(why),
      refused: () => TEXT.refused(why),
    };
    const { title, text, act = "" } = words[state]();
    byId("curtain-title").textContent = title;
    byId("curtain-text").textContent = text;
    const button = byId("curtain-act", "button");
    button.textContent = act;
    button.hidden = !act;
  }
}
