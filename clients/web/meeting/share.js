// The dialog with the link to a room, and a token in it where the server wants one.
import { byId } from "./dom.js";
import { readClaims } from "./protocol.js";
import { TEXT } from "./text.js";

/** @typedef {import("./server.js").Server} Server */

/** Write the link to a room. A token stays behind the #, which browsers keep to themselves.
 * @param {string} room @param {string} token */
export function linkTo(room, token) {
  const url = new URL(location.pathname, location.href);
  url.searchParams.set("room", room);
  if (token) url.hash = new URLSearchParams({ token }).toString();
  return url.href;
}

/** Say what a token lets people do. @param {string} token @returns {string | null} null when it must not be shared */
function describe(token) {
  const claims = readClaims(token);
  if (!claims || claims.role === "admin") return null;
  const until = new Date(claims.exp * 1000).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  return TEXT.share.own(claims.role === "view" ? "watch" : "speak", until);
}

/** Open the dialog. @param {Server} server @param {string} room */
export function openShare(server, room) {
  const dialog = byId("share-dialog", "dialog");
  const link = byId("share-link", "input"), field = byId("share-token", "input"), text = byId("share-text");
  field.value = describe(server.token) ? server.token : "";
  byId("share-token-part").hidden = !server.token;
  const write = () => {
    const said = describe(field.value);
    link.value = linkTo(room, said ? field.value : "");
    text.textContent = server.token ? (said ?? TEXT.share.admin + room) : TEXT.share.open;
  };
  field.oninput = write;
  byId("copy").onclick = () => copy(link, text);
  write();
  dialog.showModal();
  link.select();
}

/** @param {HTMLInputElement} link @param {HTMLElement} text */
async function copy(link, text) {
  link.select();
  try {
    await navigator.clipboard.writeText(link.value);
  } catch {
    document.execCommand("copy"); // pages without https have no clipboard
  }
  text.textContent = TEXT.share.copied;
}
