// Speech from text, by any service with OpenAI's call: POST {address}/audio/speech. The browser asks it, not our server.
import { readSpeech } from "../meeting/speak_file.js";
import { TEXT } from "./text.js";

/** @typedef {{address: string, model: string, voice: string, key: string}} Service `address` as https://api.openai.com/v1 */

/** The service cannot be asked, or said no. */
export class SpeechError extends Error {}

/** Split text so that the first words are heard before the last ones are made. @param {string} text */
export function sentences(text) {
  const found = new Intl.Segmenter(undefined, { granularity: "sentence" }).segment(text);
  return [...found].map(({ segment }) => segment.trim()).filter(Boolean);
}

/** Give speech as PCM, sentence by sentence. @param {Service} service @param {string} text @param {AbortSignal} signal */
export async function* speech(service, text, signal) {
  for (const sentence of sentences(text)) yield await readSpeech(await spoken(service, sentence, signal));
}

/** Ask for the names of voices; most services do not tell. @param {Service} service @returns {Promise<string[]>} */
export async function voices(service) {
  const answer = await ask(service, "audio/voices", {});
  const { voices: listed = [] } = await answer.json();
  return listed.map((/** @type {string | {id?: string, name?: string}} */ each) =>
    typeof each === "string" ? each : (each.id ?? each.name ?? ""),
  );
}

/** @param {Service} service @param {string} input @param {AbortSignal} signal */
async function spoken(service, input, signal) {
  const { model, voice } = service;
  const body = JSON.stringify({ model, voice, input, response_format: "wav" });
  const answer = await ask(service, "audio/speech", { method: "POST", body, signal });
  return answer.blob();
}

/** @param {Service} service @param {string} path @param {RequestInit} init */
async function ask({ address, key }, path, init) {
  const url = toUrl(address, path);
  const headers = new Headers(init.body ? { "Content-Type": "application/json" } : {});
  if (key) headers.set("Authorization", `Bearer ${key}`);
  let answer;
  try {
    answer = await fetch(url, { ...init, headers, referrerPolicy: "no-referrer", credentials: "omit" });
  } catch (error) {
    if (error instanceof DOMException) throw error; // we gave up ourselves
    throw new SpeechError(TEXT.serviceSilent(url.host));
  }
  if (answer.ok) return answer;
  const said = await answer.json().catch(() => ({}));
  throw new SpeechError(TEXT.serviceRefused(url.host, answer.status, said.error?.message ?? said.detail ?? ""));
}

/** @param {string} address @param {string} path */
function toUrl(address, path) {
  const url = URL.parse(`${address.trim().replace(/\/+$/, "")}/${path}`);
  if (!url || !/^https?:$/.test(url.protocol)) throw new SpeechError(TEXT.badAddress);
  return url;
}
