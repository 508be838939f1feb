// A room on the bot page: its picture, its people, and what one of them is to say.
import { Call } from "../meeting/call.js";
import { byId, make, notify, pause, relabel } from "../meeting/dom.js";
import { MicrophoneError } from "../meeting/microphone.js";
import { NoSoundError, readSpeech } from "../meeting/speak_file.js";
import { Stage } from "../meeting/stage.js";
import { TEXT as SHARED } from "../meeting/text.js";
import { BotSeat } from "./bot_seat.js";
import { Clip } from "./clip.js";
import { Log } from "./log.js";
import { chosenService } from "./service_form.js";
import { speech } from "./speech.js";
import { TEXT } from "./text.js";

/** @typedef {import("../meeting/server.js").Server} Server */
/** @typedef {import("../meeting/protocol.js").Room} Room */

const LOOK_MS = 2000;

export class BotView {
  /** @param {Server} server @param {string} id @param {Log} log */
  constructor(server, id, log) {
    this.#server = server;
    this.#id = id;
    this.#log = log;
    this.#call = new Call(server, id, {
      onStanding: (standing) => this.#stage.stand(standing),
      onConnection: (connection) => this.#stage.play(connection.stream),
      onSeatLost: () => {}, // this page never joins with a microphone
    });
    this.#wire();
  }

  #server;
  #id;
  #log;
  #call;
  #gone = new AbortController();
  #seats = byId("seat", "select");
  /** @type {Room | null} */
  #room = null;
  /** @type {BotSeat | null} */
  #seat = null;
  /** @type {Clip | null} */
  #clip = null;
  #clips = 0;
  #stage = new Stage({
    retry: () => this.#call.retry(),
    see: () => location.assign("bot"),
    enter: () => location.assign("./?door"),
  });

  /** Stay in the room until `close`, or until it ends. */
  async run() {
    this.#lookAgain();
    await this.#call.run();
  }

  close() {
    this.#gone.abort();
    this.#seat?.close();
    this.#clip?.stop();
    this.#call.close();
    this.#stage.close();
  }

  #wire() {
    const { signal } = this.#gone;
    const on = (/** @type {string} */ id, /** @type {string} */ kind, /** @type {(event: Event) => void} */ what) =>
      byId(id).addEventListener(kind, what, { signal });
    on("say-form", "submit", (event) => {
      event.preventDefault();
      this.#sayText();
    });
    byId("text").addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) byId("say-form", "form").requestSubmit();
    }, { signal });
    on("interrupt", "click", () => this.#seat?.interrupt());
    on("say-file", "click", () => byId("file", "input").click());
    on("file", "change", () => this.#sayFile());
    on("clip", "click", () => (this.#clip ? this.#sayClip(this.#clip) : this.#record()));
    on("seat", "change", () => this.#leave());
    window.addEventListener("pagehide", () => this.close(), { signal });
    window.addEventListener("online", () => this.#call.retry(), { signal });
  }

  async #lookAgain() {
    const { signal } = this.#gone;
    while (!signal.aborted) {
      await this.#look();
      await pause(LOOK_MS, signal);
    }
  }

  async #look() {
    try {
      this.#room = await this.#server.room(this.#id, this.#gone.signal);
    } catch {
      return; // the call itself says what is wrong
    }
    this.#stage.fit(this.#room);
    byId("where").textContent = SHARED.watching(this.#room.viewers);
    this.#showSeats(this.#room);
  }

  /** @param {Room} room */
  #showSeats({ seats }) {
    const shown = seats.filter((seat) => this.#server.maySpeak(seat.number)).map(({ number, name, is_taken }) => {
      const isOwn = this.#seat?.seat === number && this.#seat.isHeld;
      return { number, words: TEXT.seat(name, isOwn ? "own" : is_taken ? "taken" : "free"), isShut: is_taken && !isOwn };
    });
    const key = JSON.stringify(shown), select = this.#seats;
    if (select.dataset.key === key) return;
    const before = select.dataset.key ? select.value : "";
    select.dataset.key = key;
    select.replaceChildren(...shown.map(({ number, words, isShut }) => make("option", { value: String(number), disabled: isShut }, words)));
    const kept = shown.find(({ number, isShut }) => String(number) === before && !isShut);
    const chosen = kept ?? shown.find(({ isShut }) => !isShut);
    select.value = chosen ? String(chosen.number) : "";
    byId("say-part", "fieldset").disabled = !chosen;
    byId("seat-hint").textContent = chosen ? "" : TEXT.noFree;
    byId("seat-hint").hidden = Boolean(chosen);
    byId("open-room").hidden = Boolean(chosen) || !this.#server.isAdmin;
  }

  #leave() {
    this.#seat?.close();
    this.#seat = null;
    this.#look();
  }

  /** @param {string} title @param {(signal: AbortSignal) => AsyncIterable<ArrayBuffer>} pieces */
  #say(title, pieces) {
    const number = Number(this.#seats.value);
    if (!this.#seats.value) return null;
    notify("");
    this.#seat ??= new BotSeat(this.#server, this.#id, number, () => {
      this.#log.show();
      if (this.#room) this.#showSeats(this.#room);
    });
    const utterance = this.#seat.say(title, pieces);
    this.#log.add(this.#room?.seats[number]?.name ?? "", utterance);
    this.#stage.sound(true);
    return utterance;
  }

  #sayText() {
    const field = byId("text", "textarea"), text = field.value.trim();
    if (!text) {
      notify(TEXT.noText);
      return field.focus();
    }
    const service = chosenService();
    if (!service) return notify(TEXT.noService);
    const said = this.#say(text, (signal) => speech(service, text, signal));
    field.value = "";
    said?.signal.addEventListener("abort", () => {
      if (said.state === "failed" && !field.value) field.value = text; // to try again
    });
  }

  #sayFile() {
    const input = byId("file", "input"), chosen = input.files?.[0];
    input.value = "";
    if (chosen) this.#sayBlob(chosen.name, chosen);
  }

  async #record() {
    try {
      this.#clip = await Clip.start();
      this.#showRecording();
    } catch (error) {
      if (!(error instanceof MicrophoneError)) throw error;
      notify(SHARED.microphone[error.why]);
    }
  }

  /** @param {Clip} clip */
  async #sayClip(clip) {
    this.#clip = null;
    this.#showRecording();
    this.#clips += 1;
    this.#sayBlob(TEXT.clip(this.#clips), await clip.stop());
  }

  /** @param {string} title @param {Blob} sound */
  #sayBlob(title, sound) {
    this.#say(title, async function* () {
      try {
        yield await readSpeech(sound);
      } catch (error) {
        throw error instanceof NoSoundError ? new Error(TEXT.noSound) : error;
      }
    });
  }

  #showRecording() {
    const button = byId("clip");
    button.setAttribute("aria-pressed", String(this.#clip !== null));
    relabel(button, this.#clip ? "stop" : "mic", this.#clip ? TEXT.stopRecording : TEXT.record);
  }
}
