// Everything the bot page says by program, in one table.

/** @param {number} ms */
const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;

export const TEXT = {
  title: "Bot",
  /** @param {string} scene @param {string} id */
  room: (scene, id) => `${scene === "null" ? "Test picture" : scene} · ${id.slice(0, 6)}`,
  /** @param {string} name @param {"free" | "taken" | "own"} whose */
  seat: (name, whose) => ({ free: name, taken: `${name} (taken)`, own: `${name} (yours)` })[whose],
  /** @type {Record<string, string>} */
  state: { making: "is made into speech", waiting: "waits for its turn", speaking: "is spoken now" },
  /** @param {number} ms @param {number | null} beganMs */
  said: (ms, beganMs) => `said, ${seconds(ms)}${beganMs === null ? "" : `; it began ${seconds(beganMs)} after you asked`}`,
  /** @param {number} ms @param {boolean} hasBegun */
  interrupted: (ms, hasBegun) =>
    ms > 0 ? `interrupted after ${seconds(ms)}` : hasBegun ? "interrupted" : "dropped before it began",
  /** @param {string} why */
  failed: (why) => `not said: ${why}`,
  clip: (/** @type {number} */ count) => `Recorded clip ${count}`,
  record: "Record a clip",
  stopRecording: "Say the clip",
  noRooms: "Nobody meets here yet: open a room.",
  noFree: "Every person of this room has a voice already.",
  noText: "Write what is to be said.",
  noService: "Typed text needs a speech service: write its address below. A file or a clip needs none.",
  badAddress: "The address of the speech service is no http or https address.",
  noSound: "there is no sound in it that the browser can read",
  seatTaken: "somebody else has this person now",
  seatGone: "the connection broke; say it again",
  /** @type {Record<string, string>} */
  closing: {
    idle: "the seat was silent for too long; say it again",
    replaced: "another page took this seat",
    draining: "the server shuts down",
    ended: "the room has ended",
  },
  /** @param {string} host */
  serviceSilent: (host) => `${host} does not answer, or does not let pages of this address ask it (CORS)`,
  /** @param {string} host @param {number} status @param {string} detail */
  serviceRefused: (host, status, detail) => `${host} says ${status}${detail ? `: ${detail}` : ""}`,
};
