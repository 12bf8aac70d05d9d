// A button's help is of no use once the button is pressed, and lies over what the press has brought. It goes then, until
// the pointer or the focus has been elsewhere; Streamlit leaves it, for a finger even for ever. The help of a question
// mark stays: that is what the mark is pressed for.

const WITH_HELP = '[data-testid="stTooltipHoverTarget"]'
const BUTTON = `${WITH_HELP} button:not([aria-label^="Help for"])`

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
  let place = null // of the button that was pressed; another one may be there by now
  let isByKey = false
  const show = () => {
    place = null
    delete document.documentElement.dataset.help
  }
  const hasLeft = ({ clientX: x, clientY: y }) => place && (x < place.left || x > place.right || y < place.top || y > place.bottom)
  document.addEventListener('click', ({ target }) => {
    const button = target.closest?.(BUTTON)
    if (!button) return
    place = button.getBoundingClientRect()
    document.documentElement.dataset.help = 'pressed' // style.css hides it
  }, options)
  document.addEventListener('pointerover', (event) => {
    if (event.pointerType === 'mouse' && hasLeft(event)) show()
  }, options)
  document.addEventListener('pointerdown', (event) => {
    if (event.target.closest?.(WITH_HELP) && hasLeft(event)) show()
  }, options)
  document.addEventListener('keydown', (event) => { isByKey = event.key === 'Tab' }, options)
  document.addEventListener('focusin', () => { if (isByKey) show() }, options)
  ending.signal.addEventListener('abort', show)
  return ending
}
