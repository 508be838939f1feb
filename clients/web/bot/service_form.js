// The speech service that the user names: kept in the browser, but for its key.
import { byId, make } from "../meeting/dom.js";
import { voices } from "./speech.js";

/** @typedef {import("./speech.js").Service} Service */

const KEPT = "parley-speech";
const FIELDS = /** @type {const} */ (["address", "model", "voice"]);
const USUAL_VOICES = ["alloy", "ash", "coral", "echo", "nova", "onyx", "sage", "shimmer"];

/** Fill the form with what was used before, and keep what changes. */
export function keepService() {
  const kept = JSON.parse(localStorage.getItem(KEPT) ?? "{}");
  for (const name of FIELDS) {
    const field = byId(name, "input");
    field.value = kept[name] ?? field.value;
    field.addEventListener("change", () => {
      const now = Object.fromEntries(FIELDS.map((each) => [each, byId(each, "input").value.trim()]));
      localStorage.setItem(KEPT, JSON.stringify(now));
      if (name === "address") suggestVoices();
    });
  }
  suggestVoices();
}

/** Give what the form says; null, and the form opened, when no service is named. @returns {Service | null} */
export function chosenService() {
  const [address, model, voice, key] = [...FIELDS, "key"].map((name) => byId(name, "input").value.trim());
  if (address) return { address, model, voice, key };
  byId("service", "details").open = true;
  byId("address").focus();
  return null;
}

async function suggestVoices() {
  const [address, model, voice] = FIELDS.map((name) => byId(name, "input").value.trim());
  /** @type {string[]} */
  let named = [];
  if (address) named = await voices({ address, model, voice, key: byId("key", "input").value }).catch(() => []); // few services tell
  byId("voices").replaceChildren(...(named.length ? named : USUAL_VOICES).map((value) => make("option", { value })));
}
