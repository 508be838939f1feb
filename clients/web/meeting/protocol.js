// What is said over the wire, as docs/protocol.md has it: types, and readers that refuse what they do not know.

/** @typedef {{number: number, name: string, is_taken: boolean, is_connected: boolean, is_speaking: boolean, kind: "live" | "bot" | null}} Seat */
/** @typedef {{id: string, scene: string, prompt: string | null, state: "idle" | "live" | "closing" | "ended", width: number, height: number, fps: number, seats: Seat[], viewers: number, is_recorded: boolean, is_ai_generated: true, has_badge: boolean}} Room */
/** @typedef {[number, number, number, number]} Box left, top, right, bottom in pixels of the scene's picture */
/** @typedef {{id: string, name: string, origin: "bundle" | "upload" | "null", people: number, boxes: Box[], people_names: string[], prompt: string, picture_width: number, picture_height: number, width: number | null, height: number | null, is_ready: boolean, problem: string | null}} Scene */
/** @typedef {{kind: string, seat: number | null, at_ms: number, data: Record<string, any>}} RoomEvent */
/** @typedef {{type: string} & Record<string, any>} SocketMessage */
/** @typedef {{room: string, role: "view" | "publish" | "admin", seat?: number | null, exp: number}} Claims */

const SAID_TO_SEATS = new Set([
  "ready", "speak_started", "speak_ended", "cleared", "prompt_changed", "metrics", "warning", "error",
  "events_lost", "closing",
]);
const SAID_OF_ROOMS = new Set([
  ...SAID_TO_SEATS, "seat_joined", "seat_lost", "seat_resumed", "seat_left", "viewer_joined", "viewer_left",
  "voice_started", "voice_stopped", "rung_changed", "ended",
]);

/** Something came that the protocol does not have. */
export class ProtocolError extends Error {}

/** Read a text message of a seat's websocket. @param {string} text @returns {SocketMessage} */
export function readSocketMessage(text) {
  const message = asObject(text);
  if (!SAID_TO_SEATS.has(message.type)) throw new ProtocolError(`unknown message ${String(message.type)}`);
  return /** @type {SocketMessage} */ (message);
}

/** Read one event of a room, as its lines in text/event-stream; null for a comment.
 * @param {string} block @returns {RoomEvent | null} */
export function readEvent(block) {
  let kind = "", data = "";
  for (const line of block.split("\n")) {
    if (line.startsWith("event: ")) kind = line.slice(7);
    else if (line.startsWith("data: ")) data += line.slice(6);
  }
  if (!kind) return null;
  if (!SAID_OF_ROOMS.has(kind)) throw new ProtocolError(`unknown event ${kind}`);
  const { seat = null, at_ms = 0, ...rest } = asObject(data);
  return { kind, seat, at_ms, data: rest };
}

/** Read the claims of a token. Only the server can check them; null when it is no token.
 * @param {string} token @returns {Claims | null} */
export function readClaims(token) {
  try {
    const middle = token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/");
    return JSON.parse(atob(middle));
  } catch {
    return null;
  }
}

/** Read the ICE servers of Link headers, RFC 9725 section 4.6. @param {string | null} header @returns {RTCIceServer[]} */
export function readIceServers(header) {
  const servers = [];
  for (const [, urls, rest] of (header ?? "").matchAll(/<((?:stun|turns?):[^>]+)>((?:;[^,]*)*)/g)) {
    if (!/rel="?ice-server"?/.test(rest)) continue;
    const username = /username="([^"]*)"/.exec(rest)?.[1];
    const credential = /credential="([^"]*)"/.exec(rest)?.[1];
    servers.push(username ? { urls, username, credential } : { urls });
  }
  return servers;
}

/** Write candidates as trickle-ice-sdpfrag, RFC 8840. @param {string} offer @param {RTCIceCandidate[]} candidates */
export function writeFragment(offer, candidates) {
  const credentials = ["ice-ufrag", "ice-pwd"].map((name) => new RegExp(`a=${name}:\\S+`).exec(offer)?.[0] ?? "");
  const lines = candidates.flatMap(({ candidate, sdpMid }) => [
    "m=audio 9 UDP/TLS/RTP/SAVPF 0", `a=mid:${sdpMid ?? "0"}`, `a=${candidate}`,
  ]);
  return [...credentials, ...lines, ""].join("\r\n");
}

/** @param {string} text @returns {Record<string, any>} */
function asObject(text) {
  /** @type {unknown} */
  let value = null;
  try {
    value = JSON.parse(text);
  } catch {
    // not JSON: said below
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new ProtocolError(`not a JSON object: ${text.slice(0, 80)}`);
  }
  return value;
}
