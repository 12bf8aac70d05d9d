// Decides which keys reach Streamlit, which presses a button for each: not those of a key that is held down, none with a
// modifier, and none at all if the person has switched shortcuts off, which this browser remembers. Streamlit itself
// ignores what is typed into a field.

const MEMORY = 'rnnlab_shortcuts'

// If this browser keeps nothing, the choice lasts as long as the page.
let isOffHere = false

const switches = new WeakMap()

export default function ({ data, parentElement }) {
  const box = parentElement.querySelector('input')
  parentElement.querySelector('.keys').textContent = data.names
  box.checked = !isOff()
  if (!switches.has(parentElement)) switches.set(parentElement, createSwitch(box, data.keys))
  showState()
  return () => {
    switches.get(parentElement)?.abort()
    switches.delete(parentElement)
  }
}

/**
 * @param {HTMLInputElement} box
 * @param {string[]} keys  those that press buttons, as capital letters
 * @returns {AbortController} ends it
 */
function createSwitch(box, keys) {
  const listening = new AbortController()
  const { signal } = listening
  box.addEventListener('change', () => { remember(!box.checked); showState() }, { signal })
  // Another window of this browser.
  window.addEventListener('storage', () => { box.checked = !isOff(); showState() }, { signal })
  window.addEventListener('keydown', (event) => { if (isIgnored(event, keys)) event.stopImmediatePropagation() }, { capture: true, signal })
  return listening
}

/** @param {KeyboardEvent} event */
function isIgnored(event, keys) {
  const isTyped = event.composedPath().some((node) => node.matches?.('input, textarea, select, [contenteditable]'))
  // On some keyboards a digit takes the shift key; Streamlit goes by the place of the key.
  const names = [event.key?.toUpperCase(), event.code?.replace('Digit', '')]
  if (isTyped || !names.some((name) => keys.includes(name))) return false
  return isOff() || event.repeat || event.ctrlKey || event.altKey || event.metaKey
}

function isOff() {
  try {
    return localStorage.getItem(MEMORY) === 'off'
  } catch {
    return isOffHere
  }
}

function remember(off) {
  isOffHere = off
  try {
    if (off) localStorage.setItem(MEMORY, 'off')
    else localStorage.removeItem(MEMORY)
  } catch {
    // The page of another site around this one may forbid it.
  }
}

// style.css hides the keys on the buttons.
function showState() {
  document.documentElement.dataset.shortcuts = isOff() ? 'off' : 'on'
}
