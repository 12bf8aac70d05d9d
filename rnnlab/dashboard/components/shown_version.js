// Has each press say which version of something the browser shows: what the person who presses has seen.

const told = new WeakMap()

/** @param {{data: {version: number}}} component  see shown_version.py */
export default function ({ data, parentElement, setStateValue }) {
  if (told.get(parentElement) === data.version) return
  told.set(parentElement, data.version)
  setStateValue('version', data.version)
}
