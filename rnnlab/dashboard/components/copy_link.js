// A link to a page of the dashboard in full, and a button that copies it. The server does not know under which address a
// browser sees it, so the link is put together here. The data is described in copy_link.py.

const MILLISECONDS_OF_THE_OUTCOME = 4000

export default function ({ data, parentElement }) {
  const find = (selector) => parentElement.querySelector(selector)
  const address = find('.address')
  find('.words').textContent = data.label
  address.setAttribute('aria-label', data.label)
  address.value = new URL(data.query, home()).href
  address.onfocus = () => address.select()
  find('.copy').onclick = async () => say(find('.outcome'), (await copy(address)) ? 'Copied' : 'Press Ctrl+C')
}

/**
 * Copies the text of a field, or at least marks it.
 *
 * @param {HTMLInputElement} field
 * @returns {Promise<boolean>}  whether it is copied
 */
async function copy(field) {
  try {
    // Browsers offer this over HTTPS and on the machine itself only.
    await navigator.clipboard.writeText(field.value)
    return true
  } catch {
    field.focus()
    field.select()
    return document.execCommand('copy')
  }
}

/**
 * @param {HTMLElement} place
 * @param {string} outcome
 */
function say(place, outcome) {
  place.textContent = outcome
  clearTimeout(place.fading)
  place.fading = setTimeout(() => { place.textContent = '' }, MILLISECONDS_OF_THE_OUTCOME)
}

// The address of the first page: the page's own script lies two folders below it.
function home() {
  const script = document.querySelector('script[type="module"][src*="static/js/"]')
  return new URL('../../', script?.src ?? document.baseURI)
}
