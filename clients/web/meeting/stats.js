// Figures of the connection, once a second, from getStats.

/** @typedef {{fps: number, width: number, height: number, videoKbps: number, audioKbps: number, jitterMs: number, bufferMs: number, rttMs: number | null, lost: number}} Figures */
/** @typedef {{at: number, video: number, audio: number, delay: number, emitted: number}} Counts */

/** @param {any} report @returns {Counts} */
function countsOf({ video, audio, at }) {
  return {
    at,
    video: video?.bytesReceived ?? 0,
    audio: audio?.bytesReceived ?? 0,
    delay: video?.jitterBufferDelay ?? 0,
    emitted: video?.jitterBufferEmittedCount ?? 0,
  };
}

export class Meter {
  /** @type {Counts | null} */
  #before = null;
  /** @type {RTCPeerConnection | null} */
  #pc = null;

  /** Measure since the last call. @param {RTCPeerConnection} pc @returns {Promise<Figures | null>} null the first time */
  async measure(pc) {
    if (pc !== this.#pc) this.#before = null;
    this.#pc = pc;
    /** @type {any} */
    const found = { at: performance.now(), lost: 0, rtt: null };
    for (const each of (await pc.getStats()).values()) {
      if (each.type === "inbound-rtp") {
        found[each.kind] = each;
        found.lost += Math.max(0, each.packetsLost ?? 0);
      }
      if (each.type === "candidate-pair" && (each.nominated || each.selected)) {
        found.rtt = each.currentRoundTripTime ?? found.rtt;
      }
    }
    const now = countsOf(found), before = this.#before;
    this.#before = now;
    return before && found.video ? figures(found, now, before) : null;
  }
}

/** @param {any} found @param {Counts} now @param {Counts} before @returns {Figures} */
function figures({ video, lost, rtt }, now, before) {
  const seconds = (now.at - before.at) / 1000;
  const frames = now.emitted - before.emitted;
  return {
    fps: video.framesPerSecond ?? 0,
    width: video.frameWidth ?? 0,
    height: video.frameHeight ?? 0,
    videoKbps: ((now.video - before.video) * 8) / 1000 / seconds,
    audioKbps: ((now.audio - before.audio) * 8) / 1000 / seconds,
    jitterMs: (video.jitter ?? 0) * 1000,
    bufferMs: frames > 0 ? ((now.delay - before.delay) / frames) * 1000 : 0,
    rttMs: rtt === null ? null : rtt * 1000,
    lost,
  };
}
