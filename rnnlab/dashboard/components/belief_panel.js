// Shows what the network believes after each row of the drawing. Everything is rendered from `data`, which is described
// in belief_panel.py. Only the row at which the scrubber stands is kept here.

const ROWS = 28
const DIGITS = 10
const CANVAS = 280
const MILLISECONDS_PER_ROW = 110

// Cividis, made for colour-blind eyes (Nuñez, Anderton and Renslow, 2018), in nine steps.
const CIVIDIS = [
  [0, 34, 78], [18, 53, 112], [59, 73, 108], [87, 93, 109], [112, 113, 115],
  [138, 134, 120], [165, 156, 116], [195, 179, 105], [254, 232, 56],
]

// Should an answer be lost, the panel asks once more, this long after the last stroke, whatever has come in the time
// between. Not sooner: where many people draw, the server would have twice as much to do just when it has most.
const MILLISECONDS_TO_ANSWER = 3000

const panels = new WeakMap()

export default function (component) {
  const { data, parentElement, setTriggerValue } = component
  let panel = panels.get(parentElement)
  if (!panel) {
    panel = createPanel(parentElement)
    panels.set(parentElement, panel)
  }
  panel.askAgain = () => setTriggerValue('again', Date.now())
  panel.show(data)
  return () => panel.stop()
}

function createPanel(root) {
  const find = (selector) => root.querySelector(selector)
  const scrubber = find('.scrubber')
  const play = find('.play')
  const map = find('.map canvas')
  let data = {}
  let row = ROWS
  let timer = null
  let picture = ''
  let unanswered = null
  let isAwaited = false
  let held = null

  buildBars(find('.bars'))
  buildRowLabels(find('.rows'))
  find('.scale').style.background = `linear-gradient(to right, ${CIVIDIS.map((stop) => `rgb(${stop.join(' ')})`)})`
  scrubber.addEventListener('input', () => { stop(); moveTo(Number(scrubber.value)) })
  play.addEventListener('click', () => (timer ? stop() : start()))
  new ResizeObserver(() => render()).observe(map)
  document.addEventListener('rnnlab-stroke', awaitAnswer)
  document.addEventListener('click', holdLink, true)

  // pen_input.js has handed a stroke to the canvas.
  function awaitAnswer() {
    if (!root.isConnected) {
      document.removeEventListener('rnnlab-stroke', awaitAnswer)
      document.removeEventListener('click', holdLink, true)
    } else {
      isAwaited = true
      clearTimeout(unanswered)
      unanswered = setTimeout(() => { panel.askAgain(); releaseLink() }, MILLISECONDS_TO_ANSWER)
    }
  }

  // Another page takes the canvas away, and with it a stroke that the server has not taken in yet.
  function holdLink(event) {
    const link = event.target.closest?.('a')
    if (!isAwaited || !link || !event.isTrusted || event.ctrlKey || event.metaKey || event.shiftKey) return
    event.preventDefault()
    event.stopPropagation()
    held = link
  }

  function releaseLink() {
    isAwaited = false
    held?.click()
    held = null
  }

  function show(newData) {
    const newPicture = JSON.stringify(newData.picture ?? null)
    if (newPicture !== picture) {
      picture = newPicture
      stop()
      row = ROWS
      releaseLink()
    }
    data = newData
    render()
  }

  function start() {
    if (row >= ROWS) moveTo(1)
    timer = setInterval(() => (row < ROWS ? moveTo(row + 1) : stop()), MILLISECONDS_PER_ROW)
    labelPlay()
  }

  function stop() {
    clearInterval(timer)
    timer = null
    labelPlay()
  }

  function labelPlay() {
    find('.play .icon').textContent = timer ? '❚❚' : '▶'
    find('.play .label').textContent = timer ? 'Pause' : 'Play'
  }

  function moveTo(newRow) {
    row = newRow
    render()
  }

  function render() {
    renderVerdict(find, data)
    renderMap(map, data.beliefs, row)
    renderReading(find, data, row)
    renderPicture(find('.picture'), data.picture, row)
    renderCover(find, data)
    renderBars(find('.bars'), data.beliefs, row)
    scrubber.disabled = play.disabled = !data.beliefs
    scrubber.value = row
    scrubber.setAttribute('aria-valuetext', describe(data.beliefs, row))
    find('.row').textContent = `row ${row} of ${ROWS}`
    find('.top').textContent = data.beliefs ? `so far: ${describe(data.beliefs, row)}` : ''
    find('.note').textContent = data.note ?? ''
  }

  const panel = { show, stop, askAgain: () => {} }
  return panel
}

