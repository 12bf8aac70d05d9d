// Renders the mistakes as buttons and tells Python which one was chosen. The data is described in mistake_gallery.py.

const SIDE = 56

export default function ({ data, parentElement, setTriggerValue }) {
  const list = parentElement.querySelector('.mistakes')
  list.onclick = (event) => {
    const button = event.target.closest('button')
    if (button) setTriggerValue('opened', Number(button.dataset.index))
  }
  // A rerun that changes nothing must not take the focus away.
  const content = JSON.stringify(data)
  if (list.content === content) return
  list.content = content
  list.style.setProperty('--pictures', `url(${data.pictures})`)
  list.replaceChildren(...data.mistakes.map((mistake, place) => item(mistake, place, data.title)))
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
    `test digit ${number} of ${title}: a ${mistake.label}, read as ${mistake.read_as}, ${percent} sure`,
  )
  button.querySelector('.picture').style.backgroundPositionY = `${-place * SIDE}px`
  button.querySelector('.readings').textContent = `${mistake.label} → ${mistake.read_as}`
  button.querySelector('.probability').textContent = percent
  return element
}
