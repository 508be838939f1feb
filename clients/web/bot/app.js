// Where the bot page begins: which room, by the link or by choice.
import { byId, make, notify } from "../meeting/dom.js";
import { Problem, Server } from "../meeting/server.js";
import { BotView } from "./bot_view.js";
import { Log } from "./log.js";
import { keepService } from "./service_form.js";
import { TEXT } from "./text.js";

const server = Server.fromPage();
const log = new Log();
/** @type {BotView | null} */
let view = null;

/** @param {string} id */
function enter(id) {
  view?.close();
  history.replaceState(null, "", `?room=${encodeURIComponent(id)}`);
  byId("to-meeting", "a").href = `./?room=${encodeURIComponent(id)}`;
  byId("room", "select").value = id;
  delete byId("seat").dataset.key;
  view = new BotView(server, id, log);
  view.run();
}

/** Fill the choice of rooms; a token of one room cannot list them. @param {string | null} asked */
async function listRooms(asked) {
  /** @type {{id: string, scene: string}[]} */
  let rooms = [];
  try {
    rooms = await server.rooms();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (!asked) return location.assign("./?door");
  }
  const ids = rooms.map(({ id }) => id);
  const options = rooms.map(({ id, scene }) => make("option", { value: id }, TEXT.room(scene, id)));
  if (asked && !ids.includes(asked)) options.push(make("option", { value: asked }, asked.slice(0, 6)));
  byId("room").replaceChildren(...options);
  byId("room-part").hidden = options.length < 2;
  byId("open-room").hidden = options.length > 0 || !server.isAdmin;
  const chosen = asked ?? ids[0];
  if (chosen) enter(chosen);
  else byId("curtain-text").textContent = TEXT.noRooms;
}

async function openRoom() {
  try {
    const scene = (await server.scenes()).find((each) => each.is_ready);
    if (!scene) return notify(TEXT.noRooms);
    const room = await server.openRoom({ scene: scene.id });
    notify("");
    await listRooms(room.id);
  } catch (error) {
    notify(error instanceof Error ? error.message : String(error));
  }
}

byId("room").addEventListener("change", () => enter(byId("room", "select").value));
byId("open-room").addEventListener("click", openRoom);
byId("say-form").addEventListener("submit", (event) => event.preventDefault());
window.addEventListener("pageshow", (event) => event.persisted && location.reload()); // its calls have ended
keepService();
await listRooms(new URLSearchParams(location.search).get("room"));
