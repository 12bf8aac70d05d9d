// Popovers for people without a mouse. Streamlit puts what floats above the page at the end of the document: the Tab key
// would come to it after everything else, and when a popover closes by itself, the focus would be lost. So a popover that
// was opened by a key takes the focus, and gives it back. What floats also becomes a part of the page with a name.

const FLOATING = 'stFloatingOverlayPortal'
const REGIONS = { [`#${FLOATING}`]: 'Popovers', 'body > * > [data-testid=stSelectboxVirtualDropdown]': 'Choices' }
const POPOVER = '[data-testid=stPopoverBody]'
const BUTTON = '[data-testid=stPopoverButton]'
const TURN = '[class*=st-key-closes_popover]:not([data-retained])' // Streamlit keeps what goes, hidden, for a moment
const FIELD_FOR_FILES = '[data-testid=stFileUploaderDropzone]'

const watches = new WeakMap()

export default function ({ parentElement }) {
  if (!watches.has(parentElement)) watches.set(parentElement, watch())
  return () => {
    watches.get(parentElement)?.disconnect()
    watches.delete(parentElement)
  }
}

/** @returns {MutationObserver} ends with it */
function watch() {
  /** @type {{popover: Element, button: HTMLElement} | null} */
  let open = null
  let floating = null
  let seen = null
  let turn = ''

  function look() {
    nameRegions()
    if (!floating?.isConnected) watchFloating()
    if (open && !open.popover.isConnected) giveBack()
    // Streamlit calls its field for files a mere decoration, and gives it a name all the same.
    floating?.querySelector(`${FIELD_FOR_FILES}[role=presentation]`)?.setAttribute('role', 'group')
    const popover = floating?.querySelector(POPOVER)
    const newTurn = turnOf(popover)
    if (popover && popover !== seen) enter(popover)
    else if (turn && newTurn && turn !== newTurn) setTimeout(close, 0, popover)
    if (popover !== seen || newTurn) turn = newTurn // what a popover contains may come after it
    seen = popover
  }

  function watchFloating() {
    floating = document.getElementById(FLOATING)
    if (floating) observer.observe(floating, { childList: true, subtree: true })
  }

  function enter(popover) {
    const button = document.activeElement
    if (!button?.matches(`${BUTTON}:focus-visible`)) return
    open = { popover, button }
    popover.tabIndex = -1
    popover.focus({ preventScroll: true })
  }

  function giveBack() {
    const { button } = open
    open = null
    if (document.activeElement === document.body) button.focus({ preventScroll: true })
  }

  // With keys as Escape does, which gives the focus to the popover's button. Without them the focus would show the help
  // of the button, which nothing takes away again: so then as a click beside the popover does.
  function close(popover) {
    const focused = document.activeElement
    const isByKey = popover.contains(focused) ? focused.matches(':focus-visible') : open
    if (isByKey) {
      popover.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }))
      return
    }
    open = null // nor is the focus to be given back
    for (const type of ['pointerdown', 'click']) document.body.dispatchEvent(new Event(type, { bubbles: true }))
  }

  const observer = new MutationObserver(look)
  observer.observe(document.body, { childList: true })
  look()
  return observer
}

function nameRegions() {
  for (const [selector, name] of Object.entries(REGIONS)) {
    const region = document.querySelector(selector)
    region?.setAttribute('role', 'region')
    region?.setAttribute('aria-label', name)
  }
}

// A key of something in the popover, by which the server tells that the popover has served; see popovers.py.
function turnOf(popover) {
  return popover?.querySelector(TURN)?.className.match(/st-key-(closes_popover\S*)/)[1]
}
