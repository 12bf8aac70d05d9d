// Renders the mistakes as buttons and tells Python which one was chosen. The data is described in mistake_gallery.py.

const SIDE = 56

// The last wish for a thumbnail that was followed, and how long what is above the gallery may still be coming.
let followed = 0
const MILLISECONDS_TO_SETTLE = 2000

export default function ({ data, parentElement, setTriggerValue }) {
  const list = parentElement.querySelector('.mistakes')
  list.onclick = (event) => {
    const button = event.target.closest('button')
    if (button) setTriggerValue('opened', Number(button.dataset.index))
  }
  const { focus, ...shown } = data
  // A rerun that changes nothing must not take the focus away.
  const content = JSON.stringify(shown)
  if (list.content !== content) {
    list.content = content
    list.style.setProperty('--pictures', `url(${data.pictures})`)
    list.replaceChildren(...data.mistakes.map((mistake, place) => item(mistake, place, data.title)))
  }
  if (focus.count !== followed) {
    followed = focus.count
    if (focus.count) bringIntoView(list, focus.index)
  }
}

/**
 * Focuses a thumbnail in the middle of the window, and keeps it there until all that is above has come.
 *
 * @param {HTMLElement} list
 * @param {number} index  of its digit; the first thumbnail is taken if that one is not there
 */
function bringIntoView(list, index) {
  const button = list.querySelector(`[data-index="${index}"]`) ?? list.querySelector('button')
  if (!button) return
  button.focus({ preventScroll: true })
  button.classList.add('returned')
  button.addEventListener('blur', () => button.classList.remove('returned'), { once: true })
  const show = () => button.scrollIntoView({ block: 'center' })
  const settling = new ResizeObserver(show)
  const end = new AbortController()
  const stop = () => { settling.disconnect(); end.abort() }
  // From then on the person scrolls.
  for (const kind of ['wheel', 'touchstart', 'pointerdown', 'keydown']) {
    window.addEventListener(kind, stop, { signal: end.signal, capture: true })
  }
  setTimeout(stop, MILLISECONDS_TO_SETTLE)
  settling.observe(document.querySelector('[data-testid="stMainBlockContainer"]') ?? document.body)
  show()
}

function item(mistake, place, title) {
  const element = document.createElement('li')
  const percent = `${(mistake.probability * 100).toFixed(1)} %`
  element.innerHTML = '<button class="mistake" type="button"><span class="picture"></span>'
    + '<span class="readings"></span><span class="probability"></span></button>'
  const button = element.firstChild
  button.dataset.index = mistake.index
  const number = mistake.index.toLocaleString('en')
  button.setAttribute(
    'aria-label',
    `test digit ${number} of ${title}: ${mistake.label === 8 ? 'an' : 'a'} ${mistake.label}, read as ${mistake.read_as}, ${percent} sure`,
  )
  button.querySelector('.picture').style.backgroundPositionY = `${-place * SIDE}px`
  button.querySelector('.readings').textContent = `${mistake.label} → ${mistake.read_as}`
  button.querySelector('.probability').textContent = percent
  return element
}
