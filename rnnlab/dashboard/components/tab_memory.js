// Keeps what a tab shows and holds: in its address what others may be shown, in its session storage the rest. A reload
// and a restarted server find it there. The data is described in tab_memory.py.

const KEY = 'rnnlab'

// The run and the path that were written last: another run on the same page is a place to go back to.
let written = {}

export default function ({ data, setTriggerValue }) {
  const kept = read()
  if (kept && kept.session !== data.session) {
    // The server has lost what an earlier session kept here. Nothing is written until it says that it has it again.
    if (data.page) handOver({ ...kept, session: data.session, isAwaited: true }, setTriggerValue)
  } else if (kept?.isAwaited && !data.has_taken_over) {
    if (data.page) handOver(kept, setTriggerValue)
  } else {
    if (data.page) writeAddress(data.page)
    write({ session: data.session, values: { ...kept?.values, ...data.values } })
  }
}

function handOver(kept, setTriggerValue) {
  write(kept)
  const address = Object.fromEntries(new URLSearchParams(window.location.search))
  setTriggerValue('found', { address, values: kept.values })
}

// A browser may forbid storage, for example within a frame, or have no room left. Then the tab forgets, as tabs do.
function read() {
  try {
    return JSON.parse(window.sessionStorage.getItem(KEY))
  } catch {
    return null
  }
}

function write(kept) {
  try {
    window.sessionStorage.setItem(KEY, JSON.stringify(kept))
  } catch {
    // See above.
  }
}

// What is not the lab's own in the address stays, such as `embed=true`.
function writeAddress({ query, names, asked, is_history: isHistory }) {
  const address = new URL(window.location.href)
  const there = address.searchParams.get('run')
  const wanted = query.run ?? null
  // Somebody has just gone back or forward, and this was rendered before the server heard of it.
  if (![asked, written.run].includes(there)) return
  const isSamePage = written.path === address.pathname
  const isNavigation = isHistory && isSamePage && written.run && wanted && ![written.run, there].includes(wanted)
  written = { path: address.pathname, run: wanted }
  for (const name of names) address.searchParams.delete(name)
  for (const [name, value] of Object.entries(query)) address.searchParams.set(name, value)
  if (address.href === window.location.href) return
  if (isNavigation) window.history.pushState({}, '', address)
  else window.history.replaceState(window.history.state, '', address)
}
