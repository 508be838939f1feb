// One peer connection to any server: by WHIP, by WHEP, or by a join call with an offer in JSON.
import { Problem } from "../meeting/server.js";

/** @typedef {{url: string, kind: "whip" | "whep" | "join", track: MediaStreamTrack | null, token: string, body?: Record<string, unknown>}} Target */

const GATHER_MS = 250;
const CONNECT_MS = 15_000;
const GOODBYE_MS = 2000;

export class Link {
  /** Connect; ends when media can flow. @param {Target} target */
  static async open(target) {
    const link = new Link(target);
    try {
      await link.#negotiate();
      await link.#connected();
    } catch (error) {
      await link.close();
      throw error;
    }
    return link;
  }

  /** @param {Target} target */
  constructor(target) {
    this.pc = new RTCPeerConnection();
    this.stream = new MediaStream();
    this.startedAt = 0;
    this.#target = target;
    this.pc.addEventListener("track", ({ track }) => this.stream.addTrack(track));
  }

  #target;
  /** @type {string | null} */
  #session = null;

  async close() {
    const url = this.#session;
    this.#session = null;
    const goodbye = { method: "DELETE", keepalive: true, signal: AbortSignal.timeout(GOODBYE_MS) };
    if (url) await fetch(url, { ...goodbye, headers: this.#headers() }).catch(() => {}); // gone is gone
    this.pc.close();
  }

  #headers() {
    return new Headers(this.#target.token ? { Authorization: `Bearer ${this.#target.token}` } : {});
  }

  async #negotiate() {
    const { pc } = this, { kind, track } = this.#target;
    if (kind !== "whep") pc.addTransceiver(track ?? "audio", { direction: kind === "whip" ? "sendonly" : "sendrecv" });
    else pc.addTransceiver("audio", { direction: "recvonly" });
    if (kind !== "whip") pc.addTransceiver("video", { direction: "recvonly" });
    await pc.setLocalDescription(await pc.createOffer());
    await gathered(pc);
    this.startedAt = performance.now();
    const sdp = await this.#post(pc.localDescription?.sdp ?? "");
    await pc.setRemoteDescription({ type: "answer", sdp });
  }

  /** @param {string} sdp */
  async #post(sdp) {
    const { url, kind, body } = this.#target, headers = this.#headers();
    headers.set("Content-Type", kind === "join" ? "application/json" : "application/sdp");
    const said = kind === "join" ? JSON.stringify({ sdp, type: "offer", pc_id: null, restart_pc: false, ...body }) : sdp;
    const answer = await fetch(url, { method: "POST", headers, body: said }).catch(() => {
      throw new Problem("offline", `${new URL(url).host} does not answer`);
    });
    if (!answer.ok) {
      const problem = await answer.json().catch(() => ({}));
      const detail = problem.detail ?? `${kind} was answered with status ${answer.status}`;
      throw new Problem(problem.code ?? "unknown", detail, answer.status);
    }
    const place = answer.headers.get("Location");
    if (kind !== "join") {
      this.#session = place && new URL(place, url).href;
      return answer.text();
    }
    const joined = await answer.json();
    this.#session = joined.pc_id ? `${url.split("?")[0]}/${joined.pc_id}` : null;
    return joined.sdp;
  }

  async #connected() {
    const { pc } = this;
    await new Promise((done, fail) => {
      const timer = setTimeout(() => fail(new Problem("offline", "no media path to the server was found")), CONNECT_MS);
      const look = () => {
        if (pc.connectionState === "connected") { clearTimeout(timer); done(undefined); }
        if (pc.connectionState === "failed") { clearTimeout(timer); fail(new Problem("offline", "the media path failed")); }
      };
      pc.addEventListener("connectionstatechange", look);
      look();
    });
  }
}

/** Wait for candidates, but not for long: those of this host come at once. @param {RTCPeerConnection} pc */
function gathered(pc) {
  return new Promise((done) => {
    if (pc.iceGatheringState === "complete") return done(undefined);
    setTimeout(done, GATHER_MS);
    pc.addEventListener("icegatheringstatechange", () => pc.iceGatheringState === "complete" && done(undefined));
  });
}
