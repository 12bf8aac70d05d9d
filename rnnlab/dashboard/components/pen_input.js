// Hands whole strokes to the canvas, one after the other, whatever pointers or keys they come from.
//
// By itself the canvas (streamlit-drawable-canvas, and Fabric.js in it) follows only the first finger that touches it,
// ends that stroke only when the last finger has left it, knows of no pointer that the system takes away, ignores a pen
// beside a finger and for 0.4 s after one, and forgets the beginning of a stroke during which it is rendered anew. So
// strokes are collected here, drawn on its upper layer while they are under way, and handed over when they end, as the
// movements of a mouse.

/**
 * @typedef {[number, number]} Point  in pixels of the canvas, from its upper left corner
 * @typedef {{id: number, type: string, points: Point[], hadCompany: boolean}} Stroke
 *   id and type are those of its pointer; hadCompany: whether another pointer drew at the same time
 */

// A hand that rests on the canvas moves less far than this, in pixels of the canvas; any stroke of a digit moves further.
const RESTING = 14

// So long after a pen was seen, a touch is the hand that holds it.
const MILLISECONDS_OF_A_HAND = 500

// The answer to Undo or Clear replaces all that is on the canvas. If none comes for this long, it is waited for no longer.
const MILLISECONDS_TO_ANSWER = 10000
const MILLISECONDS_BETWEEN_LOOKS = 20

// Should it be lost, as happens now and then when two parts of the page are rendered together, it is asked for once more.
const MILLISECONDS_TO_ASK_AGAIN = 3000

// The buttons whose answer does that. A digit keeps the drawing and clears the canvas.
const REPLACING = '.st-key-undo button, .st-key-clear button, .st-key-teach_keys button'

// As good as invisible, in the upper left corner of the upper layer. The answer wipes that layer, too.
const MARK = [0, 0, 1, 1]

const inputs = new WeakMap()

let takingOver = 0 // a timer

export default function ({ data, parentElement, setTriggerValue }) {
  let input = inputs.get(parentElement)
  if (!input) {
    input = createInput()
    inputs.set(parentElement, input)
  }
  input.askAgain = () => setTriggerValue('again', Date.now())
  input.update(data.pen_width)
  return () => {
    input.remove()
    inputs.delete(parentElement)
  }
}

function createInput() {
  /** @type {Map<number, Stroke>} */
  const underWay = new Map()
  /** @type {Stroke[]} */
  let finished = []
  let penWidth = 0
  let penSeen = -Infinity
  let looking = null // for the answer to Undo or Clear
  let asking = 0 // a timer
  const listening = new AbortController()

  const listeners = { pointerdown: begin, pointermove: follow, pointerup: end, pointercancel: end, click: waitForAnswer }
  // The canvas is made anew on another page, and for another session.
  const renewals = new MutationObserver(() => takeOver())
  renewals.observe(document.querySelector('.st-key-drawing'), { childList: true, subtree: true })

  for (const [type, listener] of Object.entries(listeners)) {
    window.addEventListener(type, listener, { capture: true, signal: listening.signal })
  }
  document.addEventListener('rnnlab-key-stroke', takeFromKeys, { signal: listening.signal })

  /** @param {PointerEvent} event */
  function begin(event) {
    noteOf(event)
    const isOnCanvas = event.composedPath().some((node) => node.classList?.contains('upper-canvas'))
    if (!isOnCanvas || event.button !== 0) return
    takeOver()
    if (event.pointerType === 'touch' && isPenNear()) return
    finish(event.pointerId)
    if (event.pointerType === 'pen') leaveOut((stroke) => stroke.type === 'touch')
    for (const other of underWay.values()) other.hadCompany = true
    const hadCompany = underWay.size > 0
    underWay.set(event.pointerId, { id: event.pointerId, type: event.pointerType, points: [], hadCompany })
    follow(event)
  }

  /** @param {PointerEvent} event */
  function follow(event) {
    noteOf(event)
    const stroke = underWay.get(event.pointerId)
    const layer = stroke && upperLayer()
    if (!layer) return
    // On a busy page the browser sums up many small movements as one event.
    const movements = event.getCoalescedEvents?.() ?? []
    for (const movement of movements.length ? movements : [event]) {
      const point = placeOf(movement, layer)
      const last = stroke.points.at(-1)
      if (last && Math.hypot(point[0] - last[0], point[1] - last[1]) < 1) continue
      stroke.points.push(point)
      paint(layer, [last ?? point, point])
    }
  }

  /** @param {PointerEvent} event */
  function end(event) {
    if (!underWay.has(event.pointerId)) return
    const isTakenAway = event.type === 'pointercancel' // and where it was is not known
    if (!isTakenAway) follow(event)
    finish(event.pointerId, isTakenAway)
  }

  // What a pointer has drawn stays if the system takes the pointer away, as it does when it thinks of a hand or shows a
  // message. Only what has hardly moved was no stroke.
  function finish(id, isTakenAway = false) {
    const stroke = underWay.get(id)
    if (!stroke) return
    underWay.delete(id)
    if (!isResting(stroke) || !(stroke.hadCompany || isTakenAway)) finished.push(stroke)
    handOverSoon()
  }

  // key_pen.js shows a stroke while it is under way.
  function takeFromKeys({ detail }) {
    takeOver()
    finished.push({ id: 0, type: 'keys', points: detail, hadCompany: false })
    handOverSoon()
  }

  function handOverSoon() {
    if (looking) repaint()
    else handOver()
  }

  function handOver() {
    clearInterval(looking)
    looking = null
    const layer = upperLayer()
    if (layer && finished.length) {
      for (const stroke of finished) drawAsMouse(layer, stroke.points)
      document.dispatchEvent(new CustomEvent('rnnlab-stroke'))
      setTimeout(sendDrawing) // once the canvas has taken in the strokes
    }
    finished = []
    repaint()
  }

  // Undo or Clear was pressed: a stroke that ends before the answer would be replaced together with those of before.
  function waitForAnswer(event) {
    if (!event.target.closest?.(REPLACING)) return
    clearInterval(looking)
    const until = performance.now() + MILLISECONDS_TO_ANSWER
    clearTimeout(asking)
    asking = setTimeout(() => { if (looking) input.askAgain() }, MILLISECONDS_TO_ASK_AGAIN)
    looking = setInterval(() => { if (isWiped() || performance.now() > until) handOver() }, MILLISECONDS_BETWEEN_LOOKS)
    repaint()
  }

  function isWiped() {
    return !upperLayer()?.getContext('2d').getImageData(...MARK).data[3]
  }

  function update(newPenWidth) {
    penWidth = newPenWidth
    takeOver()
  }

  function noteOf(event) {
    if (event.pointerType === 'pen') penSeen = performance.now()
  }

  function isPenNear() {
    const penIsDown = [...underWay.values()].some((stroke) => stroke.type === 'pen')
    return penIsDown || performance.now() - penSeen < MILLISECONDS_OF_A_HAND
  }

  function leaveOut(isLeftOut) {
    for (const stroke of underWay.values()) if (isLeftOut(stroke)) underWay.delete(stroke.id)
    repaint()
  }

  function paint(layer, points) {
    const context = layer.getContext('2d')
    Object.assign(context, { lineWidth: penWidth, strokeStyle: '#FFFFFF', lineCap: 'round', lineJoin: 'round' })
    context.beginPath()
    context.moveTo(...points[0])
    for (const point of points.slice(1)) context.lineTo(...point)
    context.stroke()
  }

  function repaint() {
    const layer = upperLayer()
    if (!layer) return
    const context = layer.getContext('2d')
    context.clearRect(0, 0, layer.width, layer.height)
    context.fillStyle = 'rgb(255 255 255 / 1%)'
    if (looking) context.fillRect(...MARK)
    for (const { points } of [...finished, ...underWay.values()]) paint(layer, [points[0], ...points])
  }

  function remove() {
    listening.abort()
    renewals.disconnect()
    clearInterval(looking)
    clearTimeout(asking)
  }

  const input = { update, remove, askAgain: () => {} }
  return input
}

