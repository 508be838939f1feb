// Where the page begins: which of its views is shown, by the link and by what the token allows.
import { byId, notify, pause } from "./dom.js";
import { SceneEditor } from "./editor.js";
import { Lobby } from "./lobby.js";
import { RoomView } from "./room.js";
import { Problem, Server } from "./server.js";
import { TEXT } from "./text.js";

/** @typedef {{close: () => void}} View */

const TRY_AGAIN_MS = 1500;
const server = Server.fromPage();
/** @type {View | null} */
let view = null;

/** @template {View} V @param {V} next @returns {V} */
function show(next) {
  view?.close();
  view = next;
  notify("");
  byId("door").hidden = true;
  return next;
}

/** Show what the address says; without a room in it the only room, else the lobby. */
async function begin() {
  const asked = new URLSearchParams(location.search);
  const room = asked.get("room");
  if (asked.has("door")) return openDoor("token");
  if (room) return enter(room, false);
  try {
    const rooms = await server.rooms();
    if (rooms.length === 1 && !asked.has("lobby")) await enter(rooms[0].id, true);
    else await openLobby();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (error.status === 401) return openDoor("token");
    if (error.status === 403) return openDoor("room");
    openDoor("offline");
    await pause(TRY_AGAIN_MS);
    return begin();
  }
}

/** @param {string} id @param {boolean} isOurChoice nobody asked for this very room: when it is gone, look again */
async function enter(id, isOurChoice) {
  byId("all-rooms").hidden = !server.isAdmin;
  const room = show(new RoomView(server, id, (why, reason) => {
    if (why === "refused" && !server.token) openDoor("token");
    else if (isOurChoice && why === "ended" && (reason === "gone" || reason === "draining")) lookAgain();
  }));
  await room.run();
}

async function lookAgain() {
  await pause(TRY_AGAIN_MS);
  await begin();
}

/** @param {string} id */
function goTo(id) {
  history.pushState(null, "", `?room=${encodeURIComponent(id)}`);
  enter(id, false);
}

async function openLobby() {
  byId("all-rooms").hidden = true;
  const edit = (/** @type {import("./protocol.js").Scene} */ scene) => show(new SceneEditor(server, scene, goTo, openLobby)).open();
  await show(new Lobby(server, goTo, edit)).open();
}

/** @param {"token" | "room" | "offline"} why */
function openDoor(why) {
  view?.close();
  view = null;
  byId("door").hidden = false;
  byId("door-title").textContent = TEXT.door[why].title;
  byId("door-text").textContent = TEXT.door[why].text;
  byId("door-form").hidden = why === "offline";
}

byId("door-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const token = byId("door-token", "input").value.trim(), room = byId("door-room", "input").value.trim();
  if (token) Server.remember(token);
  const asked = room || new URLSearchParams(location.search).get("room") || "";
  location.assign(asked ? `?room=${encodeURIComponent(asked)}` : location.pathname);
});
window.addEventListener("popstate", begin);
window.addEventListener("pageshow", (event) => event.persisted && location.reload()); // its calls have ended

await begin();
