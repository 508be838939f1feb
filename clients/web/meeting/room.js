// A room on the page: the call, the picture, the people, and everything one can do there.
import { Call } from "./call.js";
import { byId, make, notify, pause, relabel } from "./dom.js";
import { FigureOverlay } from "./figures.js";
import { ProtocolError } from "./protocol.js";
import { Recorder, download } from "./recorder.js";
import { SeatList } from "./seats.js";
import { Problem } from "./server.js";
import { openShare } from "./share.js";
import { NoSoundError, SpokenFile, readSpeech } from "./speak_file.js";
import { Stage } from "./stage.js";
import { TEXT } from "./text.js";
import { Voice } from "./voice.js";

/** @typedef {import("./server.js").Server} Server */
/** @typedef {import("./call.js").Standing} Standing */
/** @typedef {import("./protocol.js").Room} Room */
/** @typedef {import("./protocol.js").RoomEvent} RoomEvent */

const LOOK_MS = 3000; // names, seats and viewers; who speaks comes at once, as events
const FILE_MS = 250;
const LISTEN_AGAIN_MS = 1000;
const SEAT_EVENTS = /^(seat|viewer)_/;

export class RoomView {
  /** @param {Server} server @param {string} id @param {(why: "ended" | "refused", reason: string) => void} onOver */
  constructor(server, id, onOver) {
    this.#server = server;
    this.#id = id;
    this.#onOver = onOver;
    this.#call = new Call(server, id, {
      onStanding: (standing) => this.#stand(standing),
      onConnection: (connection) => {
        this.#stopRecording(); // its tracks end with the old connection
        this.#stage.play(connection.stream);
        this.#showSeats();
      },
      onSeatLost: (why) => {
        this.#voice.close();
        notify(why);
      },
    });
    this.#wire();
  }

  #server;
  #id;
  #onOver;
  #call;
  #gone = new AbortController();
  /** @type {Room | null} */
  #room = null;
  #isBusy = false; // joining or leaving a seat
  #isOver = false;
  #stage = new Stage({
    retry: () => this.#call.retry(),
    see: () => location.assign("?lobby"),
    enter: () => {
      this.close();
      location.assign("?door");
    },
  });
  /** @type {Map<number, SpokenFile | null>} */
  #files = new Map();
  /** @type {Recorder | null} */
  #recorder = null;
  #fileSeat = 0;
  #voice = new Voice((track) => this.#call.replaceTrack(track));
  #figures = new FigureOverlay(this.#stage.video, () => this.#call.connection?.pc ?? null);
  #seats = new SeatList({
    speak: (seat) => this.#join(seat),
    say: (seat) => this.#askFile(seat),
    stop: (seat) => this.#files.get(seat)?.stop(),
    interrupt: (seat) => act(() => this.#server.interrupt(this.#id, seat)),
  });

  /** Stay in the room until `close`, or until it ends. */
  async run() {
    byId("room").hidden = false;
    byId("share").hidden = false;
    byId("to-bot", "a").href = `bot?room=${encodeURIComponent(this.#id)}`;
    this.#suggest();
    this.#lookAgain();
    this.#listen();
    await this.#call.run();
  }

  close() {
    if (this.#gone.signal.aborted) return;
    this.#gone.abort();
    this.#call.close();
    this.#stopRecording();
    for (const file of this.#files.values()) file?.stop();
    this.#voice.forget();
    this.#figures.close();
    this.#stage.close();
    byId("figures").setAttribute("aria-pressed", "false");
    for (const id of ["room", "share"]) byId(id).hidden = true;
    byId("where").replaceChildren();
    document.title = "Parley";
  }

  #wire() {
    const { signal } = this.#gone;
    const on = (/** @type {string} */ id, /** @type {string} */ kind, /** @type {(event: Event) => void} */ what) =>
      byId(id).addEventListener(kind, what, { signal });
    on("leave", "click", () => this.#leave());
    on("record", "click", () => (this.#recorder ? this.#stopRecording() : this.#record()));
    on("figures", "click", () => this.#toggleFigures());
    on("share", "click", () => openShare(this.#server, this.#id));
    on("file", "change", () => this.#sayFile());
    on("prompt-form", "submit", (event) => {
      event.preventDefault();
      this.#prompt(byId("prompt", "input").value);
    });
    window.addEventListener("pagehide", () => this.#call.close(), { signal });
    window.addEventListener("online", () => this.#call.retry(), { signal });
  }

  /** @param {Standing} standing */
  #stand(standing) {
    this.#stage.stand(standing);
    const { state, why } = standing;
    if (state !== "ended" && state !== "refused") return;
    this.#isOver = true;
    byId("share").hidden = true;
    byId("where").querySelector(".viewers")?.remove();
    this.#voice.close();
    this.#stopRecording();
    this.#onOver(state, why);
  }

  async #lookAgain() {
    const { signal } = this.#gone;
    while (!signal.aborted && !this.#isOver) {
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
    const { seats, viewers, scene, prompt } = this.#room;
    const title = TEXT.sceneName(scene);
    this.#stage.fit(this.#room);
    byId("where").replaceChildren(make("strong", {}, title), make("span", { class: "viewers" }, TEXT.watching(viewers)));
    byId("room-title").textContent = title;
    document.title = `${title} – Parley`;
    const field = byId("prompt", "input");
    if (!field.value && document.activeElement !== field) field.placeholder = prompt || TEXT.promptPlaceholder;
    const maySpeak = seats.some((seat) => this.#server.maySpeak(seat.number));
    byId("direct").hidden = !maySpeak;
    byId("bot-hint").hidden = !maySpeak;
    this.#showSeats();
  }

  #showSeats() {
    byId("leave").hidden = this.#call.seat === null;
    if (!this.#room) return;
    const files = new Map([...this.#files].map(([seat, file]) => [seat, file ? file.progress : null]));
    const maySpeak = (/** @type {number} */ seat) => this.#server.maySpeak(seat);
    this.#seats.show(this.#room.seats, { own: this.#call.seat, files, maySpeak, isBusy: this.#isBusy });
  }

  /** Hear events for as long as the room is shown. */
  async #listen() {
    const { signal } = this.#gone;
    while (!signal.aborted && !this.#isOver) {
      try {
        for await (const event of this.#server.events(this.#id, signal)) this.#heard(event);
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof ProtocolError) console.error(error.message);
      }
      await pause(LISTEN_AGAIN_MS, signal);
      if (signal.aborted) return;
      await this.#server.room(this.#id).catch((error) => {
        if (error instanceof Problem && error.code === "offline") this.#call.breakOff();
        if (error instanceof Problem && error.code === "not_found") this.#call.end("gone");
      });
    }
  }

  /** @param {RoomEvent} event */
  #heard({ kind, seat, data }) {
    const spoken = this.#room?.seats.find((each) => each.number === seat);
    if (kind === "metrics") this.#figures.server = data;
    else if (kind === "warning") notify(TEXT.warning(data.reason, Math.round(data.seconds_left)), true);
    else if (kind === "closing" || kind === "ended") this.#call.end(String(data.reason));
    else if (kind === "prompt_changed") byId("prompt", "input").placeholder = String(data.prompt);
    else if (SEAT_EVENTS.test(kind)) this.#look();
    else if (spoken && ["voice_started", "speak_started"].includes(kind)) this.#speaks(spoken, true);
    else if (spoken && ["voice_stopped", "speak_ended"].includes(kind)) this.#speaks(spoken, false);
  }

  /** @param {import("./protocol.js").Seat} seat @param {boolean} isSpeaking */
  #speaks(seat, isSpeaking) {
    seat.is_speaking = isSpeaking;
    this.#showSeats();
  }

  /** @param {number} seat */
  async #join(seat) {
    notify("");
    this.#isBusy = true;
    this.#showSeats();
    const track = await this.#voice.open();
    if (track) {
      await act(() => this.#call.join(seat, track));
      if (this.#call.seat === null) this.#voice.close();
    }
    this.#isBusy = false;
    if (this.#call.seat !== null) {
      byId("mute").focus();
      const seats = this.#room?.seats.length ?? 1;
      this.#figures.watchLips(() => this.#voice.microphone?.rms() ?? 0, seat, seats);
      this.#stage.sound(true);
    }
    await this.#look();
  }

  async #leave() {
    this.#voice.close();
    this.#figures.forgetLips();
    await act(() => this.#call.leaveSeat());
    await this.#look();
  }

  /** @param {number} seat */
  #askFile(seat) {
    this.#fileSeat = seat;
    byId("file", "input").click();
  }

  async #sayFile() {
    const input = byId("file", "input"), seat = this.#fileSeat;
    const chosen = input.files?.[0];
    input.value = "";
    if (!chosen || this.#files.has(seat)) return;
    notify("");
    this.#files.set(seat, null);
    this.#showSeats();
    const showing = setInterval(() => this.#showSeats(), FILE_MS);
    try {
      const said = new SpokenFile(this.#server, this.#id, seat, await readSpeech(chosen));
      this.#files.set(seat, said);
      await said.done;
    } catch (error) {
      notify(error instanceof NoSoundError ? TEXT.noSound : TEXT.closedSocket);
    } finally {
      clearInterval(showing);
      this.#files.delete(seat);
      await this.#look();
    }
  }

  #record() {
    const stream = this.#call.connection?.stream;
    if (!stream || !Recorder.isPossible) return notify(TEXT.cannotRecord);
    this.#recorder = new Recorder(stream, this.#voice.microphone?.stream ?? null, this.#figures.lipsMs);
    this.#showRecording(true);
  }

  async #stopRecording() {
    const recorder = this.#recorder;
    this.#recorder = null;
    if (!recorder) return;
    this.#showRecording(false);
    const film = await recorder.stop();
    if (!film.size) return notify(TEXT.nothingRecorded);
    download(film, `parley-${new Date().toISOString().slice(0, 19).replaceAll(":", "-")}`);
  }

  /** @param {boolean} isOn */
  #showRecording(isOn) {
    byId("recording").hidden = !isOn;
    byId("record").setAttribute("aria-pressed", String(isOn));
    relabel(byId("record"), isOn ? "stop" : "record", isOn ? TEXT.stopRecording : TEXT.record);
  }

  #toggleFigures() {
    const isShown = byId("stats").hidden !== false;
    this.#figures.show(isShown);
    byId("figures").setAttribute("aria-pressed", String(isShown));
  }

  #suggest() {
    const chips = TEXT.suggestions.map((words) => make("button", { type: "button", onclick: () => this.#prompt(words) }, words));
    byId("suggestions").replaceChildren(...chips);
  }

  /** @param {string} words */
  async #prompt(words) {
    if (!words.trim()) return;
    const field = byId("prompt", "input");
    await act(async () => {
      await this.#server.prompt(this.#id, words.trim());
      field.value = "";
      field.placeholder = words.trim();
    });
  }
}

/** Do something, and say why it failed, if it did. @param {() => Promise<unknown>} work */
async function act(work) {
  try {
    await work();
    return true;
  } catch (error) {
    notify(error instanceof Error ? error.message : String(error));
    return false;
  }
}
