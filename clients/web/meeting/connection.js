// One peer connection: watch a room by WHEP, or speak and watch by join. It is never repaired: a new one replaces it.
import { pause } from "./dom.js";
import { readIceServers, writeFragment } from "./protocol.js";

/** @typedef {import("./server.js").Server} Server */
/** @typedef {{sdp: string, ice: RTCIceServer[], url: string, id: string | null, tag: string}} Answer */
/** @typedef {{seat: number, track: MediaStreamTrack, replaces: string | null}} Voice */

const GATHER_MS = 60; // candidates of one host come together: one request for them
const GOODBYE_MS = 3000;
const DISCONNECTED_MS = 2500; // a short hole in the network heals by itself

export class Connection {
  /** Connect, and give what plays as soon as its packets come.
   * @param {Server} server @param {string} room @param {Voice | null} voice null to watch only */
  static async open(server, room, voice) {
    const made = new Connection(server, room, voice);
    try {
      await made.#negotiate();
    } catch (error) {
      made.close();
      throw error;
    }
    return made;
  }

  /** @param {Server} server @param {string} room @param {Voice | null} voice */
  constructor(server, room, voice) {
    this.seat = voice?.seat ?? null;
    this.stream = new MediaStream();
    this.pc = new RTCPeerConnection();
    /** @type {string | null} */
    this.id = null; // of a join; the next one names it, to come back to its seat
    this.#server = server;
    this.#room = room;
    this.#voice = voice;
    this.pc.addEventListener("track", ({ track }) => this.stream.addTrack(track));
    this.pc.addEventListener("connectionstatechange", () => this.#look());
    /** Ends when the connection is broken or closed. @type {Promise<string>} */
    this.over = new Promise((done) => { this.#end = done; });
  }

  #server;
  #room;
  #voice;
  /** @type {(why: string) => void} */
  #end = () => {};
  /** @type {Answer | null} */
  #answer = null;
  /** @type {RTCIceCandidate[]} */
  #candidates = [];
  #isSending = false;

  /** Send another microphone without a new connection. @param {MediaStreamTrack} track */
  async replaceTrack(track) {
    await this.pc.getSenders().find((sender) => sender.track?.kind === "audio")?.replaceTrack(track);
  }

  /** Tell the server goodbye and stop; ends when the server knows. Does no harm twice.
   * @param {string} [why] `ended`: it knows already */
  async close(why = "closed") {
    this.#end(why);
    const url = this.#answer?.url;
    this.#answer = null;
    if (!url || why === "ended") return this.pc.close();
    for (const { track } of this.pc.getReceivers()) track.enabled = false; // silent from now on
    // keepalive: it is sent even while the page goes away. Told first: a session that ended over its connection
    // is not there any more when it is told.
    const goodbye = { method: "DELETE", keepalive: true, signal: AbortSignal.timeout(GOODBYE_MS) };
    await this.#server.ask(url, goodbye).catch(() => {}); // gone is gone
    this.pc.close();
  }

  async #negotiate() {
    const { pc } = this;
    const voice = this.#voice;
    pc.addTransceiver(voice ? voice.track : "audio", { direction: voice ? "sendrecv" : "recvonly" });
    pc.addTransceiver("video", { direction: "recvonly" });
    pc.addEventListener("icecandidate", ({ candidate }) => this.#trickle(candidate));
    const offer = await pc.createOffer();
    // Posted before anything is gathered: the answer brings the TURN servers that gathering needs.
    const isEarly = Boolean(offer.sdp?.includes("a=ice-ufrag"));
    if (!isEarly) await pc.setLocalDescription(offer);
    const sdp = pc.localDescription?.sdp ?? offer.sdp ?? "";
    const answer = (this.#answer = await (voice ? this.#join(sdp, voice) : this.#watch(sdp)));
    this.id = answer.id;
    if (answer.ice.length) pc.setConfiguration({ iceServers: answer.ice });
    if (isEarly) await pc.setLocalDescription(offer);
    await pc.setRemoteDescription({ type: "answer", sdp: answer.sdp });
  }

  /** @param {string} sdp @returns {Promise<Answer>} */
  async #watch(sdp) {
    const init = { method: "POST", body: sdp, headers: { "Content-Type": "application/sdp" } };
    const answer = await this.#server.ask(`rooms/${this.#room}/whep`, init);
    const ice = readIceServers(answer.headers.get("Link"));
    const tag = answer.headers.get("ETag") ?? "";
    return { sdp: await answer.text(), ice, url: relative(answer), id: null, tag };
  }

  /** @param {string} sdp @param {Voice} voice @returns {Promise<Answer>} */
  async #join(sdp, voice) {
    const said = { sdp, type: "offer", pc_id: voice.replaces, restart_pc: false, requestData: { seat: voice.seat } };
    const answer = await this.#server.send(`rooms/${this.#room}/join`, "POST", said);
    const body = await answer.json();
    const ice = readIceServers(answer.headers.get("Link"));
    return { sdp: body.sdp, ice, url: `rooms/${this.#room}/join/${body.pc_id}`, id: body.pc_id, tag: "" };
  }

  /** @param {RTCIceCandidate | null} candidate */
  async #trickle(candidate) {
    if (candidate?.candidate) this.#candidates.push(candidate);
    if (this.#isSending || !this.#candidates.length) return;
    this.#isSending = true;
    await pause(GATHER_MS);
    const sent = this.#candidates.splice(0);
    this.#isSending = false;
    await this.#sendCandidates(sent).catch(() => {}); // those of the answer may do; else it fails by itself
  }

  /** @param {RTCIceCandidate[]} candidates */
  async #sendCandidates(candidates) {
    const answer = this.#answer;
    if (!answer) return;
    if (answer.id !== null) {
      const listed = candidates.map((each) => ({
        candidate: each.candidate, sdp_mid: each.sdpMid, sdp_mline_index: each.sdpMLineIndex,
      }));
      await this.#server.send(`rooms/${this.#room}/join`, "PATCH", { pc_id: answer.id, candidates: listed });
      return;
    }
    const body = writeFragment(this.pc.localDescription?.sdp ?? "", candidates);
    const headers = { "Content-Type": "application/trickle-ice-sdpfrag", "If-Match": answer.tag };
    await this.#server.ask(answer.url, { method: "PATCH", body, headers });
  }

  async #look() {
    const { pc } = this;
    if (pc.connectionState === "failed") this.#end("failed");
    if (pc.connectionState !== "disconnected") return;
    await pause(DISCONNECTED_MS);
    if (pc.connectionState === "disconnected") this.#end("disconnected");
  }
}

/** Give the session's URL from the Location header, relative to where the answer came from. @param {Response} answer */
function relative(answer) {
  const said = answer.headers.get("Location") ?? "";
  return new URL(said.split("/").slice(-1)[0], `${answer.url}/`).href;
}
