// Keeps the focus near where it was. Many a button makes room for others once it is pressed: Teach for the digits, Pause
// for Resume. Whoever presses it with a key would lose the focus, and hear or see nothing of what came in its place.

const REGIONS = '[data-testid=stMain], [data-testid=stSidebar]'
const FLOATING = '#stFloatingOverlayPortal' // popovers.js takes care of the focus there
const GOING = '[data-retained]' // Streamlit keeps what goes, hidden, for a moment
const FOCUSABLE = 'a[href], button, input, select, textarea, summary, [tabindex]'

/**
 * @typedef {{part: Element, index: number}} Place  how many parts that take the focus come before, within a part around
 * @typedef {{element: HTMLElement, places: Place[], page: string}} Noted
 */

let listening

export default function () {
  listening ??= listen()
  return () => {
    listening?.abort()
    listening = undefined
  }
}

/** @returns {AbortController} ends it */
function listen() {
  const ending = new AbortController()
  const options = { capture: true, signal: ending.signal }
  /** @type {Noted | null} */
  let noted = null // what a person with keys is on
  /** @type {HTMLElement | null} */
  let given = null // what got the focus here while the key that was pressed may still be down

  function note(element) {
    if (!element.closest?.(FLOATING)) noted = element.matches?.(':focus-visible') ? noteOf(element) : null
  }

  // Whoever leaves what is still there, for no other part of the page, wants no focus.
  function forgetIfLeft() {
    if (noted && !isGone(noted.element) && !noted.element.disabled && document.activeElement === document.body) noted = null
  }

  function look() {
    if (!noted || !isGone(noted.element)) return
    const { element, places, page } = noted
    const isLost = document.activeElement === document.body || document.activeElement === element
    noted = null
    if (!isLost || location.pathname !== page) return
    given = partAt(places)
    given?.focus({ preventScroll: true })
  }

  document.addEventListener('focusin', ({ target }) => note(target), options)
  document.addEventListener('focusout', () => setTimeout(forgetIfLeft), options)
  document.addEventListener('pointerdown', ({ isTrusted }) => { if (isTrusted) noted = null }, options)
  document.addEventListener('keyup', () => { given = null }, options)
  document.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' && event.key !== ' ') return
    if (!event.repeat) note(event.target) // the page may have changed since it got the focus
    else if (event.target === given) event.preventDefault() // a key that is held has pressed something else
  }, options)
  const observer = new MutationObserver(look)
  observer.observe(document.body, { childList: true, subtree: true, attributes: true, attributeFilter: ['data-retained'] })
  ending.signal.addEventListener('abort', () => observer.disconnect())
  return ending
}

/** @returns {Noted | null} where an element is in each part around it; nothing if it is on no part of the page */
function noteOf(element) {
  const region = element.closest(REGIONS)
  if (!region) return null
  const places = []
  for (let part = element.parentElement; part; part = part === region ? null : part.parentElement) {
    places.push({ part, index: focusable(part).filter((other) => isBefore(other, element)).length })
  }
  return { element, places, page: location.pathname }
}

/**
 * @param {Place[]} places  from the inside out
 * @returns {HTMLElement | undefined} what is now at the place, or before it if there is no longer so much
 */
function partAt(places) {
  for (const { part, index } of places) {
    const parts = isGone(part) ? [] : focusable(part)
    if (parts.length) return parts[Math.min(index, parts.length - 1)]
  }
  return undefined
}

/** @returns {HTMLElement[]} */
function focusable(part) {
  return [...part.querySelectorAll(FOCUSABLE)].filter((other) => (
    !other.disabled && other.tabIndex >= 0 && other.checkVisibility({ visibilityProperty: true }) && !isGone(other)
  ))
}

function isGone(element) {
  return !element.isConnected || Boolean(element.closest(GOING))
}

function isBefore(other, element) {
  return Boolean(element.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_PRECEDING)
}
