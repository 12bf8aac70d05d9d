// Tells the server whether what contains it is on show: Streamlit has in the page only what an open popover contains.

const shown = new WeakSet()

export default function ({ parentElement, setStateValue }) {
  if (!shown.has(parentElement)) {
    shown.add(parentElement)
    setStateValue('is_shown', true)
  }
  return () => {
    shown.delete(parentElement)
    setStateValue('is_shown', false)
  }
}
