// Shows what came of a press in the sidebar. On a phone the sidebar lies over the page: it closes when another page has
// been chosen, and after Start. The status of the run, or the sentence that says why there is none, comes into view.

/** Milliseconds for which a sentence that is still on its way is waited for. */
const PATIENCE = 3000

let seen

/** @param {{data: {page: string, answered: number, is_refused: boolean}}} component  see sidebar_answer.py */
export default function ({ data }) {
  const isStart = seen && data.answered > seen.answered
  if (isStart || (seen && data.page !== seen.page)) closeSidebar()
  if (isStart) {
    bringIntoView(data.is_refused ? '.st-key-problems [role="alert"]' : '.st-key-lab_status', performance.now() + PATIENCE)
  }
  seen = data
}

// It is left open where it takes nothing away from the page.
function closeSidebar() {
  const sidebar = document.querySelector('[data-testid="stSidebar"]')
  const main = document.querySelector('[data-testid="stMain"]')
  const close = sidebar?.querySelector('[data-testid="stSidebarCollapseButton"] button')
  const covers = sidebar && main && sidebar.getBoundingClientRect().right > main.getBoundingClientRect().left + 1
  if (!close || !covers) return
  const hadFocus = sidebar.contains(document.activeElement)
  close.click()
  if (hadFocus) focusOn(document.querySelector('.st-key-lab_status'))
}

/** @param {HTMLElement | null} part  a part of the page that is no control */
function focusOn(part) {
  if (!part) return
  part.tabIndex = -1
  part.focus({ preventScroll: true })
}

/**
 * @param {string} selector
 * @param {number} deadline  until when it is waited for
 */
function bringIntoView(selector, deadline) {
  const part = document.querySelector(selector)
  if (part) part.scrollIntoView({ block: 'nearest' })
  else if (performance.now() < deadline) requestAnimationFrame(() => bringIntoView(selector, deadline))
}
