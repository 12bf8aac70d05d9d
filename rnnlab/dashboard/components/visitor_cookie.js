// Keeps for a year the secret by which this browser is known: whoever started a run still controls it after a restart.
// The server is told what only the browser knows: a secret kept before, or that it keeps none.

const NAME = 'rnnlab_visitor'

export default function ({ data, setTriggerValue }) {
  const stored = readStorage()
  if (!data.is_answered && stored && stored !== data.secret) {
    setTriggerValue('known', stored)
    return
  }
  writeCookie(data.secret)
  writeStorage(data.secret)
  const isKept = document.cookie.includes(data.secret) || readStorage() === data.secret
  if (!data.is_answered && !isKept) setTriggerValue('forgotten', true)
}

// In a frame of another site a browser takes no cookie, or only one that counts within that site, over HTTPS.
function writeCookie(secret) {
  const cookie = `${NAME}=${secret}; path=/; max-age=31536000`
  document.cookie = `${cookie}; SameSite=Lax`
  if (!document.cookie.includes(secret)) document.cookie = `${cookie}; SameSite=None; Secure; Partitioned`
}

// Storage is there where cookies are not, unless the browser forbids it: then every access is an error.
function readStorage() {
  try {
    return window.localStorage.getItem(NAME)
  } catch {
    return null
  }
}

function writeStorage(secret) {
  try {
    window.localStorage.setItem(NAME, secret)
  } catch {
    // The cookie has to do.
  }
}
