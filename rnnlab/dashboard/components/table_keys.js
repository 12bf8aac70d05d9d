// Makes a table that Streamlit draws usable by keys as people expect. By itself the table chooses a row with Shift and Space
// only, goes through all its cells before Tab leaves it, and hears no arrow once Escape was pressed.

const CHOOSE = { key: ' ', code: 'Space', keyCode: 32, shiftKey: true, bubbles: true, cancelable: true }

const listeners = new WeakMap()

export default function ({ data, parentElement }) {
  listeners.get(parentElement)?.abort()
  const listening = new AbortController()
  listeners.set(parentElement, listening)
  const handle = (event) => handleKey(event, data.table)
  window.addEventListener('keydown', handle, { capture: true, signal: listening.signal })
  return () => listening.abort()
}

/**
 * @param {KeyboardEvent} event
 * @param {string} table  widget key of the table
 */
function handleKey(event, table) {
  const canvas = event.target.closest?.(`.st-key-${table} canvas`)
  if (!canvas || !event.isTrusted || event.ctrlKey || event.altKey || event.metaKey) return
  if (event.key === 'Tab') {
    event.stopImmediatePropagation() // the browser leaves the table
  } else if (event.key === 'Enter' || (event.key === ' ' && !event.shiftKey)) {
    event.stopImmediatePropagation()
    event.preventDefault()
    if (!event.repeat) event.target.dispatchEvent(new KeyboardEvent('keydown', CHOOSE))
  } else if (event.key === 'Escape') {
    // With its focus the table gets its cursor back.
    setTimeout(() => { canvas.blur(); canvas.focus() })
  }
}
