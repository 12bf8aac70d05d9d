// Shows a drawing of this project's own as a part of the page, so that it takes over the colours of its text.

export default function ({ data, parentElement }) {
  const place = parentElement.querySelector('.picture')
  place.innerHTML = data.svg
  const drawing = place.querySelector('svg')
  drawing.setAttribute('role', 'img')
  drawing.setAttribute('aria-label', data.meaning)
}