function percent(share) {
  return `${(share * 100).toFixed(1)} %`
}

function best(belief) {
  return belief.indexOf(Math.max(...belief))
}

function describe(beliefs, row) {
  if (!beliefs) return ''
  const belief = beliefs[row - 1]
  const digit = best(belief)
  return `${digit}, ${percent(belief[digit])}`
}

function renderVerdict(find, { beliefs, decided_at, sure, hint }) {
  const last = beliefs?.[ROWS - 1]
  const belief = last ? percent(last[best(last)]) : ''
  const decided = `decided at row ${decided_at} of ${ROWS}`
  set(find('.digit'), !last ? '' : sure ? String(best(last)) : '?')
  set(find('.sure'), !last ? '' : sure ? `${belief} sure` : 'not sure')
  set(find('.decided'), !last ? '' : sure ? decided : `perhaps a ${best(last)}, ${belief}`)
  set(find('.hint'), last ? '' : hint ?? '')
  const mark = find('.mark')
  mark.style.display = last ? 'block' : 'none'
  mark.style.top = last ? `${((decided_at - 0.5) / ROWS) * 100}%` : '0'
  mark.title = last ? `decided at row ${decided_at}` : ''
}

// Writing the same text again would make a screen reader say it again.
function set(element, text) {
  if (element.textContent !== text) element.textContent = text
}

function colour(share) {
  const place = Math.min(Math.max(share, 0), 1) * (CIVIDIS.length - 1)
  const low = Math.min(Math.floor(place), CIVIDIS.length - 2)
  const mix = CIVIDIS[low].map((from, i) => Math.round(from + (CIVIDIS[low + 1][i] - from) * (place - low)))
  return `rgb(${mix.join(' ')})`
}

function renderMap(canvas, beliefs, row) {
  const scale = window.devicePixelRatio || 1
  const width = canvas.clientWidth
  const height = canvas.clientHeight
  if (!width || !height) return
  canvas.width = Math.round(width * scale)
  canvas.height = Math.round(height * scale)
  const context = canvas.getContext('2d')
  context.scale(scale, scale)
  context.clearRect(0, 0, width, height)
  const cellWidth = width / DIGITS
  const cellHeight = height / ROWS
  beliefs?.forEach((belief, t) => {
    context.globalAlpha = t < row ? 1 : 0.25
    belief.forEach((share, digit) => {
      context.fillStyle = colour(share)
      context.fillRect(digit * cellWidth, t * cellHeight, cellWidth + 0.5, cellHeight + 0.5)
    })
    // A dot on the top digit of each row, so that colour is not the only sign.
    const digit = best(belief)
    context.fillStyle = belief[digit] > 0.5 ? '#000' : '#fff'
    context.beginPath()
    context.arc((digit + 0.5) * cellWidth, (t + 0.5) * cellHeight, Math.min(cellHeight, cellWidth) * 0.2, 0, 7)
    context.fill()
  })
  const text = beliefs
    ? `Belief map, 28 rows by 10 digits; after row ${row}: ${describe(beliefs, row)}`
    : 'Belief map, empty'
  canvas.setAttribute('aria-label', text)
}

