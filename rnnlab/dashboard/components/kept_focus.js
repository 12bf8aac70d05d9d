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

const SETTLED = 80 // milliseconds without a change after which the page is looked at
const PATIENCE = 1000 // milliseconds for which an empty place is not given up

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
  let timer = 0
  /** @type {HTMLElement | null} */
  let given = null // what got the focus here while the key that was pressed may still be down

  function note(element) {
    if (!element.closest?.(FLOATING)) noted = element.matches?.(':focus-visible') ? noteOf(element) : null
  }

  // Whoever leaves what is still there, for no other part of the page, wants no focus.
  function forgetIfLeft() {
    if (!noted || document.activeElement !== document.body) return
    if (hasGone(noted.element)) look()
    else if (!noted.element.disabled) noted = null
  }

  function look() {
    if (!noted || !hasGone(noted.element)) return
    clearTimeout(timer) // what takes its place may come later than it goes
    timer = setTimeout(giveOn, SETTLED, noted, performance.now())
  }

  /**
   * @param {Noted} gone
   * @param {number} since  when its last part of the page was seen to change, in milliseconds
   */
  function giveOn(gone, since) {
    if (noted !== gone || !hasGone(gone.element)) return
    const { element, places, page } = gone
    const isLost = document.activeElement === document.body || document.activeElement === element
    const canWait = performance.now() - since < PATIENCE
    const place = isLost && location.pathname === page ? partAt(places, canWait) : null
    if (place === undefined && canWait) {
      timer = setTimeout(giveOn, SETTLED, gone, since)
      return
    }
    noted = null
    given = place ?? null
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
 * @param {boolean} canWait  whether the nearest part that is still there may be filled again
 * @returns {HTMLElement | undefined} what is now at the place, or before it if there is no longer so much
 */
function partAt(places, canWait) {
  for (const { part, index } of places.filter(({ part }) => !isGone(part))) {
    const parts = focusable(part)
    if (parts.length || canWait) return parts[Math.min(index, parts.length - 1)]
  }
  return undefined
}

/** @returns {HTMLElement[]} */
function focusable(part) {
  return [...part.querySelectorAll(FOCUSABLE)].filter((other) => (
    !other.disabled && other.tabIndex >= 0 && other.checkVisibility({ visibilityProperty: true }) && !isGone(other)
  ))
}

// What is about to go may be hidden already.
function hasGone(element) {
  return isGone(element) || !element.checkVisibility({ visibilityProperty: true })
}

function isGone(element) {
  return !element.isConnected || Boolean(element.closest(GOING))
}

function isBefore(other, element) {
  return Boolean(element.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_PRECEDING)
}
