// Renders a Plotly figure and updates it in place. The data is described in plotly_figure.py.

const CONFIG = {
  displaylogo: false,
  responsive: true,
  modeBarButtonsToRemove: ['lasso2d', 'select2d', 'autoScale2d'],
}

export default function ({ data, parentElement }) {
  const place = parentElement.querySelector('.rnnlab-plot')
  place.setAttribute('role', 'img')
  place.setAttribute('aria-label', data.description)
  place.newest = data.figure
  loadPlotly(data.source).then((Plotly) => {
    // Newer figures may have come while Plotly was loading: only the newest is rendered.
    if (place.isConnected && place.newest === data.figure) {
      Plotly.react(place, data.figure.data, themed(data.figure.layout, place), CONFIG)
    }
  })
}

function loadPlotly(source) {
  window.rnnlabPlotly ??= new Promise((resolve, reject) => {
    const script = document.createElement('script')
    script.src = source
    script.onload = () => resolve(window.Plotly)
    script.onerror = reject
    document.head.appendChild(script)
  })
  return window.rnnlabPlotly
}

// Text and grid take the colours of the page's theme, light or dark.
function themed(layout, place) {
  const style = getComputedStyle(place)
  const text = style.getPropertyValue('--st-text-color').trim() || style.color
  const grid = style.getPropertyValue('--st-border-color').trim() || '#8888'
  const background = style.getPropertyValue('--st-background-color').trim() || '#fff'
  const result = {
    ...layout,
    paper_bgcolor: 'rgba(0,0,0,0)',
    plot_bgcolor: 'rgba(0,0,0,0)',
    font: { color: text, family: style.fontFamily, size: 13 },
    hoverlabel: { bgcolor: background, font: { color: text } },
    modebar: { bgcolor: 'rgba(0,0,0,0)', color: text, activecolor: text },
  }
  for (const name of Object.keys(layout).filter((key) => /^[xy]axis/.test(key))) {
    const title = { ...layout[name].title, font: { size: 14 } }
    result[name] = { ...layout[name], title, gridcolor: grid, linecolor: grid, zeroline: false }
  }
  return result
}
