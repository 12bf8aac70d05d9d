// Renders a Plotly figure and updates it in place. The data is described in plotly_figure.py.

// Nothing of what is shown leaves this machine: Plotly's own button would upload the figure to its maker's cloud.
const CONFIG = {
  displaylogo: false,
  responsive: true,
  showSendToCloud: false,
  plotlyServerURL: '',
  modeBarButtonsToRemove: ['sendChartToCloud', 'lasso2d', 'select2d', 'autoScale2d'],
}

// In windows of this width, the text is to be read from the last row of a classroom: 16 pixels instead of 13.
const PROJECTOR = window.matchMedia('(min-width: 1000px)')

// Pixels at the right of a figure for the buttons that appear there.
const MODEBAR_WIDTH = 36

// How long to wait before Plotly's script is asked for again; after these, the last of them again and again.
const MILLISECONDS_BETWEEN_TRIES = [500, 1000, 2000, 4000, 8000]

// After so many tries in vain, the page says so.
const TRIES_IN_SILENCE = 3

export default function ({ data, parentElement, setTriggerValue }) {
  const place = parentElement.querySelector('.rnnlab-plot')
  const trouble = parentElement.querySelector('.rnnlab-plot-trouble')
  place.setAttribute('role', 'figure') // no image: its buttons are inside
  place.setAttribute('aria-label', data.description)
  place.newest = data.figure
  window.rnnlabPlotly ??= loadPlotly(data.source)
  window.rnnlabPlotly.troubled.then(() => {
    if (!window.Plotly) trouble.textContent = data.trouble
  })
  window.rnnlabPlotly.loaded.then((Plotly) => {
    trouble.textContent = ''
    // Newer figures may have come while Plotly was loading: only the newest is rendered.
    if (place.isConnected && place.newest === data.figure) {
      place.render = () => Plotly.react(place, data.figure.data, themed(data.figure.layout, place), CONFIG)
      place.render()
      followWindow(place)
      if (data.answers_clicks) answerClicks(place, setTriggerValue)
    }
  })
}

/** Renders a figure again when its window is moved to a projector, or back. */
function followWindow(place) {
  if (place.followsWindow) return
  place.followsWindow = true
  const again = () => (place.isConnected ? place.render() : PROJECTOR.removeEventListener('change', again))
  PROJECTOR.addEventListener('change', again)
}

/** Tells Python where somebody clicks, as the figure's axes name the place. */
function answerClicks(place, setTriggerValue) {
  place.classList.add('rnnlab-plot-answers')
  place.removeAllListeners('plotly_click')
  place.on('plotly_click', ({ points: [{ x, y }] }) => {
    window.Plotly.Fx.unhover(place)
    setTriggerValue('clicked', { x: String(x), y: String(y) })
  })
}

/**
 * Loads Plotly, for all figures of the page, however many tries it takes.
 *
 * @param {string} source  where its script is
 * @returns {{loaded: Promise<object>, troubled: Promise<void>}} troubled: fulfilled if the first tries were in vain
 */
function loadPlotly(source) {
  let failures = 0
  let succeed, complain
  const loaded = new Promise((resolve) => { succeed = resolve })
  const troubled = new Promise((resolve) => { complain = resolve })

  function load() {
    const script = document.createElement('script')
    script.src = new URL(source, foundAt())
    // What comes may also be something else, such as a proxy's own page.
    script.onload = () => (window.Plotly ? succeed(window.Plotly) : tryAgain(script))
    script.onerror = () => tryAgain(script)
    document.head.appendChild(script)
  }

  function tryAgain(script) {
    script.remove()
    setTimeout(load, MILLISECONDS_BETWEEN_TRIES[failures] ?? MILLISECONDS_BETWEEN_TRIES.at(-1))
    failures += 1
    if (failures === TRIES_IN_SILENCE) complain()
  }

  load()
  return { loaded, troubled }
}

// The server does not know under which address a proxy shows it. The page's own script lies two folders below that.
function foundAt() {
  const script = document.querySelector('script[type="module"][src*="static/js/"]')
  return new URL('../../', script?.src ?? document.baseURI)
}

// Text and grid take the colours of the page's theme, light or dark.
function themed(layout, place) {
  const style = getComputedStyle(place)
  const text = style.getPropertyValue('--st-text-color').trim() || style.color
  const grid = style.getPropertyValue('--st-border-color').trim() || '#8888'
  const size = PROJECTOR.matches ? 16 : 13
  const background = style.getPropertyValue('--st-background-color').trim() || '#fff'
  const result = {
    ...layout,
    paper_bgcolor: 'rgba(0,0,0,0)',
    plot_bgcolor: 'rgba(0,0,0,0)',
    font: { color: text, family: style.fontFamily, size },
    hoverlabel: { bgcolor: background, font: { color: text } },
    // Below each other in the margin at the right, where there is no legend.
    modebar: { orientation: 'v', bgcolor: 'rgba(0,0,0,0)', color: text, activecolor: text },
    margin: { ...layout.margin, r: MODEBAR_WIDTH },
  }
  for (const name of Object.keys(layout).filter((key) => /^[xy]axis/.test(key))) {
    const title = { ...layout[name].title, font: { size: size + 1 } }
    result[name] = { ...layout[name], title, gridcolor: grid, linecolor: grid, zeroline: false }
  }
  return result
}
