// Keeps for a year the secret by which this browser is known: whoever started a run still controls it after a restart.
export default function ({ data }) {
  document.cookie = `rnnlab_visitor=${data.secret}; path=/; max-age=31536000; SameSite=Lax`
}