// The drawing was scaled and centred before it was read. The beam shows to which part of the canvas the rows of the
// map belong, and the line shows where the row really lies on the canvas.
function renderReading(find, { beliefs, picture, top, row_height: rowHeight }, row) {
  const shown = Boolean(beliefs && picture)
  const reading = shown && row < ROWS
  const upper = shown ? top * CANVAS : 0
  const lower = shown ? (top + ROWS * rowHeight) * CANVAS : CANVAS
  const onCanvas = Math.min(Math.max(shown ? (top + row * rowHeight) * CANVAS : CANVAS, 0), CANVAS)
  const onMap = (row / ROWS) * CANVAS
  const percentOf = (place) => `${(place / CANVAS) * 100}%`
  find('.beam').setAttribute('points', `0,${upper} 28,0 28,${CANVAS} 0,${lower}`)
  const ray = find('.ray')
  const ends = { x1: 0, y1: onCanvas, x2: 28, y2: onMap }
  for (const [name, value] of Object.entries(ends)) ray.setAttribute(name, value)
  ray.style.display = reading ? 'inline' : 'none'
  find('.beam').style.display = shown ? 'inline' : 'none'
  Object.assign(find('.veil').style, { display: reading ? 'block' : 'none', top: percentOf(onCanvas) })
  Object.assign(find('.line').style, { display: reading ? 'block' : 'none', top: percentOf(onCanvas) })
  Object.assign(find('.cursor').style, { display: reading ? 'block' : 'none', top: percentOf(onMap) })
}

// A test digit or a photograph covers the canvas, so that nobody draws on it.
function renderCover(find, { caption, photo, picture }) {
  const cover = find('.cover')
  cover.hidden = !caption
  set(find('.caption'), caption ?? '')
  cover.setAttribute('aria-label', caption ?? '')
  const image = photo ? `url("${photo}")` : 'none'
  if (cover.style.backgroundImage !== image) cover.style.backgroundImage = image
  if (photo) cover.getContext('2d').clearRect(0, 0, ROWS, ROWS)
  else if (caption) renderPicture(cover, picture, ROWS)
}

function renderPicture(canvas, picture, row) {
  const context = canvas.getContext('2d')
  const image = context.createImageData(ROWS, ROWS)
  for (let i = 0; i < ROWS * ROWS; i += 1) {
    const read = Math.floor(i / ROWS) < row
    const grey = picture?.[i] ?? 0
    image.data.set(read ? [grey, grey, grey, 255] : [grey * 0.3 + 40, grey * 0.3 + 40, grey * 0.3 + 40, 255], i * 4)
  }
  context.putImageData(image, 0, 0)
}

function buildBars(bars) {
  for (let digit = 0; digit < DIGITS; digit += 1) {
    const bar = document.createElement('div')
    bar.className = 'bar'
    bar.innerHTML = '<span class="share"></span><span class="column"><span class="fill"></span></span><span class="name"></span>'
    bar.querySelector('.name').textContent = String(digit)
    bars.appendChild(bar)
  }
}

function buildRowLabels(rows) {
  for (const row of [1, 7, 14, 21, 28]) {
    const label = document.createElement('span')
    label.textContent = String(row)
    label.style.top = `${((row - 0.5) / ROWS) * 100}%`
    rows.appendChild(label)
  }
}

function renderBars(bars, beliefs, row) {
  const belief = beliefs?.[row - 1]
  const top = belief ? best(belief) : -1
  Array.from(bars.children).forEach((bar, digit) => {
    const share = belief?.[digit] ?? 0
    bar.classList.toggle('best', digit === top)
    bar.querySelector('.fill').style.height = `${share * 100}%`
    bar.querySelector('.share').textContent = belief && share >= 0.005 ? `${Math.round(share * 100)}%` : ''
  })
  const words = belief ? belief.map((share, digit) => `${digit}: ${percent(share)}`).join(', ') : 'none yet'
  bars.setAttribute('aria-label', `Belief after row ${row}: ${words}`)
}
