// Keeps for a year what this browser is known by, so that who started a run controls it after a restart, too.
export default function ({ data }) {
  document.cookie = `rnnlab_visitor=${data.secret}; path=/; max-age=31536000; SameSite=Lax`
}
