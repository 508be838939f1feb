// Finding and making elements.

/** Find an element that the page surely has; the tag says its type.
 * @overload @param {string} id @returns {HTMLElement} */
/** @template {keyof HTMLElementTagNameMap} K
 * @overload @param {string} id @param {K} tag @returns {HTMLElementTagNameMap[K]} */
/** @param {string} id @param {string} [tag] @returns {HTMLElement} */
export function byId(id, tag) {
  const found = document.getElementById(id);
  if (!found || (tag && found.localName !== tag)) throw new Error(`the page has no ${tag ?? ""}#${id}`);
  return found;
}

/** Make an element. Text is always text, never markup.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string | boolean | EventListener>} [how] attributes; `onclick` and such are listeners
 * @param {...(Node | string)} inside
 * @returns {HTMLElementTagNameMap[K]} */
export function make(tag, how = {}, ...inside) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(how)) {
    if (typeof value === "function") made.addEventListener(name.slice(2), value);
    else if (typeof value === "boolean") made.toggleAttribute(name, value);
    else made.setAttribute(name, value);
  }
  made.append(...inside);
  return made;
}

/** Make an icon of icons.svg. @param {string} name */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS(svg.namespaceURI, "use");
  use.setAttribute("href", `meeting/icons.svg#${name}`);
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

/** Change the icon and the words of a button. @param {Element} button @param {string} name @param {string} words */
export function relabel(button, name, words) {
  button.querySelector("use")?.setAttribute("href", `meeting/icons.svg#${name}`);
  const label = button.querySelector("span");
  if (label && label.textContent !== words) label.textContent = words;
}

/** Say what went wrong above everything else; the empty string takes it back.
 * @param {string} words @param {boolean} [isCalm] nothing went wrong */
export function notify(words, isCalm = false) {
  const notice = byId("notice");
  notice.classList.toggle("calm", isCalm);
  notice.textContent = words;
  notice.hidden = !words;
}

/** Wait. @param {number} ms @param {AbortSignal} [signal] ends the wait early */
export function pause(ms, signal) {
  return new Promise((done) => {
    if (signal?.aborted) return done(undefined);
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", () => { clearTimeout(timer); done(undefined); }, { once: true });
  });
}
