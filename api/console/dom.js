/** @typedef {Node | string | number | null | undefined | false} Child */
/** @typedef {string | number | boolean | undefined | ((event: Event) => void)} Attribute */
/** @typedef {Readonly<Record<string, Attribute>>} Attributes */

const SVG = 'http://www.w3.org/2000/svg'

/**
 * An element with its children. Text becomes text nodes, never markup: values come from customers. A function is a
 * listener of the event that its name says; `true` sets an empty attribute, `false` and undefined none.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Attributes} attributes
 * @param {readonly Child[]} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, attributes, ...children) {
  const element = document.createElement(tag)
  setAttributes(element, attributes)
  element.append(...nodes(children))
  return element
}

/**
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} tag
 * @param {Attributes} attributes
 * @param {readonly Child[]} children
 * @returns {SVGElementTagNameMap[K]}
 */
export function svg(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag)
  setAttributes(element, attributes)
  element.append(...nodes(children))
  return element
}

/**
 * Replaces what an element holds.
 * @param {Element} element
 * @param {readonly Child[]} children
 */
export function fill(element, ...children) {
  element.replaceChildren(...nodes(children))
}

/**
 * Sets the text only where it differs, so that a screen reader isn't told the same again.
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text
}

/**
 * @param {Element} element
 * @param {Attributes} attributes
 */
function setAttributes(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(name, value)
    else if (value === true) element.setAttribute(name, '')
    else if (value !== undefined && value !== false) element.setAttribute(name, String(value))
  }
}

/**
 * @param {readonly Child[]} children
 * @returns {(Node | string)[]}
 */
function nodes(children) {
  const shown = []
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue
    shown.push(typeof child === 'number' ? String(child) : child)
  }
  return shown
}
