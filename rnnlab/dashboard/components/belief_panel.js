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

// Whether each test digit begins hidden, for a class to guess; remembered from one to the next.
let isGuessing = false

// What has a use of its own for the arrow keys.
const USES_ARROWS = 'input, textarea, select, [contenteditable], [role="slider"], [role="combobox"], [role="listbox"], '
  + '[role="menu"], [role="radiogroup"], [role="tablist"], [role="grid"]'

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
  const guess = find('.guess')
  const map = find('.map canvas')
  let data = {}
  let row = ROWS
  let timer = null
  let picture = ''
  let unanswered = null
  let isAwaited = false
  let held = null
  let said = ''

  buildBars(find('.bars'))
  buildRowLabels(find('.rows'))
  find('.scale').style.background = `linear-gradient(to right, ${CIVIDIS.map((stop) => `rgb(${stop.join(' ')})`)})`
  scrubber.addEventListener('input', () => { stop(); moveTo(Number(scrubber.value)) })
  play.addEventListener('click', () => (timer ? stop() : start()))
  guess.addEventListener('click', () => { isGuessing = !isGuessing; stop(); moveTo(isGuessing ? 0 : ROWS) })
  new ResizeObserver(() => render()).observe(map)
  document.addEventListener('rnnlab-stroke', awaitAnswer)
  document.addEventListener('click', holdLink, true)
  document.addEventListener('keydown', turnByKey)

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

  // The arrow keys press the buttons above that lead from one test digit to the next.
  function turnByKey(event) {
    if (!root.isConnected) document.removeEventListener('keydown', turnByKey)
    else if (isTestDigit(data)) pressForKey(event)
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
      row = isGuessing && isTestDigit(newData) ? 0 : ROWS
      releaseLink()
    }
    data = newData
    render()
  }

  function start() {
    if (row >= ROWS) moveTo(isTestDigit(data) ? 0 : 1)
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
    renderVerdict(find, data, row)
    say()
    renderMap(map, data.beliefs, row)
    renderReading(find, data, row)
    renderPicture(find('.picture'), data.picture, row, data.caption ? 0 : 0.3)
    renderCover(find, data)
    renderBars(find('.bars'), data.beliefs, row)
    scrubber.disabled = play.disabled = guess.disabled = !data.beliefs
    scrubber.min = isTestDigit(data) ? 0 : 1
    scrubber.value = row
    guess.hidden = !isTestDigit(data)
    guess.setAttribute('aria-pressed', String(isGuessing))
    scrubber.setAttribute('aria-valuetext', describe(data.beliefs, row))
    find('.row').textContent = `row ${row} of ${ROWS}`
    find('.top').textContent = data.beliefs && row ? `: ${describe(data.beliefs, row)}` : ''
    find('.note').textContent = data.note ?? ''
  }

  // A screen reader says the verdict once it is there: not at each row while the picture is played, nor again and
  // again while the belief about the same picture changes a little with each step of the training.
  function say() {
    const verdict = verdictOf(data, row)
    const isWhole = row >= ROWS || !data.beliefs
    const about = isWhole ? [picture, verdict.digit, verdict.outcome, verdict.hint].join() : ''
    if (about === said) return
    said = about
    find('.said').textContent = isWhole ? sentence(verdict) : ''
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

function isTestDigit({ label }) {
  return label !== undefined
}

/** @param {KeyboardEvent} event */
function pressForKey(event) {
  const key = { ArrowLeft: 'mistake_before', ArrowRight: 'mistake_after' }[event.key]
  const isTaken = event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey
  const isUsed = event.composedPath().some((node) => node.matches?.(USES_ARROWS))
  if (!key || isTaken || isUsed || document.documentElement.dataset.shortcuts === 'off') return
  pressWhenThere(`.st-key-${key} button`)
}

// On the first visit the page may still be loading its buttons.
function pressWhenThere(selector, tries = 30) {
  const button = document.querySelector(selector)
  if (button) button.click()
  else if (tries) setTimeout(() => pressWhenThere(selector, tries - 1), 100)
}

function describe(beliefs, row) {
  if (!beliefs || !row) return ''
  const belief = beliefs[row - 1]
  const digit = best(belief)
  return `${digit}, ${percent(belief[digit])}`
}

/**
 * What stands above the drawing: before the last row, what is believed so far, and nothing of what is to come.
 *
 * @returns {{digit: string, outcome?: string, sure?: string, decided?: string, hint?: string}}
 */
function verdictOf(data, row) {
  const { beliefs, label, sure, hint } = data
  if (!beliefs) return { digit: '', hint: hint ?? '' }
  if (row === 0) return { digit: '?', sure: 'Which digit is it?', decided: 'Nothing is read yet: press Play.' }
  const belief = beliefs[row - 1]
  const digit = best(belief)
  const share = percent(belief[digit])
  if (row < ROWS) return { digit: String(digit), sure: `so far: ${digit}, ${share} sure`, decided: `after row ${row} of ${ROWS}` }
  const shown = sure ? String(digit) : '?'
  if (isTestDigit(data)) {
    return { digit: shown, outcome: outcomeOf(label, digit, sure), sure: sure ? `${share} sure` : `${share}, not sure`, decided: decision(data) }
  }
  if (!sure) return { digit: shown, sure: 'not sure', decided: `perhaps ${withArticle(digit)}, ${share}` }
  return { digit: shown, sure: `${share} sure`, decided: decision(data) }
}

function outcomeOf(label, digit, sure) {
  if (digit === label) return `right: ${sure ? '' : 'perhaps '}${withArticle(label)},`
  return `wrong: ${withArticle(label)}, ${sure ? `read as ${digit}` : `perhaps ${withArticle(digit)}`},`
}

function withArticle(digit) {
  return `${digit === 8 ? 'an' : 'a'} ${digit}`
}

function decision({ decided_at: row, first_ink_row: firstInk }) {
  return row < firstInk ? `decided before the first ink (row ${firstInk})` : `decided at row ${row} of ${ROWS}`
}

function sentence({ digit, outcome, sure, decided, hint }) {
  const named = outcome || digit === '?' ? '' : digit && `${digit},`
  return [named, outcome, sure && `${sure},`, decided, hint].filter(Boolean).join(' ')
}

function renderVerdict(find, data, row) {
  const verdict = verdictOf(data, row)
  for (const part of ['digit', 'outcome', 'sure', 'decided', 'hint']) find(`.${part}`).textContent = verdict[part] ?? ''
  find('.hint').classList.toggle('lines', Boolean(verdict.hint?.includes('\n')))
  find('.verdict').classList.toggle('judged', Boolean(verdict.outcome))
  find('.verdict').classList.toggle('reading', Boolean(data.beliefs) && row < ROWS)
  const isDecided = Boolean(data.beliefs) && row === ROWS
  const mark = find('.mark')
  mark.style.display = isDecided ? 'block' : 'none'
  mark.style.top = isDecided ? `${((data.decided_at - 0.5) / ROWS) * 100}%` : '0'
  mark.title = isDecided ? decision(data) : ''
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
  // What is believed after the rows to come is hidden: whoever watches is to guess.
  beliefs?.slice(0, row).forEach((belief, t) => {
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
    ? `Belief map, 28 rows by 10 digits; after row ${row}: ${describe(beliefs, row) || 'none yet'}`
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
function renderCover(find, { caption, photo, picture, label, beliefs }) {
  const cover = find('.cover')
  cover.hidden = !caption
  // Once a test digit is read, the verdict needs the room; the note then says which digit it is.
  find('.caption').textContent = label !== undefined && beliefs ? '' : caption ?? ''
  cover.setAttribute('aria-label', caption ?? '')
  const image = photo ? `url("${photo}")` : 'none'
  if (cover.style.backgroundImage !== image) cover.style.backgroundImage = image
  if (photo) cover.getContext('2d').clearRect(0, 0, ROWS, ROWS)
  else if (caption) renderPicture(cover, picture, ROWS)
  find('.veil').classList.toggle('closed', Boolean(caption))
}

// Of the rows to come, so much shows through: nothing of a test digit, which a class is to guess.
function renderPicture(canvas, picture, row, through = 0) {
  const context = canvas.getContext('2d')
  const image = context.createImageData(ROWS, ROWS)
  for (let i = 0; i < ROWS * ROWS; i += 1) {
    const read = Math.floor(i / ROWS) < row
    const grey = picture?.[i] ?? 0
    const level = read ? grey : grey * through + 40
    image.data.set([level, level, level, 255], i * 4)
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
