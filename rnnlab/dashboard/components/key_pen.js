// A pen that is led by keys: it shows where it is and what it draws, and hands each stroke to pen_input.js when it ends.
// Pointers go through to the canvas below. The words for screen readers and the keys stand in key_pen.html.

/** @typedef {[number, number]} Point  in pixels of the canvas, from its upper left corner */

// One pixel of the network's, on a canvas of 280; with Shift, five.
const STEP = 10
const FAR = 5
const FIRST = STEP / 2
const LAST = 280 - STEP / 2
const MIDDLE = 145

const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }

// A key that is held moves the pen many times a second; a screen reader says where it came to rest.
const MILLISECONDS_OF_REST = 600

const pens = new WeakMap()

export default function ({ data, parentElement }) {
  let pen = pens.get(parentElement)
  if (!pen) {
    pen = createPen(parentElement)
    pens.set(parentElement, pen)
  }
  pen.update(data)
  return () => {
    pen.remove()
    pens.delete(parentElement)
  }
}

function createPen(root) {
  const surface = root.querySelector('.surface')
  const words = root.querySelector('[role=status]')
  /** @type {Point} */
  let place = [MIDDLE, MIDDLE]
  /** @type {Point[] | null} */
  let stroke = null // while the pen is down
  const held = new Set()
  let resting = 0 // a timer
  const listening = new AbortController()
  const { signal } = listening

  surface.addEventListener('keydown', press, { signal })
  surface.addEventListener('keyup', ({ key }) => held.delete(key), { signal })
  surface.addEventListener('focus', () => tellPlace(), { signal })
  surface.addEventListener('blur', leave, { signal })

  const presses = { ' ': putDownOrLift, Enter: putDownOrLift, Escape: drop, Backspace: undo }

  /** @param {KeyboardEvent} event */
  function press(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return
    if (event.key in WAYS) {
      held.add(event.key)
      move(event.shiftKey ? FAR * STEP : STEP)
    } else if (event.key in presses) {
      if (!event.repeat) presses[event.key]()
    } else {
      return
    }
    // The page must not scroll, nor a key press a button as well.
    event.preventDefault()
    event.stopPropagation()
  }

  // The system repeats a key that is held, in the way that the person has set; two of them together go diagonally.
  function move(distance) {
    const ways = [...held].map((key) => WAYS[key])
    const along = (axis) => place[axis] + distance * Math.sign(ways.reduce((sum, way) => sum + way[axis], 0))
    place = [along(0), along(1)].map((to) => Math.min(Math.max(to, FIRST), LAST))
    const last = stroke?.at(-1)
    if (last && (last[0] !== place[0] || last[1] !== place[1])) stroke.push(place)
    render()
    clearTimeout(resting)
    resting = setTimeout(tellPlace, MILLISECONDS_OF_REST)
  }

  function putDownOrLift() {
    if (stroke) {
      lift()
    } else {
      stroke = [place]
      render()
      tellPlace()
    }
  }

  function lift() {
    document.dispatchEvent(new CustomEvent('rnnlab-key-stroke', { detail: stroke }))
    stroke = null
    render()
    say('Pen lifted, stroke drawn.')
  }

  function drop() {
    say(stroke ? 'Stroke dropped, pen lifted.' : 'The pen is lifted.')
    stroke = null
    render()
  }

  function undo() {
    if (stroke) return drop()
    const button = document.querySelector('.st-key-undo button')
    const isReady = button && !button.disabled
    if (isReady) button.click()
    say(isReady ? 'Last stroke taken back.' : 'There is no stroke to take back yet.')
  }

  // What has been drawn so far stays, as that of a finger that the system takes away.
  function leave() {
    held.clear()
    if (stroke) lift()
  }

  function tellPlace() {
    const [column, row] = place.map((to) => Math.ceil(to / STEP))
    say(`Pen ${stroke ? 'down' : 'lifted'}, column ${column}, row ${row}.`)
  }

  function say(text) {
    clearTimeout(resting)
    words.textContent = text
  }

  function render() {
    root.querySelector('.stroke').setAttribute('points', [...(stroke ?? []), ...(stroke ?? []).slice(-1)].join(' '))
    root.querySelector('.pen').setAttribute('transform', `translate(${place.join(' ')})`)
    surface.classList.toggle('is-down', stroke !== null)
  }

  /** @param {{pen_width: number, is_covered: boolean}} data  is_covered: something else is shown than the drawing */
  function update({ pen_width: width, is_covered: isCovered }) {
    root.querySelector('.stroke').setAttribute('stroke-width', width)
    for (const circle of root.querySelectorAll('circle')) circle.setAttribute('r', width / 2)
    surface.hidden = isCovered
    render()
  }

  function remove() {
    clearTimeout(resting)
    listening.abort()
  }

  return { update, remove }
}