/** @param {Stroke} stroke */
function isResting({ points: [[x, y], ...rest] }) {
  return rest.every(([otherX, otherY]) => Math.hypot(otherX - x, otherY - y) < RESTING)
}

// The canvas is in a shadow root, which Streamlit makes anew now and then.
function canvasRoot() {
  const hosts = Array.from(document.querySelectorAll('.st-key-canvas *'))
  return hosts.map((host) => host.shadowRoot).find((root) => root?.querySelector('.dc-toolbar'))
}

function upperLayer() {
  return canvasRoot()?.querySelector('.upper-canvas')
}

/** @returns {Point} */
function placeOf(event, layer) {
  const box = layer.getBoundingClientRect()
  const scale = layer.width / box.width
  return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale]
}

// As pointer events, because the coordinates of mouse events are whole numbers.
function drawAsMouse(layer, points) {
  const box = layer.getBoundingClientRect()
  const scale = box.width / layer.width
  const fire = (type, [x, y]) => layer.dispatchEvent(new PointerEvent(type, {
    clientX: box.left + x * scale,
    clientY: box.top + y * scale,
    isPrimary: true,
    bubbles: true,
    composed: true,
    cancelable: true,
  }))
  fire('mousedown', points[0])
  for (const point of points.slice(1)) fire('mousemove', point)
  fire('mouseup', points.at(-1))
}

// The canvas sends a stroke 200 ms after it ends, and not at all if it is changed or left before that. So its own send
// button is pressed immediately. If the button is not there, the stroke is still sent, only later.
function sendDrawing() {
  canvasRoot()?.querySelector('button[aria-label="Update the app with this drawing"]')?.click()
}

// Keeps fingers and mouse from the canvas, which gets its strokes from here, shows it as large as the page has room for,
// and hides its toolbar. That one appears only under a mouse, covers the corner where a 5 begins, and cannot undo strokes
// of a restored drawing; the page has its own Undo and Clear, which always work.
function takeOver(tries = 200) {
  clearTimeout(takingOver)
  const root = canvasRoot()
  if (!root) {
    // The canvas loads at its own pace, often after this.
    if (tries > 0) takingOver = setTimeout(() => takeOver(tries - 1), 50)
  } else if (!root.querySelector('style.rnnlab')) {
    const style = document.createElement('style')
    style.className = 'rnnlab'
    style.textContent = '.dc-toolbar { display: none !important }'
      + '.dc-container, .dc-container * { width: var(--canvas) !important; height: var(--canvas) !important }'
    root.appendChild(style)
    for (const type of ['touchstart', 'mousedown']) root.addEventListener(type, keepFromCanvas, { capture: true, passive: false })
  }
}

/** @param {Event} event */
function keepFromCanvas(event) {
  if (!event.isTrusted || event.button > 0 || !event.target.classList?.contains('upper-canvas')) return
  event.stopPropagation()
  if (event.type === 'touchstart') event.preventDefault() // nor is a touch to become a click or a long press
}
