// Shows what the network believes after each row, or column, of the drawing. Everything is rendered from `data`, which
// is described in belief_panel.py. Only the step at which the scrubber stands is kept here. A step reads what lies at
// one of 28 places: rows are counted down the drawing, columns to the right.

const STEPS = 28
const SIDE = 28
const DIGITS = 10
const CANVAS = 280
const LENS = 28
const MILLISECONDS_PER_STEP = 110

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
  let step = STEPS
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
  guess.addEventListener('click', () => { isGuessing = !isGuessing; stop(); moveTo(isGuessing ? 0 : STEPS) })
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
      step = isGuessing && isTestDigit(newData) ? 0 : STEPS
      releaseLink()
    }
    data = newData
    render()
  }

  function start() {
    if (step >= STEPS) moveTo(isTestDigit(data) ? 0 : 1)
    timer = setInterval(() => (step < STEPS ? moveTo(step + 1) : stop()), MILLISECONDS_PER_STEP)
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

  function moveTo(newStep) {
    step = newStep
    render()
  }

  function render() {
    if (!data.reading) return
    const { columns, so_far: soFar } = data.reading
    find('.panel').classList.toggle('columns', columns)
    renderVerdict(find, data, step)
    say()
    renderMap(map, data, step)
    renderReading(find, data, step)
    renderPicture(find('.picture'), data, step, data.caption ? 0 : 0.3)
    renderCover(find, data)
    renderBars(find('.bars'), data, step)
    scrubber.setAttribute('aria-label', soFar)
    scrubber.disabled = play.disabled = guess.disabled = !data.beliefs
    scrubber.min = isTestDigit(data) ? 0 : 1
    scrubber.value = step
    guess.hidden = !isTestDigit(data)
    guess.setAttribute('aria-pressed', String(isGuessing))
    scrubber.setAttribute('aria-valuetext', describe(data.beliefs, step))
    find('.row').textContent = progress(data, step)
    find('.top').textContent = data.beliefs && step ? `: ${describe(data.beliefs, step)}` : ''
    find('.note').textContent = data.note ?? ''
  }

  // A screen reader says the verdict once it is there: not at each step while the picture is played, nor again and
  // again while the belief about the same picture changes a little with each step of the training.
  function say() {
    const verdict = verdictOf(data, step)
    const isWhole = step >= STEPS || !data.beliefs
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

function progress({ reading }, step) {
  return reading.progress.replace('#', step)
}

function describe(beliefs, step) {
  if (!beliefs || !step) return ''
  const belief = beliefs[step - 1]
  const digit = best(belief)
  return `${digit}, ${percent(belief[digit])}`
}

/**
 * What stands above the drawing: before the last step, what is believed so far, and nothing of what is to come.
 *
 * @returns {{digit: string, outcome?: string, sure?: string, decided?: string, hint?: string}}
 */
function verdictOf(data, step) {
  const { beliefs, label, sure, hint, decision } = data
  if (!beliefs) return { digit: '', hint: hint ?? '' }
  if (step === 0) return { digit: '?', sure: 'Which digit is it?', decided: 'Nothing is read yet: press Play.' }
  const belief = beliefs[step - 1]
  const digit = best(belief)
  const share = percent(belief[digit])
  if (step < STEPS) return { digit: String(digit), sure: `so far: ${digit}, ${share} sure`, decided: `after ${progress(data, step)}` }
  const shown = sure ? String(digit) : '?'
  if (isTestDigit(data)) {
    return { digit: shown, outcome: outcomeOf(label, digit, sure), sure: sure ? `${share} sure` : `${share}, not sure`, decided: decision }
  }
  if (!sure) return { digit: shown, sure: 'not sure', decided: `perhaps ${withArticle(digit)}, ${share}` }
  return { digit: shown, sure: `${share} sure`, decided: decision }
}

function outcomeOf(label, digit, sure) {
  if (digit === label) return `right: ${sure ? '' : 'perhaps '}${withArticle(label)},`
  return `wrong: ${withArticle(label)}, ${sure ? `read as ${digit}` : `perhaps ${withArticle(digit)}`},`
}

function withArticle(digit) {
  return `${digit === 8 ? 'an' : 'a'} ${digit}`
}

function sentence({ digit, outcome, sure, decided, hint }) {
  const named = outcome || digit === '?' ? '' : digit && `${digit},`
  return [named, outcome, sure && `${sure},`, decided, hint].filter(Boolean).join(' ')
}

function renderVerdict(find, data, step) {
  const verdict = verdictOf(data, step)
  for (const part of ['digit', 'outcome', 'sure', 'decided', 'hint']) find(`.${part}`).textContent = verdict[part] ?? ''
  find('.hint').classList.toggle('lines', Boolean(verdict.hint?.includes('\n')))
  find('.verdict').classList.toggle('judged', Boolean(verdict.outcome))
  find('.verdict').classList.toggle('reading', Boolean(data.beliefs) && step < STEPS)
  const isDecided = data.beliefs && step === STEPS
  put(find('.mark'), isDecided ? (data.reading.order[data.decided_at - 1] + 0.5) / STEPS : null)
  find('.mark').title = isDecided ? data.decision : ''
}

// Shows something at a fraction of its way down, or to the right if columns are read; nowhere if that is null.
function put({ style }, fraction) {
  style.display = fraction === null ? 'none' : 'block'
  style.setProperty('--at', `${(fraction ?? 0) * 100}%`)
}

function colour(share) {
  const place = Math.min(Math.max(share, 0), 1) * (CIVIDIS.length - 1)
  const low = Math.min(Math.floor(place), CIVIDIS.length - 2)
  const mix = CIVIDIS[low].map((from, i) => Math.round(from + (CIVIDIS[low + 1][i] - from) * (place - low)))
  return `rgb(${mix.join(' ')})`
}

function renderMap(canvas, data, step) {
  const scale = window.devicePixelRatio || 1
  const { beliefs, reading: { columns, order, parts } } = data
  const [width, height] = [canvas.clientWidth, canvas.clientHeight]
  if (!width || !height) return
  canvas.width = Math.round(width * scale)
  canvas.height = Math.round(height * scale)
  const context = canvas.getContext('2d')
  context.scale(scale, scale)
  context.clearRect(0, 0, width, height)
  const [cellWidth, cellHeight] = columns ? [width / STEPS, height / DIGITS] : [width / DIGITS, height / STEPS]
  const at = (place, digit) => (columns ? [place * cellWidth, digit * cellHeight] : [digit * cellWidth, place * cellHeight])
  // What is believed after the steps to come is hidden: whoever watches is to guess.
  beliefs?.slice(0, step).forEach((belief, t) => {
    belief.forEach((share, digit) => {
      context.fillStyle = colour(share)
      context.fillRect(...at(order[t], digit), cellWidth + 0.5, cellHeight + 0.5)
    })
    // A dot on the top digit after each step, so that colour is not the only sign.
    const digit = best(belief)
    context.fillStyle = belief[digit] > 0.5 ? '#000' : '#fff'
    context.beginPath()
    context.arc(...at(order[t] + 0.5, digit + 0.5), Math.min(cellHeight, cellWidth) * 0.2, 0, 7)
    context.fill()
  })
  const text = beliefs
    ? `Belief map, 28 ${parts} by 10 digits; after ${progress(data, step)}: ${describe(beliefs, step) || 'none yet'}`
    : 'Belief map, empty'
  canvas.setAttribute('aria-label', text)
}

// Where what was read last ends, from 0, before the first place, to 28, after the last one.
function front(order, step) {
  const isBackwards = order[0] === STEPS - 1
  if (!step) return isBackwards ? STEPS : 0
  return isBackwards ? order[step - 1] : order[step - 1] + 1
}

// The drawing was scaled and centred before it was read. The beam shows to which part of the canvas the places of the
// map belong, and the line shows where that which is read really lies on the canvas.
function renderReading(find, { beliefs, picture, begin, size, reading: { columns, order } }, step) {
  const isShown = Boolean(beliefs && picture)
  const at = isShown && step < STEPS ? front(order, step) : null
  const length = columns ? 'clientWidth' : 'clientHeight'
  const share = find('.map')[length] / (find('.slot')[length] || 1)
  const onCanvas = (place) => Math.min(Math.max(begin + place * size, 0), 1)
  // From the canvas to the map: through the lens, which is 28 wide and 280 high, or the other way round.
  const ends = (place, canvas = onCanvas(place)) => [[0, canvas * CANVAS], [LENS, (place / STEPS) * share * CANVAS]]
  const onLens = ([across, along]) => (columns ? [along, across] : [across, along])
  find('.lens').setAttribute('viewBox', `0 0 ${onLens([LENS, CANVAS]).join(' ')}`)
  const corners = isShown ? [...ends(0, begin), ...ends(STEPS, begin + STEPS * size).reverse()] : []
  find('.beam').setAttribute('points', corners.map(onLens).join(' '))
  find('.ray').setAttribute('points', at === null ? '' : ends(at).map(onLens).join(' '))
  put(find('.line'), at === null ? null : onCanvas(at))
  put(find('.cursor'), at === null ? null : at / STEPS)
  renderVeil(find('.veil'), isShown && step < STEPS ? order.slice(step) : [], onCanvas, columns)
}

// Covers what is not read yet. What lies beyond the first and the last place belongs to these: it is empty.
function renderVeil(veil, unread, onCanvas, columns) {
  veil.style.display = unread.length ? 'block' : 'none'
  const stops = Array.from({ length: STEPS }, (_, place) => {
    const shade = unread.includes(place) ? '#000' : 'transparent'
    return [place, place + 1].map((edge) => `${shade} ${onCanvas(edge) * 100}%`)
  })
  veil.style.maskImage = `linear-gradient(to ${columns ? 'right' : 'bottom'}, ${stops.flat().join(', ')})`
}

// A test digit or a photograph covers the canvas, so that nobody draws on it.
function renderCover(find, data) {
  const { caption, photo, label, beliefs } = data
  const cover = find('.cover')
  cover.hidden = !caption
  // Once a test digit is read, the verdict needs the room; the note then says which digit it is.
  find('.caption').textContent = label !== undefined && beliefs ? '' : caption ?? ''
  cover.setAttribute('aria-label', caption ?? '')
  const image = photo ? `url("${photo}")` : 'none'
  if (cover.style.backgroundImage !== image) cover.style.backgroundImage = image
  if (photo) cover.getContext('2d').clearRect(0, 0, SIDE, SIDE)
  else if (caption) renderPicture(cover, data, STEPS)
  find('.veil').classList.toggle('closed', Boolean(caption))
}

// Of what is still to be read, so much shows through: nothing of a test digit, which a class is to guess.
function renderPicture(canvas, { picture, reading: { columns, order } }, step, through = 0) {
  const context = canvas.getContext('2d')
  const image = context.createImageData(SIDE, SIDE)
  const read = new Set(order.slice(0, step))
  for (let i = 0; i < SIDE * SIDE; i += 1) {
    const grey = picture?.[i] ?? 0
    const level = read.has(columns ? i % SIDE : Math.floor(i / SIDE)) ? grey : grey * through + 40
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
  for (const number of [1, 7, 14, 21, 28]) {
    const label = document.createElement('span')
    label.textContent = String(number)
    put(label, (number - 0.5) / STEPS)
    rows.appendChild(label)
  }
}

function renderBars(bars, data, step) {
  const belief = data.beliefs?.[step - 1]
  const top = belief ? best(belief) : -1
  Array.from(bars.children).forEach((bar, digit) => {
    const share = belief?.[digit] ?? 0
    bar.classList.toggle('best', digit === top)
    bar.querySelector('.fill').style.setProperty('--share', `${share * 100}%`)
    bar.querySelector('.share').textContent = belief && share >= 0.005 ? `${Math.round(share * 100)}%` : ''
  })
  const words = belief ? belief.map((share, digit) => `${digit}: ${percent(share)}`).join(', ') : 'none yet'
  bars.setAttribute('aria-label', `Belief after ${progress(data, step)}: ${words}`)
}
