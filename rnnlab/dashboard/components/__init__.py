"""Components that run in the browser, each with its JavaScript, style and markup beside it."""
